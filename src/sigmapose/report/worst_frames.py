"""The frames a method did worst on: the picture where there is one, and both skeletons from two sides."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import ClassVar

import cv2
import numpy as np
from markupsafe import Markup

from sigmapose.errors import SigmaposeError
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.results import Results, WorstSample
from sigmapose.report.blocks import words
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.skeleton import VISIBILITY

MAIN_SHOWN, OTHERS_SHOWN = 6, 3
"""Frames of either kind: of the main method, of every other."""
MOST_OTHERS = 18
PICTURE_PX = 280
JPEG_QUALITY = 72
WRONG_MM = 100.0
VIEW_PX = 190
NAMED = 5
_MARGIN = 0.35
_VIEWS = (("from the camera", (0, 1)), ("from the right", (2, 1)))
_MIN_FIT = 4
_TRUNK = (
    ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
)  # fmt: skip


@dataclass(frozen=True)
class Card:
    """One frame."""

    id: str
    facts: list[str]
    picture: Markup | None
    no_picture: str
    """Why there is none, where one was expected."""
    views: list[tuple[str, Markup]]
    farthest: str


@dataclass(frozen=True)
class MethodWorst:
    """Frames of one method."""

    name: str
    open: bool
    cards: list[Card]


@dataclass(frozen=True)
class WorstFrames:
    """Frames of every method, the main one's first."""

    template: ClassVar[str] = "worst.html"
    methods: list[MethodWorst]


