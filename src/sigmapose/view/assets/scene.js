// The 3D page. Data: see view/scene.py. World: metres, x right, y up, z towards the viewer (camera space turned
// half about x). `window.sigmapose` is a small handle for tests and scripts, documented in docs/formats.md.
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const halves = (text) => Float32Array.from(new Uint16Array(bytes(text).buffer), half);
const J = data.joints.length;
const roots = new Float32Array(bytes(data.roots).buffer);
const offsets = halves(data.offsets);
const spread = halves(data.spread);
const reach = halves(data.reach), LEVELS = data.levels.length; // radius by person, joint and level
const visible = bytes(data.visible);
const table = bytes(data.table);
const dark = matchMedia("(prefers-color-scheme: dark)");
const state = { frame: 0, level: "90", playing: false, view: "", hover: null };

function half(h) {
  const exponent = (h >> 10) & 31, fraction = h & 1023, sign = h & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// ---- numbers of one joint ----
const people = (frame) => Array.from({ length: data.frames[frame].people }, (_, k) => data.frames[frame].first + k);
function position(person, joint, out = new THREE.Vector3()) {
  const r = 3 * person, o = 3 * (person * J + joint);
  return out.set(roots[r] + offsets[o], -(roots[r + 1] + offsets[o + 1]), -(roots[r + 2] + offsets[o + 2])).divideScalar(1000);
}
function sigmas(person, joint) {
  const [xx, xy, xz, yy, yz, zz] = spread.subarray(6 * (person * J + joint), 6 * (person * J + joint) + 6);
  const axes = [Math.hypot(xx, xy, xz), Math.hypot(xy, yy, yz), Math.hypot(xz, yz, zz)];
  return { axes, all: Math.hypot(...axes) / Math.sqrt(3) };
}
function sigmaColour(mm, out) {
  const place = Math.log(Math.max(mm, 1e-9) / data.sigma_range[0]) / Math.log(data.sigma_range[1] / data.sigma_range[0]);
  const k = 3 * Math.round(255 * Math.min(1, Math.max(0, place)));
  return out.setRGB(table[k] / 255, table[k + 1] / 255, table[k + 2] / 255, THREE.SRGBColorSpace);
}
const personColour = (person) => data.colours[(((data.tracks[person] % 7) + 7) % 7)];
const isHidden = (person, joint) => visible[person * J + joint] < 128;

// ---- scene ----
let renderer = null;
try {
  renderer = new THREE.WebGLRenderer({ canvas: $("view"), antialias: true, preserveDrawingBuffer: true });
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
} catch {
  say("This browser has no WebGL, so the 3D view cannot be drawn. Turn on hardware acceleration or open the page in another browser. The frame slider, the pictures and poses.json still work.");
}
const scene = new THREE.Scene();
const eye = new THREE.PerspectiveCamera(45, 1, 0.02, 200);
const controls = renderer ? new OrbitControls(eye, $("view")) : null;
scene.add(new THREE.HemisphereLight(0xffffff, 0x889099, 2.2));
const sun = new THREE.DirectionalLight(0xffffff, 1.4);
sun.position.set(2, 5, 3);
scene.add(sun);

const most = Math.max(1, ...data.frames.map((f) => f.people));
function instanced(geometry, count, options) {
  const mesh = new THREE.InstancedMesh(geometry, new THREE.MeshLambertMaterial(options), Math.max(1, count));
  mesh.frustumCulled = false;
  mesh.count = 0;
  mesh.setColorAt(0, new THREE.Color());
  scene.add(mesh);
  return mesh;
}
const ball = new THREE.SphereGeometry(1, 28, 20);
const rod = new THREE.CylinderGeometry(1, 1, 1, 12, 1);
const joints = instanced(ball, most * J, {});
const bones = instanced(rod, most * data.bones.length, {});
const ghosts = instanced(rod, most * data.bones.length, { transparent: true, opacity: 0.5 });
const ellipsoids = instanced(ball, most * J, { transparent: true, opacity: 0.3, depthWrite: false });
// Joints of the face and the feet lie close together: their ellipsoids are fainter, or they would hide the skeleton.
const faint = instanced(ball, most * J, { transparent: true, opacity: 0.1, depthWrite: false });
const meshes = [joints, bones, ghosts, ellipsoids, faint];
const isSmall = data.joints.map((name) => /eye|ear|toe|heel/.test(name));

const middle = new THREE.Vector3();
const floorY = data.floor_mm === null ? -1 : -data.floor_mm / 1000;
let grid = null;
function drawGrid() {
  if (grid) { scene.remove(grid); grid.dispose(); }
  const near = dark.matches ? 0x4a505c : 0xb9bec8, far = dark.matches ? 0x2b2f37 : 0xdcdfe5;
  grid = new THREE.GridHelper(10, 20, near, far);
  grid.position.set(Math.round(middle.x), floorY, Math.round(middle.z));
  scene.add(grid);
  scene.background = new THREE.Color(dark.matches ? 0x14161a : 0xf4f5f7);
}

// The camera: a frustum with the picture on its far side.
const frustum = new THREE.LineSegments(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ color: 0x8a909c }));
frustum.frustumCulled = false;
const screen = new THREE.Mesh(new THREE.PlaneGeometry(1, 1), new THREE.MeshBasicMaterial({ transparent: true, opacity: 0.9, side: THREE.DoubleSide }));
screen.renderOrder = -1;
scene.add(frustum, screen);
function corner(camera, x, y, depth) {
  return new THREE.Vector3(((x - camera.cx) / camera.fx) * depth, -((y - camera.cy) / camera.fy) * depth, -depth);
}
function drawCamera() {
  const camera = data.cameras[data.frames[state.frame].camera];
  screen.visible = frustum.visible = Boolean(camera);
  if (!camera) return;
  const inside = state.view === "camera";
  const depth = inside ? backdrop() : 0.5;
  const corners = [[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]].map(([x, y]) => corner(camera, x, y, depth));
  const origin = new THREE.Vector3(), points = [];
  corners.forEach((c, k) => points.push(origin, c, c, corners[(k + 1) % 4]));
  frustum.geometry.setFromPoints(points);
  frustum.visible = !inside && state.view !== "front"; // from the front it would stand before the people
  screen.position.copy(corners[0]).add(corners[2]).multiplyScalar(0.5);
  screen.scale.set(corners[0].distanceTo(corners[1]), corners[1].distanceTo(corners[2]), 1);
  screen.material.depthWrite = !inside;
  screen.material.color.setScalar(inside ? 0.75 : 1);
  screen.visible = Boolean(screen.material.map) && (inside || state.view === "all");
}
function backdrop() {
  const depths = people(state.frame).map((p) => roots[3 * p + 2] / 1000).filter(Number.isFinite);
  return Math.max(3, ...depths) * 2;
}

