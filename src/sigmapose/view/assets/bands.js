// Angles over time with their 90 % bands, and the strip of the whole film above the slider.
import { ANGLES, chunkOf, data, decodedChunk, load, NO_ANGLE, numbers, timeOf } from "sigmapose/film_data";
import { cssColour, COLOURS, fitCanvas } from "sigmapose/marks";

const $ = (id) => document.getElementById(id);
const overview = data.overview, shares = numbers(overview.verdicts, "u1");
const WIDTH = 4; // numbers of an angle in a column of the overview: least, greatest, low, high
const wholes = new Map(overview.angles.map((entry) => [entry.track, { first: entry.first, numbers: numbers(entry.numbers, "i2"), valid: numbers(entry.valid, "u1") }]));
const kinds = Object.keys(data.angles.about);
const shown = new Set(kinds.slice(0, 3));
const lanes = [];
let person = null, seek = () => {}, order = 0;

// ---- the strip of the film ----
export function drawTimeline() {
  const { pen, width, height } = fitCanvas($("timeline"));
  pen.fillStyle = cssColour("--grey");
  pen.fillRect(0, 0, width, height);
  const each = (overview.frames_each / Math.max(1, data.total)) * width;
  for (let k = 0; k < shares.length / 3; k++) {
    let y = 0;
    for (let verdict = 0; verdict < 3; verdict++) {
      const tall = (shares[3 * k + verdict] / 200) * height;
      pen.fillStyle = COLOURS[verdict];
      pen.fillRect(k * each, y, each + 0.6, tall);
      y += tall;
    }
  }
}

// ---- which frames a lane shows ----
function stretch() {
  const seconds = +$("span").value, whole = [0, Math.max(1, data.total - 1)];
  if (!seconds) return whole;
  const length = timeOf(data.total - 1) - timeOf(0), frames = Math.round((data.total / Math.max(1e-6, length)) * seconds);
  if (frames >= data.total) return whole;
  const first = Math.min(data.total - frames, Math.max(0, order - Math.round(frames / 2)));
  return [first, first + frames - 1];
}
// Points of one angle: [order, value, low, high, valid], from blocks where these are few, else from the overview.
function series(column, [first, last]) {
  const points = [], numbersOf = [chunkOf(first), chunkOf(last)];
  if (last - first < 4000 && numbersOf[1] - numbersOf[0] < 6) {
    let missing = false;
    for (let n = numbersOf[0]; n <= numbersOf[1]; n++) {
      const chunk = decodedChunk(n);
      if (!chunk) { missing = true; load(n).then(() => drawLanes()).catch(() => {}); continue; }
      for (let k = Math.max(0, first - chunk.head.first); k < chunk.head.frames && chunk.head.first + k <= last; k++) {
        for (let row = chunk.firstRow[k]; row < chunk.firstRow[k + 1]; row++) {
          const at = row * ANGLES.length + column;
          if (chunk.track[row] === person && chunk.angle[at] !== NO_ANGLE) points.push([chunk.head.first + k, chunk.angle[at] / 10, chunk.angle[at] / 10, chunk.low[at] / 10, chunk.high[at] / 10, chunk.valid[at]]);
        }
      }
    }
    if (!missing) return points;
  }
  const whole = wholes.get(person), each = overview.frames_each;
  if (!whole) return points;
  points.length = 0;
  for (let k = 0; k < whole.valid.length / ANGLES.length; k++) {
    const middle = (whole.first + k + 0.5) * each - 0.5, at = WIDTH * (k * ANGLES.length + column), [least, most, low, high] = whole.numbers.subarray(at, at + WIDTH);
    if (least !== NO_ANGLE && middle >= first - each && middle <= last + each) points.push([middle, least / 10, most / 10, low / 10, high / 10, whole.valid[k * ANGLES.length + column]]);
  }
  return points;
}
function runs(points) {
  const gap = 1.5 * (points.length > 1 ? Math.max(1, Math.min(...points.slice(1, 60).map((p, k) => p[0] - points[k][0]))) : 1), parts = [];
  points.forEach((p, k) => { if (!k || p[0] - points[k - 1][0] > gap) parts.push([]); parts.at(-1).push(p); });
  return parts;
}

