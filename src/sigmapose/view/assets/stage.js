// The 3D view. World: metres, x right, y up, z towards the viewer (camera space turned half about x).
import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { data, J, plain, personName, radius, rowOf, spreadOf, verdictOf } from "sigmapose/film_data";
import { COLOURS, cssColour, drawMark, fitCanvas } from "sigmapose/marks";

const $ = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
export const view = { name: "", frame: null, person: null, hover: null, regions: true, names: false, level: "90" };
export let renderer = null;
try {
  renderer = new THREE.WebGLRenderer({ canvas: $("view"), antialias: true, preserveDrawingBuffer: true });
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
} catch {
  renderer = null;
}
const scene = new THREE.Scene();
const eye = new THREE.PerspectiveCamera(40, 1, 0.02, 200);
const controls = renderer ? new OrbitControls(eye, $("view")) : null;
scene.add(new THREE.HemisphereLight(0xffffff, 0x889099, 2.4));
const sun = new THREE.DirectionalLight(0xffffff, 1.2);
sun.position.set(2, 5, 3);
scene.add(sun);

export function position(f, row, joint, out = new THREE.Vector3()) {
  const { root, offset } = f.chunk, r = 3 * row, o = 3 * (row * J + joint);
  return out.set(root[r] + offset[o], -(root[r + 1] + offset[o + 1]), -(root[r + 2] + offset[o + 2])).divideScalar(1000);
}

// ---- people ----
const ball = new THREE.SphereGeometry(1, 24, 16), rod = new THREE.CylinderGeometry(1, 1, 1, 10, 1);
const DASHES = 4;
function instanced(geometry, options) {
  const made = { geometry, options, mesh: null, room: 0 };
  return made;
}
function make(kind, room) {
  if (kind.mesh) { scene.remove(kind.mesh); kind.mesh.dispose(); }
  kind.mesh = new THREE.InstancedMesh(kind.geometry, new THREE.MeshLambertMaterial(kind.options), room);
  kind.mesh.frustumCulled = false;
  kind.mesh.setColorAt(0, new THREE.Color());
  kind.room = room;
  scene.add(kind.mesh);
}
const bones = instanced(rod, {});
const regions = instanced(ball, { transparent: true, opacity: 0.26, depthWrite: false });
// Joints of the face and the feet lie close together: their regions are fainter, or they would hide the skeleton.
const faint = instanced(ball, { transparent: true, opacity: 0.09, depthWrite: false });
const isSmall = data.joints.map((name) => /eye|ear|toe|heel/.test(name));
const tints = COLOURS.map((code) => new THREE.Color(code));
const m = new THREE.Matrix4(), q = new THREE.Quaternion(), up = new THREE.Vector3(0, 1, 0), size = new THREE.Vector3();
const a = new THREE.Vector3(), b = new THREE.Vector3(), c = new THREE.Vector3();
export const drawn = { people: 0, joints: 0, bones: 0, ellipsoids: 0, hidden: 0, mirrored: 0 };
function put(kind, tint) {
  kind.mesh.setMatrixAt(kind.mesh.count, m);
  kind.mesh.setColorAt(kind.mesh.count++, tint);
}
function drawPeople() {
  const f = view.frame, people = Math.max(1, f.rows.length);
  if (regions.room < people * J) {
    make(bones, people * data.bones.length * 2 * DASHES);
    make(regions, people * J);
    make(faint, people * J);
  }
  for (const kind of [bones, regions, faint]) kind.mesh.count = 0;
  Object.assign(drawn, { people: f.rows.length, joints: 0, bones: 0, hidden: 0, mirrored: 0 });
  for (const row of f.rows) {
    for (const [from, to] of data.bones) drawBone(f, row, from, to);
    for (let joint = 0; joint < J; joint++) drawRegion(f, row, joint);
  }
  regions.mesh.visible = faint.mesh.visible = view.regions;
  drawn.ellipsoids = view.regions ? regions.mesh.count + faint.mesh.count : 0;
  for (const kind of [bones, regions, faint]) {
    kind.mesh.instanceMatrix.needsUpdate = true;
    kind.mesh.instanceColor.needsUpdate = true;
  }
}
// Each half in the colour of its joint; in pieces where one end is hidden.
function drawBone(f, row, from, to) {
  position(f, row, from, a);
  position(f, row, to, b);
  const length = a.distanceTo(b);
  if (!(length > 1e-4)) return;
  drawn.bones++;
  const ends = [verdictOf(f, row, from), verdictOf(f, row, to)];
  const pieces = ends[0].hidden || ends[1].hidden ? DASHES : 1, width = isSmall[to] ? 0.006 : 0.011;
  q.setFromUnitVectors(up, c.copy(b).sub(a).divideScalar(length));
  for (let end = 0; end < 2; end++) {
    for (let k = 0; k < pieces; k++) {
      const share = 0.5 / pieces, at = end * 0.5 + (k + 0.5) * share;
      m.compose(c.copy(a).lerp(b, at), q, size.set(width, length * share * (pieces > 1 ? 0.55 : 1), width));
      put(bones, tints[ends[end].verdict]);
    }
  }
}
function drawRegion(f, row, joint) {
  position(f, row, joint, a);
  const r = radius(f, row, joint, data.levels.indexOf(view.level)) / 1000, [xx, xy, xz, yy, yz, zz] = spreadOf(f, row, joint);
  if (!Number.isFinite(a.x + r + xx + yy + zz)) return;
  m.set(r * xx, -r * xy, -r * xz, a.x, -r * xy, r * yy, r * yz, a.y, -r * xz, r * yz, r * zz, a.z, 0, 0, 0, 1); // S = F A F, F = diag(1, -1, -1)
  put(isSmall[joint] ? faint : regions, tints[verdictOf(f, row, joint).verdict]);
}

