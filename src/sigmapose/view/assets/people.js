// Words about the joints of a frame: how many to trust, which to check and why, what the marks mean.
import { data, J, personName, plain, radius, reachOf, reasonsOf, sigmas, verdictOf } from "sigmapose/film_data";
import { markIcon } from "sigmapose/marks";

const WORDS = data.words.verdicts;
const cm = (mm) => `${Math.max(1, Math.round(mm / 10))} cm`;
const element = (tag, className, ...parts) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...parts);
  return made;
};
export function countsOf(f, row) {
  const counts = [0, 0, 0];
  for (let joint = 0; joint < J; joint++) counts[verdictOf(f, row, joint).verdict]++;
  return counts;
}
// Left and right of one joint with the same reasons are told together.
function grouped(f, row, verdict) {
  const groups = new Map();
  for (let joint = 0; joint < J; joint++) {
    if (verdictOf(f, row, joint).verdict !== verdict) continue;
    const why = reasonsOf(f, row, joint).join(", ");
    groups.set(why, [...(groups.get(why) ?? []), joint]);
  }
  return groups;
}
function namesOf(joints) {
  const names = joints.map((joint) => data.joints[joint]), told = [];
  for (const name of names) {
    const other = name.startsWith("left_") ? name.replace("left_", "right_") : name.startsWith("right_") ? name.replace("right_", "left_") : null;
    if (other && names.includes(other)) {
      if (name.startsWith("left_")) told.push(`both ${plain(name.slice(5))}s`);
    } else told.push(plain(name));
  }
  return told.join(", ");
}
export function fillPeople(f, place) {
  place.replaceChildren();
  if (!f.rows.length) place.append(element("p", "dim", "Nobody was found in this picture."));
  for (const row of f.rows.slice(0, 6)) {
    const counts = countsOf(f, row), line = element("div", "counts", element("span", "", data.overview.people.length > 1 || f.rows.length > 1 ? personName(f.chunk.track[row]) : "This frame"));
    counts.forEach((n, verdict) => line.append(element("span", "", markIcon({ verdict, hidden: 0, mirrored: false }), `${n} ${WORDS[verdict]}`)));
    const box = element("div", "person", line);
    for (const verdict of [1, 2]) {
      const why = element("div", "why");
      for (const [reason, joints] of grouped(f, row, verdict)) why.append(element("span", "wrap", markIcon(verdictOf(f, row, joints[0]), 15), element("b", "", namesOf(joints)), reason ? `: ${reason}` : ""));
      if (why.childElementCount) box.append(why);
    }
    place.append(box);
  }
  if (f.rows.length > 6) place.append(element("p", "dim", `and ${f.rows.length - 6} more people`));
}
// What to say of the joint that is pointed at.
export function tipOf(f, row, joint) {
  const { verdict } = verdictOf(f, row, joint), why = reasonsOf(f, row, joint), name = plain(data.joints[joint]);
  const level = data.levels.indexOf("90"), s = sigmas(f, row, joint), wide = (1.645 * radius(f, row, joint, level)) / 2.5;
  const head = `${name}, ${personName(f.chunk.track[row])}: ${WORDS[verdict]}`;
  if (data.joints[joint] === data.root) return `${head}\nThe other joints are measured from here.`;
  const size = Number.isFinite(s.all) ? `\n9 times out of 10 within ${cm(reachOf(f, row, joint))}: ± ${cm(wide * Math.hypot(s.axes[0], s.axes[1]) / Math.SQRT2)} across, ± ${cm(wide * s.axes[2])} towards or away from the camera` : "";
  return `${head}${size}${why.length ? `\n${why.join(", ")}` : ""}`;
}
export function fillLegend(place) {
  const entry = (mark, word, rule) => element("li", "", markIcon(mark), element("span", "", element("b", "", word), `: ${rule}`));
  WORDS.forEach((word, verdict) => place.append(entry({ verdict, hidden: 0, mirrored: false }, word, data.words.rule[verdict].split(": ")[1])));
  place.append(entry({ verdict: 1, hidden: 1, mirrored: false }, "hollow, dashed", "hidden, by the body or by something"));
  place.append(entry({ verdict: 1, hidden: 0, mirrored: true }, "diamond", "may be mirrored: the bone may point towards the camera or away from it"));
}