// ---- lanes ----
function drawLane(lane, span, limits) {
  const { pen, width, height } = fitCanvas(lane.canvas), left = 34, bottom = height - 16, top = 4;
  const x = (o) => left + ((o - span[0]) / Math.max(1, span[1] - span[0])) * (width - left - 4), y = (v) => bottom - ((v - limits[0]) / (limits[1] - limits[0])) * (bottom - top);
  lane.orderAt = (px) => Math.round(span[0] + ((px - left) / (width - left - 4)) * (span[1] - span[0]));
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = cssColour("--dim");
  pen.strokeStyle = cssColour("--line");
  pen.lineWidth = 1;
  for (let v = Math.ceil(limits[0] / 45) * 45; v <= limits[1]; v += 45) {
    pen.beginPath(); pen.moveTo(left, y(v)); pen.lineTo(width - 4, y(v)); pen.stroke();
    pen.textAlign = "right";
    pen.fillText(`${v}°`, left - 5, Math.min(bottom, y(v) + 4));
  }
  for (const share of [0, 0.5, 1]) {
    const o = Math.round(span[0] + share * (span[1] - span[0])), t = timeOf(o);
    pen.textAlign = share === 0 ? "left" : share === 1 ? "right" : "center";
    pen.fillText(clockTime(t), x(o), height - 3);
  }
  const [line, band] = data.colours[lane.side], points = lane.points, grey = cssColour("--grey");
  const step = points.length > 1 ? Math.max(1, x(points[1][0]) - x(points[0][0])) : 4;
  pen.save();
  pen.beginPath(); pen.rect(left, 0, width - left - 4, bottom); pen.clip();
  for (const part of runs(points)) {
    pen.fillStyle = band;
    pen.globalAlpha = +cssColour("--bandmix");
    pen.beginPath();
    part.forEach((p) => pen.lineTo(x(p[0]), y(p[4])));
    part.toReversed().forEach((p) => pen.lineTo(x(p[0]), y(p[3])));
    pen.fill();
    pen.globalAlpha = 1;
    pen.fillStyle = grey;
    pen.globalAlpha = 0.8;
    for (const p of part) if (!p[5]) pen.fillRect(x(p[0]) - step / 2, top, step + 0.7, bottom - top);
    pen.globalAlpha = 1;
    pen.strokeStyle = line;
    pen.lineWidth = 1.8;
    pen.beginPath();
    part.forEach((p) => { pen.lineTo(x(p[0]), y(p[1])); if (p[2] !== p[1]) pen.lineTo(x(p[0]), y(p[2])); });
    pen.stroke();
    if (part.length === 1) { pen.fillStyle = line; pen.fillRect(x(part[0][0]) - 1, y(part[0][1]) - 1, 3, 3); }
  }
  pen.restore();
  if (!points.length) { pen.textAlign = "center"; pen.fillStyle = cssColour("--dim"); pen.fillText("not seen here", width / 2, height / 2); }
  pen.strokeStyle = cssColour("--text");
  pen.lineWidth = 1.2;
  pen.beginPath(); pen.moveTo(x(order), top); pen.lineTo(x(order), bottom); pen.stroke();
}
export function clockTime(t) {
  const minutes = Math.floor(t / 60), seconds = t - 60 * minutes;
  return data.total && timeOf(data.total - 1) >= 60 ? `${minutes}:${seconds.toFixed(1).padStart(4, "0")}` : `${seconds.toFixed(2)} s`;
}
export function drawLanes() {
  if ($("angles").hidden) return;
  const span = stretch();
  for (const lane of lanes) lane.points = series(lane.column, span);
  for (const kind of shown) {
    const pair = lanes.filter((lane) => lane.kind === kind), ends = pair.flatMap((lane) => lane.points.flatMap((p) => [p[1], p[2], p[3], p[4]]));
    const low = Math.floor(Math.min(0, ...ends) / 15) * 15, high = Math.ceil(Math.max(90, ...ends) / 15) * 15;
    for (const lane of pair) drawLane(lane, span, [low, high]);
  }
}
export function setOrder(now, f) {
  order = now;
  for (const lane of lanes) {
    const row = f.rows.find((r) => f.chunk.track[r] === person), at = row === undefined ? -1 : row * ANGLES.length + lane.column;
    const known = at >= 0 && f.chunk.angle[at] !== NO_ANGLE && f.chunk.low[at] !== NO_ANGLE;
    const tell = (v) => Math.round(v / 10);
    lane.output.textContent = known ? `${tell(f.chunk.angle[at])}° (${tell(f.chunk.low[at])}° to ${tell(f.chunk.high[at])}°)${f.chunk.valid[at] ? "" : ", hidden"}` : "–";
  }
  drawLanes();
}
export function setPerson(track) {
  person = track;
  drawLanes();
}
function makeLanes() {
  lanes.length = 0;
  $("lanes").replaceChildren();
  for (const kind of kinds.filter((k) => shown.has(k))) {
    for (const side of ["left", "right"]) {
      const box = document.createElement("div"), head = document.createElement("p"), name = document.createElement("span"), output = document.createElement("output"), canvas = document.createElement("canvas");
      const [word, meaning] = data.angles.about[kind];
      box.className = "lane";
      name.innerHTML = `<b>${side === "left" ? "Left" : "Right"} ${word.toLowerCase()}</b>`;
      name.title = meaning;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${side} ${word.toLowerCase()} over time: ${meaning}`);
      canvas.title = meaning;
      head.append(name, output);
      box.append(head, canvas);
      $("lanes").append(box);
      const lane = { kind, side, column: ANGLES.indexOf(`${side}_${kind}`), canvas, output, points: [], orderAt: () => 0 };
      const go = (e) => { if (e.buttons) seek(lane.orderAt(e.clientX - canvas.getBoundingClientRect().left)); };
      canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); go(e); });
      canvas.addEventListener("pointermove", go);
      lanes.push(lane);
    }
  }
}
export function openBands(onSeek, redraw) {
  seek = onSeek;
  if (!wholes.size) return;
  $("angles").hidden = false;
  for (const kind of kinds) {
    const button = document.createElement("button");
    button.textContent = data.angles.about[kind][0];
    button.title = data.angles.about[kind][1];
    button.setAttribute("aria-pressed", String(shown.has(kind)));
    button.addEventListener("click", () => {
      if (!shown.delete(kind)) shown.add(kind);
      button.setAttribute("aria-pressed", String(shown.has(kind)));
      makeLanes();
      redraw();
    });
    $("chosen").append(button);
  }
  $("span").addEventListener("change", drawLanes);
  makeLanes();
}
