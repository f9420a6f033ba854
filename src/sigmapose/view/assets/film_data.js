// The frames of the film: blocks of numbers that are decoded when they are looked at, and an overview of all.
// Data: see view/scene.py and view/film_chunk.py. A person is a row of a block; lengths are mm, camera axes.
export const data = JSON.parse(document.getElementById("data").textContent);
export const J = data.joints.length;
export const LEVELS = data.levels.length;
export const ANGLES = data.angles.names;
export const NO_ANGLE = -32768;
const KEPT = 8; // blocks in memory

const TYPES = { i4: Int32Array, f8: Float64Array, i2: Int16Array, u2: Uint16Array, f4: Float32Array, u1: Uint8Array, f2: Uint16Array };
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
export const numbers = (text, type) => new TYPES[type](bytes(text).buffer);

let halves = null; // every half-precision number
function half(h) {
  const exponent = (h >> 10) & 31, fraction = h & 1023, sign = h & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
function fromHalves(raw) {
  halves ??= Float32Array.from({ length: 65536 }, (_, h) => half(h));
  const out = new Float32Array(raw.length);
  for (let k = 0; k < raw.length; k++) out[k] = halves[raw[k]];
  return out;
}

async function unpack(head, text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const chunk = { head }, entries = { frame: head.frames, person: head.people, row: head.rows };
  let at = 0;
  for (const [name, type, per, width] of data.layout) {
    const length = entries[per] * width * TYPES[type].BYTES_PER_ELEMENT;
    const raw = new TYPES[type](buffer.slice(at, at + length));
    chunk[name] = type === "f2" ? fromHalves(raw) : raw;
    at += length;
  }
  chunk.firstRow = new Int32Array(head.frames + 1);
  for (let k = 0; k < head.frames; k++) chunk.firstRow[k + 1] = chunk.firstRow[k] + chunk.count[k];
  return chunk;
}

const decoded = new Map(); // number of a block -> block, the one used last at the end
const loading = new Map(); // number of a block -> promise
const arriving = new Map(); // number of a block -> function that takes its text
let coarse = null;
window.sigmaposeChunk = (stamp, number, text) => arriving.get(number)?.(stamp === data.stamp ? text : null);

function textOf(number) {
  const tag = document.getElementById(`chunk-${number}`);
  if (tag) return Promise.resolve(tag.textContent);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    const fail = () => reject(new Error(`${data.folder}/${script.src.split("/").pop()} is missing or is of another page`));
    arriving.set(number, (text) => (text === null ? fail() : resolve(text)));
    script.onerror = fail;
    script.onload = () => script.remove();
    script.src = `${encodeURIComponent(data.folder)}/${String(number).padStart(4, "0")}.js`;
    document.head.append(script);
  });
}
function keep(number, chunk) {
  decoded.delete(number);
  decoded.set(number, chunk);
  for (const old of decoded.keys()) {
    if (decoded.size <= KEPT) break;
    decoded.delete(old);
  }
}
// A promise of the block with that number; the same one while it is on its way.
export function load(number) {
  if (decoded.has(number)) return Promise.resolve(decoded.get(number));
  if (!loading.has(number)) {
    const work = textOf(number).then((text) => unpack(data.chunks[number], text)).then((chunk) => { keep(number, chunk); return chunk; });
    loading.set(number, work.finally(() => { loading.delete(number); arriving.delete(number); }));
  }
  return loading.get(number);
}
export async function loadCoarse() {
  if (data.coarse && !coarse) coarse = await unpack(data.coarse, data.coarse.packed);
}
export function chunkOf(order) {
  let low = 0, high = data.chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (data.chunks[middle].first <= order) low = middle; else high = middle - 1;
  }
  return low;
}
// One frame as it can be shown now: exact, or the nearest of the coarse ones until its block is there.
export function frameAt(order) {
  const number = chunkOf(order), chunk = decoded.get(number);
  if (chunk) {
    keep(number, chunk);
    return frame(chunk, order - chunk.head.first, true);
  }
  if (!coarse) return null;
  let k = coarse.order.findIndex((o) => o > order);
  k = Math.max(0, (k < 0 ? coarse.head.frames : k) - 1);
  return frame(coarse, k, false);
}
function frame(chunk, k, exact) {
  const rows = [];
  for (let row = chunk.firstRow[k]; row < chunk.firstRow[k + 1]; row++) rows.push(row);
  const names = chunk.head.sources;
  return { chunk, rows, exact, order: chunk.order[k], index: chunk.index[k], time: chunk.time[k], camera: data.cameras[chunk.camera[k]], source: names.length > 1 ? names[k] : names[0] };
}
// Blocks at hand, for series of numbers; never waits.
export const decodedChunk = (number) => decoded.get(number);