const m = new THREE.Matrix4(), q = new THREE.Quaternion(), up = new THREE.Vector3(0, 1, 0), colour = new THREE.Color();
const a = new THREE.Vector3(), b = new THREE.Vector3(), size = new THREE.Vector3();
function put(mesh, matrix, tint) {
  mesh.setMatrixAt(mesh.count, matrix);
  mesh.setColorAt(mesh.count++, tint);
}
function drawPeople() {
  for (const mesh of meshes) mesh.count = 0;
  for (const person of people(state.frame)) {
    for (const [from, to] of data.bones) drawBone(person, from, to);
    for (let joint = 0; joint < J; joint++) drawJoint(person, joint);
  }
  ellipsoids.visible = faint.visible = $("ellipsoids").checked;
  for (const mesh of meshes) {
    mesh.instanceMatrix.needsUpdate = true;
    mesh.instanceColor.needsUpdate = true;
  }
}
function drawBone(person, from, to) {
  position(person, from, a);
  position(person, to, b);
  const length = a.distanceTo(b);
  if (!(length > 1e-4)) return;
  const hidden = isHidden(person, from) || isHidden(person, to);
  q.setFromUnitVectors(up, b.clone().sub(a).divideScalar(length));
  const width = hidden ? 0.005 : 0.009;
  m.compose(a.add(b).multiplyScalar(0.5), q, size.set(width, length, width));
  put(hidden ? ghosts : bones, m, colour.set(personColour(person)));
}
function drawJoint(person, joint) {
  position(person, joint, a);
  if (!Number.isFinite(a.x)) return;
  const mm = sigmas(person, joint).all;
  sigmaColour(mm, colour);
  const small = isSmall[joint] ? 0.013 : 0.02;
  m.makeScale(small, small, small).setPosition(a);
  put(joints, m, colour);
  if (!Number.isFinite(mm)) return;
  const [xx, xy, xz, yy, yz, zz] = spread.subarray(6 * (person * J + joint), 6 * (person * J + joint) + 6);
  const r = reach[(person * J + joint) * LEVELS + data.levels.indexOf(state.level)] / 1000; // half turn about x: S = F A F with F = diag(1, -1, -1)
  m.set(r * xx, -r * xy, -r * xz, a.x, -r * xy, r * yy, r * yz, a.y, -r * xz, r * yz, r * zz, a.z, 0, 0, 0, 1);
  put(isSmall[joint] ? faint : ellipsoids, m, colour);
}