// ---- the ground and the camera that filmed ----
let grid = null;
const floorY = data.floor_mm === null ? -1 : -data.floor_mm / 1000;
export function drawGrid() {
  if (grid) { scene.remove(grid); grid.dispose(); }
  const near = dark.matches ? 0x4a505c : 0xb9bec8, far = dark.matches ? 0x2b2f37 : 0xdcdfe5;
  scene.background = new THREE.Color(cssColour("--back"));
  grid = new THREE.GridHelper(10, 20, near, far);
  const at = centre() ?? new THREE.Vector3(0, 0, -3);
  grid.position.set(Math.round(at.x), floorY, Math.round(at.z));
  scene.add(grid);
}
const frustum = new THREE.LineSegments(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ color: 0x8a909c }));
frustum.frustumCulled = false;
scene.add(frustum);
function drawCamera() {
  const camera = view.frame.camera;
  frustum.visible = Boolean(camera) && (view.name === "all" || view.name === "side" || view.name === "top");
  if (!frustum.visible) return;
  const depth = 0.5, points = [], origin = new THREE.Vector3();
  const corners = [[0, 0], [camera.width, 0], [camera.width, camera.height], [0, camera.height]].map(([x, y]) => new THREE.Vector3(((x - camera.cx) / camera.fx) * depth, -((y - camera.cy) / camera.fy) * depth, -depth));
  corners.forEach((corner, k) => points.push(origin, corner, corner, corners[(k + 1) % 4]));
  frustum.geometry.setFromPoints(points);
}

// ---- what is looked at ----
function lookedAt() {
  const f = view.frame, row = f && view.person !== null ? rowOf(f, view.person) : undefined;
  return !f ? [] : row === undefined ? f.rows : [row];
}
function boundsOf(rows) {
  const box = new THREE.Box3();
  for (const row of rows) for (let joint = 0; joint < J; joint++) if (Number.isFinite(position(view.frame, row, joint, a).x)) box.expandByPoint(a);
  return box;
}
export function centre() {
  const box = boundsOf(lookedAt());
  return box.isEmpty() ? null : box.getCenter(new THREE.Vector3());
}
// The view stays on the people; smoothly while the film plays.
export function follow(smooth) {
  const to = centre();
  if (!to || view.name === "camera" || !controls) return;
  const step = to.sub(controls.target).multiplyScalar(smooth ? 0.15 : 1);
  eye.position.add(step);
  controls.target.add(step);
  controls.update();
}
function fitCamera() {
  const camera = view.frame?.camera;
  if (!camera) return;
  eye.fov = THREE.MathUtils.radToDeg(2 * Math.atan(Math.max(camera.height / camera.fy, camera.width / camera.fx / eye.aspect) / 2));
}
export function setView(name) {
  view.name = name;
  for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
  if (!renderer || !view.frame) return;
  const box = boundsOf(name === "all" ? view.frame.rows : lookedAt());
  if (name === "all") box.expandByPoint(new THREE.Vector3());
  if (box.isEmpty()) box.setFromCenterAndSize(new THREE.Vector3(0, 0, -3), new THREE.Vector3(1, 2, 1));
  const target = box.getCenter(new THREE.Vector3()), span = box.getSize(new THREE.Vector3());
  eye.fov = 40;
  eye.up.set(0, 1, 0);
  if (name === "camera") {
    fitCamera();
    eye.position.set(0, 0, 0.001);
    target.set(0, 0, Math.min(-0.5, target.z));
  } else {
    const slope = Math.tan(THREE.MathUtils.degToRad(eye.fov / 2)) * Math.min(1, eye.aspect);
    const away = (span.length() / 2 + 0.25) / Math.sin(Math.atan(slope)); // a ball around everybody fits
    const to = { front: [0, 0.05, 1], side: [1, 0.05, 0.001], top: [0, 1, 0.001], all: [1, 0.45, 0.25] }[name] ?? [0.6, 0.25, 1];
    eye.position.copy(target).add(new THREE.Vector3(...to).normalize().multiplyScalar(away));
  }
  controls.target.copy(target);
  eye.updateProjectionMatrix();
  controls.update();
  show(view.frame);
}

