// The film beside the 3D view, and the player: the film's own clock where the browser can play it, else a timer.
import { chunkOf, data, load, orderAt, timeOf } from "sigmapose/film_data";

const $ = (id) => document.getElementById(id);
const video = $("video"), photo = $("photo");
const media = data.media;
export const player = { order: 0, playing: false, speed: 1, film: false };
let marked = Boolean(media.marked), wanted = null, tell = () => {};

// ---- what there is to show ----
const startOf = () => (marked ? data.chunks[0]?.start ?? 0 : 0);
function openFilm() {
  const source = marked ? media.marked : media.plain;
  if (!media.film || !source) return;
  video.src = source.split("/").map(encodeURIComponent).join("/").replace(/%3A/g, ":");
  video.load();
}
function noFilm() {
  player.film = false;
  video.hidden = true;
  if (marked && media.plain && media.film) { // the annotated film is not there: try the other one
    marked = false;
    media.marked = "";
    return openFilm();
  }
  showPicture();
}
export function openMedia(onOrder) {
  tell = onOrder;
  video.addEventListener("loadeddata", () => {
    player.film = true;
    video.hidden = false;
    photo.hidden = true;
    $("picture").hidden = false;
    fit(video.videoWidth, video.videoHeight);
    seek();
    if (player.playing) startVideo();
  });
  video.addEventListener("error", noFilm);
  video.addEventListener("seeked", () => { if (wanted !== null) { wanted = null; seek(); } });
  video.addEventListener("ended", () => { if (player.playing) { play(false); tell(data.total - 1, false); } });
  photo.addEventListener("load", () => fit(photo.naturalWidth, photo.naturalHeight));
  photo.addEventListener("error", () => { if (photo.dataset.kind === "file") { media.marked = ""; marked = false; showPicture(); } });
  $("marked").hidden = !(media.marked && (media.plain || (!media.film && data.pictures.length)));
  $("marked").addEventListener("click", () => {
    marked = !marked;
    $("marked").setAttribute("aria-pressed", String(marked));
    if (media.film) { play(false); openFilm(); } else showPicture();
  });
  openFilm();
}
function seek() {
  if (!player.film || player.playing) return;
  const time = timeOf(player.order), next = timeOf(Math.min(data.total - 1, player.order + 1));
  const at = Math.max(0, time - startOf() + 0.4 * Math.min(0.04, Math.max(0.001, next - time)));
  if (video.seeking) { wanted = at; return; }
  if (Math.abs(video.currentTime - at) > 1e-4) video.currentTime = at;
}
// The figure is as wide as what it shows.
const fit = (width, height) => $("picture").style.setProperty("--ratio", String(width / Math.max(1, height)));
let shown = null;
function showPicture(frame = shown) {
  shown = frame;
  if (player.film || !frame) return;
  let k = data.pictures.length - 1;
  while (k > 0 && data.pictures[k].order > frame.order) k--;
  const stored = data.pictures[k], file = marked && media.marked && !media.film;
  $("picture").hidden = photo.hidden = !stored && !file;
  const source = file ? media.marked.replace("{}", frame.source).split("/").map(encodeURIComponent).join("/") : stored && `data:image/jpeg;base64,${stored.jpeg}`;
  photo.dataset.kind = file ? "file" : "stored";
  if (source && photo.dataset.source !== source.slice(0, 4000) + source.length) {
    photo.dataset.source = source.slice(0, 4000) + source.length;
    photo.src = source;
  }
}
// Show the film, or the picture, of a frame.
export function showMedia(frame) {
  shown = frame;
  $("caption").textContent = data.total > 1 ? `${frame.source ?? ""} · picture ${frame.index}` : frame.source ?? "";
  if (player.film) seek(); else showPicture(frame);
}

// ---- playing ----
let clock = 0, filmTime = 0;
export function play(on) {
  player.playing = on && data.total > 1;
  $("play").textContent = player.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  if (!player.playing) {
    video.pause();
    return seek();
  }
  if (player.order >= data.total - 1) tell(0, false);
  if (player.film) startVideo();
  else {
    clock = performance.now();
    filmTime = timeOf(player.order);
    requestAnimationFrame(tick);
  }
}
function startVideo() {
  const at = timeOf(player.order) - startOf();
  if (Math.abs(video.currentTime - at) > 0.1) video.currentTime = at;
  video.playbackRate = player.speed;
  video.play().catch(() => play(false));
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
  else requestAnimationFrame(() => onFrame(0, { mediaTime: video.currentTime }));
}
function onFrame(now, { mediaTime }) {
  if (!player.playing || !player.film) return;
  const order = orderAt(mediaTime + startOf());
  load(Math.min(data.chunks.length - 1, chunkOf(order) + 1)).catch(() => {}); // the next block, before it is needed
  tell(order, true);
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(onFrame);
  else requestAnimationFrame(() => onFrame(0, { mediaTime: video.currentTime }));
}
function tick(now) {
  if (!player.playing || player.film) return;
  const passed = Math.min(0.5, (now - clock) / 1000) * player.speed;
  const still = timeOf(Math.min(data.total - 1, player.order + 1)) <= timeOf(player.order); // photos have no times
  if (still) {
    if (now - clock > 1000 / player.speed) { clock = now; tell(player.order + 1, false); }
  } else {
    clock = now;
    filmTime += passed;
    const order = orderAt(filmTime);
    load(Math.min(data.chunks.length - 1, chunkOf(order) + 1)).catch(() => {});
    if (order !== player.order) tell(order, true);
  }
  if (player.order >= data.total - 1) return play(false);
  requestAnimationFrame(tick);
}
export function setSpeed(speed) {
  player.speed = speed;
  video.playbackRate = speed;
}