// ---- labels and hover, in the plane of the screen ----
function onScreen(point) {
  const p = point.clone().project(eye);
  const box = $("view").getBoundingClientRect();
  return p.z > 1 ? null : [(p.x + 1) * 0.5 * box.width, (1 - p.y) * 0.5 * box.height, p.z];
}
function drawLabels() {
  const canvas = $("labels"), box = canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio, 2);
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  pen.font = "12px system-ui, sans-serif";
  pen.lineWidth = 3;
  pen.strokeStyle = style.getPropertyValue("--back");
  const write = (text, at, tint) => {
    if (!at) return;
    pen.strokeText(text, at[0] + 9, at[1] + 4);
    pen.fillStyle = tint;
    pen.fillText(text, at[0] + 9, at[1] + 4);
  };
  for (const person of people(state.frame)) {
    if ($("names").checked) data.joints.forEach((name, k) => /eye|ear|heel|small/.test(name) || write(name.replaceAll("_", " "), onScreen(position(person, k)), style.getPropertyValue("--text")));
  }
  if (state.hover) {
    const at = onScreen(position(...state.hover));
    if (at) {
      pen.strokeStyle = style.getPropertyValue("--accent");
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(at[0], at[1], 9, 0, 7);
      pen.stroke();
    }
  }
}
function pick(x, y, reach = 14) {
  let best = null;
  for (const person of people(state.frame)) {
    for (let joint = 0; joint < J; joint++) {
      const at = onScreen(position(person, joint));
      if (!at || !Number.isFinite(at[0])) continue;
      const away = Math.hypot(at[0] - x, at[1] - y);
      if (away < reach && (!best || away < best.away)) best = { away, person, joint };
    }
  }
  return best && [best.person, best.joint];
}
function showTip(x, y) {
  const tip = $("tip"), box = $("stage").getBoundingClientRect();
  tip.hidden = !state.hover;
  if (!state.hover) return;
  const [person, joint] = state.hover, s = sigmas(person, joint), mm = (v) => `${v.toFixed(0)} mm`;
  const seen = Math.round((visible[person * J + joint] / 255) * 100);
  const root = data.joints[joint] === data.root ? "\nroot: other joints are relative to it" : "";
  tip.textContent = `${data.joints[joint].replaceAll("_", " ")} · person ${data.tracks[person]}\nσ ${mm(s.all)}   (x ${mm(s.axes[0])}, y ${mm(s.axes[1])}, depth ${mm(s.axes[2])})\nvisible ${seen} %${root}`;
  tip.style.left = `${Math.min(x + 16, box.width - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(y + 16, box.height - tip.offsetHeight - 8)}px`;
}