def worst(results: Results, main: str) -> WorstFrames | None:
    """Cards of the worst frames; those of other methods are folded away."""
    found = []
    room = MOST_OTHERS
    for name, method in results.methods.items():
        limit = MAIN_SHOWN if name == main else min(OTHERS_SHOWN, room // 2)
        chosen, ids = [], set()
        for kind in ("error", "overconfident"):
            new = [s for s in method.worst if s.kind == kind and s.id not in ids][:limit]
            ids |= {s.id for s in new}
            chosen += new
        if name != main:
            room -= len(chosen)
        if chosen:
            found.append(MethodWorst(name, name == main, [_card(s, results.layout) for s in chosen]))
    return WorstFrames(sorted(found, key=lambda m: not m.open)) if found else None


def _card(sample: WorstSample, layout: Layout) -> Card:
    error = sample.joint_error_mm
    order = [int(j) for j in np.argsort(-np.nan_to_num(error, nan=-1.0))[:NAMED] if np.isfinite(error[j])]
    named = ", ".join(
        f"{words(layout.joints[j])} {error[j]:.0f}"
        + (f" ({words(VISIBILITY[sample.visibility[j]])})" if sample.visibility[j] >= 0 else "")
        for j in order
    )
    lost = int((sample.used & ~np.isfinite(sample.predicted_mm).all(1)).sum())
    facts = [f"mean error {sample.error_mm:.0f} mm"]
    if sample.overconfident:
        facts.append(f"{sample.overconfident} joint{'s' * (sample.overconfident > 1)} confident but wrong")
    if lost:
        whole = lost == int(sample.used.sum())
        facts.append("nobody found" if whole else f"{lost} joint{'s' * (lost > 1)} not found")
    if sample.severity is not None:
        facts.append(f"aimed at {100 * sample.severity:.0f} % hidden")
    picture, no_picture = None, ""
    try:
        picture = _picture(sample, layout)
    except SigmaposeError as error:
        no_picture = str(error)
    views = [(title, _view(sample, layout, title, axes)) for title, axes in _VIEWS]
    return Card(sample.id, facts, picture, no_picture, views, named)


def _picture(sample: WorstSample, layout: Layout) -> Markup | None:
    """The part of the picture around the person, with both skeletons.

    Raises:
        SigmaposeError: it cannot be read.
    """
    if sample.picture is None or sample.truth_px is None:
        return None
    crop = _cropped(sample.picture.read(), sample.truth_px)
    if crop is None:
        return None
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(crop.rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        return None
    height, width = crop.rgb.shape[:2]
    truth, guess = crop.place(sample.truth_px), crop.place(_projected(sample))
    lines = _skeleton(truth, layout, sample.used, "truth") + _skeleton(guess, layout, sample.used, "guess")
    coded = base64.b64encode(data.tobytes()).decode()
    return Markup(
        f'<svg class="photo" viewBox="0 0 {width} {height}" role="img" aria-label="Picture of '
        f"{escape(sample.id, quote=True)} "
        f'with the true and the predicted skeleton"><image width="{width}" height="{height}" '
        f'href="data:image/jpeg;base64,{coded}"/>{lines}</svg>'
    )


@dataclass(frozen=True, repr=False, eq=False)
class _Crop:
    rgb: UInt8[Array, "h w 3"]
    corner_px: Float[Array, " 2"]
    scale: float

    def place(self, points_px: Float[Array, "j 2"]) -> Float[Array, "j 2"]:
        return (points_px - self.corner_px + 0.5) * self.scale


def _cropped(rgb: UInt8[Array, "h w 3"], points_px: Float[Array, "j 2"]) -> _Crop | None:
    """The square around the person, as far as the picture goes."""
    known = points_px[np.isfinite(points_px).all(1)]
    if not len(known):
        return None
    height, width = rgb.shape[:2]
    low, high = known.min(0), known.max(0)
    half = (0.5 + _MARGIN) * max(float((high - low).max()), 16.0)
    x0, y0 = np.clip((low + high) / 2 - half, 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip((low + high) / 2 + half, (x0 + 1, y0 + 1), (width, height)).astype(int)
    part = rgb[y0:y1, x0:x1]
    scale = PICTURE_PX / max(part.shape[:2])
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _Crop(cv2.resize(part, size, interpolation=how), np.array([x0, y0], float), scale)


def _projected(sample: WorstSample) -> Float[Array, "j 2"]:
    """The prediction in the picture, by the rotation, scale and shift that bring the true x, y to the true
    pixels."""
    assert sample.truth_px is not None
    known = np.isfinite(sample.truth_px).all(1) & np.isfinite(sample.truth_mm).all(1)
    if known.sum() < _MIN_FIT:
        return np.full(sample.truth_px.shape, np.nan)
    z = sample.truth_mm[known, 0] + 1j * sample.truth_mm[known, 1]
    w = sample.truth_px[known, 0] + 1j * sample.truth_px[known, 1]
    centre, spread = z.mean(), z - z.mean()
    turn = np.vdot(spread, w - w.mean()) / max(float(np.vdot(spread, spread).real), 1e-9)
    placed = turn * (sample.predicted_mm[:, 0] + 1j * sample.predicted_mm[:, 1] - centre) + w.mean()
    return np.stack([placed.real, placed.imag], axis=1)


def _bones(layout: Layout) -> list[tuple[int, int]]:
    """Bones to draw; a trunk around the joints in the middle where these are not compared."""
    place = {name: k for k, name in enumerate(layout.joints)}
    joined = {joint for bone in layout.bones for joint in bone}
    trunk = [
        (place[a], place[b])
        for a, b in _TRUNK
        if a in place
        and b in place
        and not {"neck", "mid_hip", "thorax", "hip"} & {layout.joints[j] for j in joined}
    ]
    return [*layout.bones, *(pair for pair in trunk if pair not in layout.bones)]


def _skeleton(points: Float[Array, "j 2"], layout: Layout, used: np.ndarray, css: str) -> str:
    there = np.isfinite(points).all(1) & used
    parts = [
        f'<path class="bone {css}" d="M{points[a, 0]:.1f} {points[a, 1]:.1f}L{points[b, 0]:.1f} '
        f'{points[b, 1]:.1f}"/>'
        for a, b in _bones(layout)
        if there[a] and there[b]
    ]
    parts += [
        f'<circle class="joint {css}" cx="{points[j, 0]:.1f}" cy="{points[j, 1]:.1f}" r="2.2"/>'
        for j in np.flatnonzero(there)
    ]
    return "".join(parts)


def _view(sample: WorstSample, layout: Layout, title: str, axes: tuple[int, int]) -> Markup:
    truth, guess = sample.truth_mm[:, axes], sample.predicted_mm[:, axes]
    known = truth[np.isfinite(truth).all(1) & sample.used]
    centre = (known.min(0) + known.max(0)) / 2
    half = max(0.62 * float((known.max(0) - known.min(0)).max()), 300.0)
    scale = VIEW_PX / (2 * half)

    def place(points: np.ndarray) -> np.ndarray:
        return (points - centre) * scale + VIEW_PX / 2

    parts = [_regions(sample, place(guess), axes, scale)]
    parts.append(_skeleton(place(truth), layout, sample.used, "truth"))
    parts.append(_skeleton(place(guess), layout, sample.used, "guess"))
    a, b = place(truth), place(guess)
    for j in np.flatnonzero((sample.joint_error_mm > WRONG_MM) & np.isfinite(guess).all(1)):
        parts.append(
            f'<path class="far" d="M{a[j, 0]:.1f} {a[j, 1]:.1f}L{b[j, 0]:.1f} {b[j, 1]:.1f}"><title>'
            f"{words(layout.joints[j])}: {sample.joint_error_mm[j]:.0f} mm</title></path>"
        )
    bar = 500 * scale
    parts.append(
        f'<path class="ruler" d="M8 {VIEW_PX - 8}h{bar:.1f}"/><text x="{12 + bar:.1f}" '
        f'y="{VIEW_PX - 4}">0.5 m</text>'
    )
    return Markup(
        f'<svg class="view" viewBox="0 0 {VIEW_PX} {VIEW_PX}" role="img" aria-label="True and '
        f'predicted skeleton {title}">{"".join(parts)}</svg>'
    )


def _regions(sample: WorstSample, at: np.ndarray, axes: tuple[int, int], scale: float) -> str:
    """Outlines of the stated 90 % ellipsoids, as seen from that side."""
    if sample.cov_mm2 is None or sample.radius2_90 is None:
        return ""
    parts = []
    for j in np.flatnonzero(np.isfinite(at).all(1) & sample.used):
        shadow = sample.cov_mm2[j][np.ix_(axes, axes)] * sample.radius2_90[j]
        if not np.isfinite(shadow).all():
            continue
        values, vectors = np.linalg.eigh(shadow)
        radii = np.sqrt(np.maximum(values, 0.0)) * scale
        angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
        parts.append(
            f'<ellipse class="region" rx="{radii[1]:.1f}" ry="{radii[0]:.1f}" '
            f'transform="translate({at[j, 0]:.1f} {at[j, 1]:.1f}) rotate({angle:.0f})"/>'
        )
    return "".join(parts)
