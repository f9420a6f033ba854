// The marks of joints, as on the annotated film (view/marks.py): colour says what to make of a joint, shape why.
import { data } from "sigmapose/film_data";

export const COLOURS = data.colours.verdicts;
const EDGE = "#14141a";
const IGNORE = 2;

export function drawMark(pen, x, y, r, { verdict, hidden, mirrored }) {
  const shape = (size) => {
    pen.beginPath();
    if (mirrored) {
      const d = 1.4 * size;
      pen.moveTo(x, y - d); pen.lineTo(x + d, y); pen.lineTo(x, y + d); pen.lineTo(x - d, y); pen.closePath();
    } else pen.arc(x, y, size, 0, 2 * Math.PI);
  };
  pen.fillStyle = EDGE;
  shape(r + Math.max(1, 0.28 * r));
  pen.fill();
  if (hidden) {
    pen.lineWidth = Math.max(1.2, 0.36 * r);
    pen.strokeStyle = COLOURS[verdict];
    shape(r - 0.4 * pen.lineWidth);
    pen.stroke();
  } else {
    pen.fillStyle = COLOURS[verdict];
    shape(r);
    pen.fill();
  }
  if (verdict !== IGNORE) return;
  const d = 0.6 * r;
  pen.lineWidth = Math.max(1.2, 0.34 * r);
  pen.strokeStyle = "#ffffff";
  pen.beginPath();
  pen.moveTo(x - d, y - d); pen.lineTo(x + d, y + d); pen.moveTo(x - d, y + d); pen.lineTo(x + d, y - d);
  pen.stroke();
}
// A small canvas with one mark, to stand in a line of text.
export function markIcon(mark, size = 18) {
  const canvas = document.createElement("canvas");
  canvas.className = "mark";
  canvas.setAttribute("aria-hidden", "true");
  const ratio = Math.max(2, devicePixelRatio);
  canvas.width = canvas.height = size * ratio;
  canvas.style.width = canvas.style.height = `${size}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  drawMark(pen, size / 2, size / 2, 0.3 * size, mark);
  return canvas;
}
export function fitCanvas(canvas) {
  const box = canvas.getBoundingClientRect(), ratio = Math.min(devicePixelRatio, 2);
  const width = Math.max(1, Math.round(box.width * ratio)), height = Math.max(1, Math.round(box.height * ratio));
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, box.width, box.height);
  return { pen, width: box.width, height: box.height };
}
export const cssColour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
