// The page: puts the film, the 3D view, the words and the angles together. Data: view/scene.py.
// `window.sigmapose` is a small handle for tests and scripts, documented in docs/formats.md.
import { chunkOf, data, frameAt, load, loadCoarse, personName, rowOf, sigmas, timeOf, verdictOf } from "sigmapose/film_data";
import { openMedia, play, player, setSpeed, showMedia } from "sigmapose/film";
import * as bands from "sigmapose/bands";
import * as people from "sigmapose/people";
import * as stage from "sigmapose/stage";

const $ = (id) => document.getElementById(id);
const { view } = stage;
let missing = ""; // why a block of frames cannot be read

function say(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}
const NO_WEBGL = "This browser has no WebGL, so the 3D view cannot be drawn. Turn on hardware acceleration or open the page in another browser. The film, the angles and poses.json still work.";
const NOBODY = "Nobody was found in any picture.\nPeople are found when most of the body is in the picture, at least about 80 pixels tall, and not too dark.";

// ---- one frame ----
function setOrder(order, smooth = false) {
  player.order = Math.min(data.total - 1, Math.max(0, Math.round(order)));
  if (player.order < 0) return;
  const f = frameAt(player.order), number = chunkOf(player.order);
  if (!f?.exact) load(number).then(() => { if (chunkOf(player.order) === number) refresh(false); }).catch((error) => { missing = error.message; refresh(false); });
  if (f) refresh(smooth);
}
function refresh(smooth) {
  const f = frameAt(player.order);
  if (!f) return say(missing);
  view.hover = null;
  $("tip").hidden = true;
  $("slider").value = player.order;
  $("slider").setAttribute("aria-valuetext", `${timeOf(player.order).toFixed(2)} seconds`);
  $("where").textContent = data.film ? "" : `frame ${f.exact ? f.index : player.order}  ·  ${bands.clockTime(timeOf(player.order))}`;
  view.frame = f;
  if ($("follow").checked) stage.follow(smooth);
  stage.show(f);
  showMedia({ ...f, order: player.order });
  people.fillPeople(f, $("now"));
  bands.setOrder(player.order, f);
  if (!stage.renderer) say(NO_WEBGL);
  else if (data.nobody) say(NOBODY);
  else if (missing && !f.exact) say(`${missing}: this is a frame nearby. Keep the folder beside the page.`);
  else say(f.rows.length ? "" : "Nobody was found in this picture.");
}
const step = (by) => { play(false); setOrder(player.order + by); };
function second(direction) {
  const goal = timeOf(player.order) + direction;
  let order = player.order;
  while (order + direction >= 0 && order + direction < data.total && Math.abs(timeOf(order) - goal) > Math.abs(timeOf(order + direction) - goal)) order += direction;
  step(order - player.order || direction);
}