// ---- time ----
const known = (head) => Math.max(1, head.frames - 1);
export function timeOf(order) {
  const chunk = decoded.get(chunkOf(order)), head = data.chunks[chunkOf(order)];
  if (!head) return 0;
  if (chunk) return chunk.time[Math.min(head.frames - 1, Math.max(0, Math.round(order - head.first)))];
  return head.start + ((head.end - head.start) * (order - head.first)) / known(head);
}
// The frame shown at a time of the film: the last one that does not begin later.
export function orderAt(time) {
  let number = 0;
  while (number + 1 < data.chunks.length && data.chunks[number + 1].start <= time + 1e-3) number++;
  const head = data.chunks[number], chunk = decoded.get(number);
  if (!chunk) return head.first + Math.round((known(head) * (time - head.start)) / Math.max(1e-6, head.end - head.start));
  let low = 0, high = head.frames - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (chunk.time[middle] <= time + 1e-3) low = middle; else high = middle - 1;
  }
  return head.first + low;
}

// ---- numbers of one joint ----
export const rowOf = (f, track) => f.rows.find((row) => f.chunk.track[row] === track);
export function verdictOf(f, row, joint) {
  const mark = f.chunk.mark[row * J + joint];
  return { verdict: mark & 3, hidden: (mark >> 2) & 3, mirrored: Boolean(mark & 16), deep: Boolean(mark & 32) };
}
export function spreadOf(f, row, joint) {
  const at = 6 * (row * J + joint);
  return f.chunk.spread.subarray(at, at + 6);
}
export function sigmas(f, row, joint) {
  const [xx, xy, xz, yy, yz, zz] = spreadOf(f, row, joint);
  const axes = [Math.hypot(xx, xy, xz), Math.hypot(xy, yy, yz), Math.hypot(xz, yz, zz)];
  return { axes, all: Math.hypot(...axes) / Math.sqrt(3) };
}
export function radius(f, row, joint, level) {
  return f.chunk.reach[f.chunk.radii[row * J + joint] * LEVELS + level];
}
// Half-length of the region along its longest axis: power iteration on the square root of the covariance.
export function reachOf(f, row, joint, level = data.levels.indexOf("90")) {
  const [xx, xy, xz, yy, yz, zz] = spreadOf(f, row, joint);
  let v = [0.48, 0.36, 0.8], length = 0;
  for (let k = 0; k < 24; k++) {
    const w = [xx * v[0] + xy * v[1] + xz * v[2], xy * v[0] + yy * v[1] + yz * v[2], xz * v[0] + yz * v[1] + zz * v[2]];
    length = Math.hypot(...w);
    if (!(length > 0)) return length;
    v = w.map((x) => x / length);
  }
  return length * radius(f, row, joint, level);
}
export function reasonsOf(f, row, joint) {
  const told = verdictOf(f, row, joint), words = data.words, reach = reachOf(f, row, joint);
  if (!Number.isFinite(reach)) return [words.missing];
  const why = told.hidden ? [words.hidden[told.hidden]] : [];
  if (told.mirrored) why.push(words.mirrored);
  else if (reach > words.trust_mm) why.push(told.deep ? words.deep : words.unsure);
  return why;
}
export const plain = (name) => name.replaceAll("_", " ");
export const personName = (track) => (track < 0 ? "person" : `person ${track}`);