// ---- the page around it ----
function say(text) {
  $("notice").hidden = !text;
  $("notice").textContent = text;
}
function render() {
  if (renderer) renderer.render(scene, eye);
  drawLabels();
}
function resize() {
  const box = $("stage").getBoundingClientRect();
  if (renderer) renderer.setSize(box.width, box.height, false);
  eye.aspect = box.width / Math.max(1, box.height);
  if (state.view === "camera") fitCamera();
  eye.updateProjectionMatrix();
  render();
}
function setFrame(frame) {
  state.frame = Math.min(data.frames.length - 1, Math.max(0, Math.round(frame)));
  if (state.frame < 0) return;
  const f = data.frames[state.frame];
  $("slider").value = state.frame;
  $("where").textContent = `frame ${f.index}  ·  ${f.time_s.toFixed(2)} s`;
  if (renderer) say(f.people ? "" : "Nobody was found in this picture.");
  if (state.hover) { state.hover = null; showTip(); }
  if ($("follow").checked && renderer) shift();
  showPicture(f);
  drawCamera();
  drawPeople();
  render();
}
let shownPicture = -1;
function showPicture() {
  let k = data.pictures.length - 1;
  while (k > 0 && data.pictures[k].frame > state.frame) k--;
  const picture = data.pictures[k];
  $("picture").hidden = !picture;
  if (!picture || k === shownPicture) return;
  shownPicture = k;
  const f = data.frames[picture.frame];
  $("thumb").src = `data:image/jpeg;base64,${picture.jpeg}`;
  $("caption").textContent = `${f.source}, frame ${f.index}`;
  if (!renderer) return;
  $("thumb").decode().then(() => {
    const texture = new THREE.Texture($("thumb"));
    texture.colorSpace = THREE.SRGBColorSpace;
    texture.needsUpdate = true;
    screen.material.map?.dispose();
    screen.material.map = texture;
    screen.material.needsUpdate = true;
    drawCamera();
    render();
  }).catch(() => {});
}
function centre(out = new THREE.Vector3()) {
  const here = people(state.frame).map((p) => position(p, 0).set(roots[3 * p] / 1000, -roots[3 * p + 1] / 1000, -roots[3 * p + 2] / 1000));
  const good = here.filter((p) => Number.isFinite(p.x));
  if (!good.length) return null;
  return good.reduce((sum, p) => sum.add(p), out.set(0, 0, 0)).divideScalar(good.length);
}
function shift() {
  const to = centre();
  if (!to || state.view === "camera") return;
  eye.position.add(to.clone().sub(controls.target));
  controls.target.copy(to);
  controls.update();
}
function fitCamera() {
  const camera = data.cameras[data.frames[state.frame].camera];
  if (!camera) return;
  const high = camera.height / camera.fy, wide = camera.width / camera.fx / eye.aspect;
  eye.fov = THREE.MathUtils.radToDeg(2 * Math.atan(Math.max(high, wide) / 2));
}
function setView(name) {
  state.view = name;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  if (!renderer) return;
  const target = centre() ?? middle.clone();
  const away = Math.max(2.6, 0.9 * data.extent_mm / 1000 + 1.2);
  eye.fov = 45;
  eye.up.set(0, 1, 0);
  if (name === "camera") {
    fitCamera();
    eye.position.set(0, 0, 0.001);
    target.set(0, 0, -Math.max(0.5, -target.z));
  } else if (name === "all") { // the people and the camera that saw them
    const reach = Math.max(2, target.length());
    target.multiplyScalar(0.5);
    eye.position.copy(target).add(new THREE.Vector3(1, 0.45, 0.25).normalize().multiplyScalar(1.15 * reach + 1.5));
  } else {
    const to = { front: [0, 0.05, 1], side: [1, 0.05, 0.001], top: [0, 1, 0.001] }[name] ?? [0.75, 0.35, 1];
    eye.position.copy(target).add(new THREE.Vector3(...to).normalize().multiplyScalar(away));
  }
  controls.target.copy(target);
  eye.updateProjectionMatrix();
  controls.update();
  drawCamera();
  render();
}
let clock = 0;
function play(on) {
  state.playing = on && data.frames.length > 1;
  $("play").textContent = state.playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
  if (!state.playing) return;
  if (state.frame === data.frames.length - 1) setFrame(0);
  clock = performance.now();
  requestAnimationFrame(tick);
}
function tick(now) {
  if (!state.playing) return;
  const next = data.frames[state.frame + 1];
  if (!next) return play(false);
  const step = (next.time_s - data.frames[state.frame].time_s) * 1000;
  const wait = step > 0 ? Math.min(step, 1000) : 500;
  if (now - clock >= wait) {
    clock = now - clock > 3 * wait ? now : clock + wait;
    setFrame(state.frame + 1);
  }
  requestAnimationFrame(tick);
}
function fillPanel() {
  const f = data.frames, first = f.length === data.total ? `${f.length} frames` : `${f.length} of ${data.total} frames (every ${data.stride}${data.stride === 2 ? "nd" : "th"})`;
  const camera = data.cameras[0];
  const assumed = camera && !camera.known ? " · focal length assumed, so distances are too" : "";
  $("facts").textContent = `${first} · calibration: ${data.calibrator}${assumed}`;
  $("slider").max = Math.max(0, f.length - 1);
  $("slider").disabled = f.length < 2;
  const stops = Array.from({ length: 33 }, (_, k) => { const c = 3 * Math.round((k / 32) * 255); return `rgb(${table[c]},${table[c + 1]},${table[c + 2]})`; });
  $("ramp").style.background = `linear-gradient(to right, ${stops})`;
  const span = Math.log(data.sigma_range[1] / data.sigma_range[0]);
  $("ticks").innerHTML = data.ticks.map((mm, k) => `<span style="left:${(100 * Math.log(mm / data.sigma_range[0])) / span}%">${mm}${k === data.ticks.length - 1 ? "+ mm" : ""}</span>`).join("");
  const shown = [...new Set(data.tracks)].sort((x, y) => x - y);
  $("people").innerHTML = shown.map((t) => `<li><i style="background:${data.colours[((t % 7) + 7) % 7]}"></i>${t < 0 ? "unnumbered" : `person ${t}`}</li>`).join("") || "<li>nobody found</li>";
  $("level").innerHTML = data.levels.map((l) => `<option value="${l}"${l === state.level ? " selected" : ""}>${l} %</option>`).join("");
}
function listen() {
  $("slider").addEventListener("input", (e) => { play(false); setFrame(+e.target.value); });
  $("play").addEventListener("click", () => play(!state.playing));
  for (const id of ["ellipsoids", "names", "follow"]) $(id).addEventListener("change", () => setFrame(state.frame));
  $("level").addEventListener("change", (e) => { state.level = e.target.value; setFrame(state.frame); });
  $("views").addEventListener("click", (e) => e.target.dataset.view && setView(e.target.dataset.view));
  addEventListener("keydown", (e) => {
    if (e.target.tagName === "SELECT" || e.ctrlKey || e.metaKey || e.altKey) return;
    const actions = {
      ArrowLeft: () => setFrame(state.frame - 1), ArrowRight: () => setFrame(state.frame + 1), Home: () => setFrame(0), End: () => setFrame(Infinity),
      " ": () => play(!state.playing), 1: () => setView("front"), 2: () => setView("side"), 3: () => setView("top"), 4: () => setView("camera"), 5: () => setView("all"),
    };
    if (!actions[e.key] || (e.key === " " && e.target.tagName === "BUTTON") || (e.key === " " && e.target.type === "checkbox")) return;
    e.preventDefault();
    if (e.key.startsWith("Arrow")) play(false);
    actions[e.key]();
  });
  const point = (e) => {
    const box = $("view").getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top;
    const before = String(state.hover);
    state.hover = e.buttons ? null : pick(x, y, e.pointerType === "touch" ? 26 : 14);
    showTip(x, y);
    if (before !== String(state.hover)) drawLabels();
  };
  $("view").addEventListener("pointermove", point);
  $("view").addEventListener("pointerdown", (e) => e.pointerType === "touch" && point(e));
  $("view").addEventListener("pointerleave", () => { state.hover = null; showTip(); drawLabels(); });
  controls?.addEventListener("change", render);
  dark.addEventListener("change", () => { drawGrid(); render(); });
  new ResizeObserver(resize).observe($("stage"));
}

fillPanel();
listen();
if (data.frames.length) {
  const begin = Math.max(0, data.frames.findIndex((f) => f.people > 0));
  setFrame(begin);
  centre(middle);
  drawGrid();
  resize();
  setView("");
} else say("There are no frames to show.");

window.sigmapose = {
  webgl: Boolean(renderer),
  frames: data.frames.length,
  frame: () => state.frame,
  setFrame,
  setView,
  counts: () => ({ people: data.frames[state.frame]?.people ?? 0, joints: joints.count, bones: bones.count + ghosts.count, ellipsoids: ellipsoids.visible ? ellipsoids.count + faint.count : 0 }),
  onScreen: (person, joint) => onScreen(position(people(state.frame)[person], data.joints.indexOf(joint))),
  sigma: (person, joint) => sigmas(people(state.frame)[person], data.joints.indexOf(joint)),
};