// ---- the page around it ----
function fillFacts() {
  const last = Math.max(0, data.total - 1), seconds = timeOf(last) - timeOf(0), noun = seconds > 0 ? "frames" : "pictures";
  const facts = [data.total === 1 ? "1 picture" : `${data.total.toLocaleString("en")} ${noun}${seconds > 0 ? `, ${bands.clockTime(seconds)}` : ""}`];
  const count = data.overview.people.length, camera = data.cameras[0];
  if (count) facts.push(count === 1 ? "1 person" : seconds > 0 ? `${count} people` : "");
  if (camera && !camera.known) facts.push("lens not known, so how far away people are is a guess");
  $("facts").textContent = facts.filter(Boolean).join(" · ");
  $("about").textContent = `Error bars: ${data.calibrator === "none" ? "as the network predicts them, not checked against true poses" : `calibrated (${data.calibrator})`}. All numbers are in poses.json.`;
  $("slider").max = last;
  for (const id of ["slider", "play", "back", "on", "speed"]) $(id).disabled = data.total < 2;
  $("bar").hidden = data.total < 2;
  $("level").innerHTML = data.levels.map((l) => `<option value="${l}"${l === view.level ? " selected" : ""}>${l} times of 100</option>`).join("");
  $("span").value = data.total > 1 && seconds > 90 ? "20" : "0";
}
function choosePeople() {
  const known = data.overview.people.map(([track]) => track);
  $("who").innerHTML = known.map((track) => `<option value="${track}">${personName(track)}</option>`).join("");
  const first = frameAt(data.begin)?.rows.map((row) => frameAt(data.begin).chunk.track[row]) ?? [];
  view.person = known.find((track) => first.includes(track)) ?? known[0] ?? null;
  $("who").value = view.person ?? "";
  bands.setPerson(view.person);
  if (data.total < 2 || known.length > 1 && first.length > 1) view.person = null; // several: all of them are in view
}
function point(e) {
  const box = $("view").getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top, before = String(view.hover);
  view.hover = e.buttons && e.pointerType !== "touch" ? null : stage.pick(x, y, e.pointerType === "touch" ? 26 : 14);
  const tip = $("tip"), room = $("stage").getBoundingClientRect();
  tip.hidden = !view.hover;
  if (view.hover) {
    tip.textContent = people.tipOf(view.frame, ...view.hover);
    tip.style.left = `${Math.max(4, Math.min(x + 16, room.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(4, Math.min(y + 16, room.height - tip.offsetHeight - 8))}px`;
  }
  if (before !== String(view.hover)) stage.drawMarks();
}
function listen() {
  $("slider").addEventListener("input", (e) => { play(false); setOrder(+e.target.value); });
  $("play").addEventListener("click", () => play(!player.playing));
  $("back").addEventListener("click", () => step(-1));
  $("on").addEventListener("click", () => step(1));
  $("speed").addEventListener("change", (e) => setSpeed(+e.target.value));
  $("who").addEventListener("change", (e) => { view.person = +e.target.value; bands.setPerson(view.person); refresh(false); });
  $("regions").addEventListener("change", (e) => { view.regions = e.target.checked; stage.show(view.frame); });
  $("names").addEventListener("change", (e) => { view.names = e.target.checked; stage.render(); });
  $("follow").addEventListener("change", () => refresh(false));
  $("level").addEventListener("change", (e) => { view.level = e.target.value; stage.show(view.frame); });
  $("views").addEventListener("click", (e) => e.target.dataset.view && stage.setView(e.target.dataset.view));
  addEventListener("keydown", (e) => {
    if (e.target.tagName === "SELECT" || e.ctrlKey || e.metaKey || e.altKey) return;
    const actions = {
      ArrowLeft: () => (e.shiftKey ? second(-1) : step(-1)), ArrowRight: () => (e.shiftKey ? second(1) : step(1)), Home: () => setOrder(0), End: () => setOrder(Infinity),
      " ": () => play(!player.playing), 1: () => stage.setView("front"), 2: () => stage.setView("side"), 3: () => stage.setView("top"), 4: () => stage.setView("camera"), 5: () => stage.setView("all"),
    };
    if (!actions[e.key] || (e.key === " " && (e.target.tagName === "BUTTON" || e.target.type === "checkbox"))) return;
    e.preventDefault();
    actions[e.key]();
  });
  $("view").addEventListener("pointermove", point);
  $("view").addEventListener("pointerdown", (e) => e.pointerType === "touch" && point(e));
  $("view").addEventListener("pointerleave", () => { view.hover = null; $("tip").hidden = true; stage.drawMarks(); });
  new ResizeObserver(() => stage.resize()).observe($("stage"));
  const redraw = () => { bands.drawTimeline(); bands.drawLanes(); };
  new ResizeObserver(redraw).observe($("track"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

async function open() {
  fillFacts();
  people.fillLegend($("legend"));
  listen();
  if (!data.total) return say("There are no pictures to show.");
  await loadCoarse();
  if (!frameAt(data.begin)) await load(chunkOf(data.begin)).catch((error) => { missing = error.message; });
  bands.openBands((order) => { play(false); setOrder(order); }, () => refresh(false));
  openMedia(setOrder);
  choosePeople();
  setOrder(data.begin);
  if (!view.frame) return;
  stage.drawGrid();
  stage.resize();
  stage.setView("");
  bands.drawTimeline();
}

window.sigmapose = {
  webgl: Boolean(stage.renderer),
  frames: data.total,
  ready: open().then(() => new Promise((done) => requestAnimationFrame(() => done(performance.now())))),
  frame: () => player.order,
  exact: () => Boolean(view.frame?.exact),
  playing: () => player.playing,
  film: () => player.film,
  setFrame: setOrder,
  setView: stage.setView,
  play,
  counts: () => ({ ...stage.drawn }),
  verdicts: (person) => people.countsOf(view.frame, view.frame.rows[person]),
  onScreen: (person, joint) => stage.onScreen(stage.position(view.frame, view.frame.rows[person], data.joints.indexOf(joint))),
  sigma: (person, joint) => sigmas(view.frame, view.frame.rows[person], data.joints.indexOf(joint)),
};