// ---- marks, names and pointing, in the plane of the screen ----
export function onScreen(point) {
  const p = point.clone().project(eye), box = $("view").getBoundingClientRect();
  return p.z > 1 ? null : [(p.x + 1) * 0.5 * box.width, (1 - p.y) * 0.5 * box.height, p.z];
}
export function drawMarks() {
  const f = view.frame;
  if (!f || !renderer) return;
  const { pen, width } = fitCanvas($("labels")), text = cssColour("--text"), back = cssColour("--back"), marks = [];
  Object.assign(drawn, { joints: 0, hidden: 0, mirrored: 0 });
  const write = (words, x, y, weight = 400) => {
    pen.font = `${weight} 12px system-ui, sans-serif`;
    pen.lineWidth = 3;
    pen.strokeStyle = back;
    pen.fillStyle = text;
    pen.strokeText(words, x, y);
    pen.fillText(words, x, y);
  };
  for (const row of f.rows) {
    let top = null;
    for (let joint = 0; joint < J; joint++) {
      const at = onScreen(position(f, row, joint));
      if (!at || !Number.isFinite(at[0])) continue;
      const mark = verdictOf(f, row, joint);
      drawn.joints++;
      drawn.hidden += mark.hidden > 0;
      drawn.mirrored += mark.mirrored;
      marks.push({ at, mark, joint, row });
      if (!top || at[1] < top[1]) top = at;
    }
    if (top && f.chunk.track[row] >= 0 && f.rows.length > 1) write(personName(f.chunk.track[row]), top[0] - 24, Math.max(14, top[1] - 14), 600);
  }
  marks.sort((one, other) => other.at[2] - one.at[2]);
  const r = Math.min(6, Math.max(3.4, width / 110));
  for (const { at, mark, joint } of marks) drawMark(pen, at[0], at[1], isSmall[joint] ? 0.6 * r : r, mark);
  if (view.names) for (const { at, joint } of marks) if (!/eye|ear|heel|small/.test(data.joints[joint])) write(plain(data.joints[joint]), at[0] + 9, at[1] + 4);
  if (!view.hover) return;
  const at = onScreen(position(f, ...view.hover));
  if (!at) return;
  pen.strokeStyle = text;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.arc(at[0], at[1], r + 5, 0, 7);
  pen.stroke();
}
export function pick(x, y, reach = 14) {
  let best = null;
  for (const row of view.frame?.rows ?? []) {
    for (let joint = 0; joint < J; joint++) {
      const at = onScreen(position(view.frame, row, joint));
      if (!at || !Number.isFinite(at[0])) continue;
      const away = Math.hypot(at[0] - x, at[1] - y);
      if (away < reach && (!best || away < best.away)) best = { away, row, joint };
    }
  }
  return best && [best.row, best.joint];
}

export function render() {
  if (!renderer) return;
  renderer.render(scene, eye);
  drawMarks();
}
export function show(f) {
  view.frame = f;
  if (!renderer) return;
  drawCamera();
  drawPeople();
  render();
}
export function resize() {
  const box = $("stage").getBoundingClientRect();
  if (renderer) renderer.setSize(box.width, box.height, false);
  eye.aspect = box.width / Math.max(1, box.height);
  if (view.name === "camera") fitCamera();
  eye.updateProjectionMatrix();
  render();
}
controls?.addEventListener("change", render);
dark.addEventListener("change", () => { drawGrid(); render(); });
