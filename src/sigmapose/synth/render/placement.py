"""What stands in front of a person, chosen so that about an aimed share of the person is hidden.

Every candidate is drawn once on a coarse grid; a correlation of its silhouette with the person's then says
how much each shift of it would hide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.rotation import axis_rotation
from sigmapose.shapes import Array, Float, Int
from sigmapose.synth.render.backdrop import Placed
from sigmapose.synth.render.cutouts import Paste, PictureFolder, sample_cutout
from sigmapose.synth.render.furniture import Prop
from sigmapose.synth.render.props import HANDY, STANDING, Maker
from sigmapose.synth.render.shot_geometry import (
    GRID,
    MARGIN,
    NEAR_MM,
    ShotGeometry,
    hidden_along,
    hidden_by_shift,
)

MAX_HIDDEN = 0.8
"""Nothing is placed that hides more than this, by the coarse silhouettes."""
TOLERANCE = 0.02
TRIES = 7
MOST_THINGS = 3
LEAST_MISSING = 0.04
"""Another thing is added only for more than this."""
WAYS = {"standing": 0.62, "handy": 0.11, "person": 0.18, "cutout": 0.09}
NEAR_ENOUGH_CELLS = 6.0
"""A thing that was shifted by more is drawn again, as its perspective has changed."""
MOST_HIDDEN = {
    "bicycle": 0.35, "pole": 0.25, "railing": 0.4, "chair": 0.5, "rack": 0.35, "plant": 0.5, "bench": 0.4,
    "ball": 0.5, "bag": 0.5, "sheet": 0.6, "branch": 0.35, "table": 0.7, "barrel": 0.6, "desk": 0.75,
    "sofa": 0.7,
}  # fmt: skip
"""What is too small or too open to hide more than this is not tried for more."""


@dataclass(frozen=True, repr=False)
class Front:
    """Everything that was put in front of a person; placed things are in the scene's axes."""

    things: tuple[Placed, ...] = ()
    people_mm: tuple[Float[Array, "vertex 3"], ...] = ()
    """Other bodies, camera frame."""
    pastes: tuple[Paste, ...] = ()
    kinds: tuple[str, ...] = ()
    hidden: float = 0.0
    """Share of the person they hide, by coarse silhouettes."""

    def __repr__(self) -> str:
        return f"Front({', '.join(self.kinds) or 'nothing'}, hides {self.hidden:.2f})"

    def with_(self, found: Found) -> Front:
        return Front(
            self.things + ((found.thing,) if found.thing is not None else ()),
            self.people_mm + ((found.body_mm,) if found.body_mm is not None else ()),
            self.pastes + ((found.paste,) if found.paste is not None else ()),
            (*self.kinds, found.kind),
            self.hidden,
        )


@dataclass(frozen=True, repr=False)
class Found:
    """One thing in its place."""

    kind: str
    covered: Float[Array, "grid grid"]
    """Share of every cell of the crop that it covers."""
    thing: Placed | None = None
    body_mm: Float[Array, "vertex 3"] | None = None
    paste: Paste | None = None


class Placer:
    """Finds things for one person."""

    def __init__(
        self,
        stage: ShotGeometry,
        person: Float[Array, "grid grid"],
        others_mm: Sequence[Float[Array, "vertex 3"]],
        cutouts: PictureFolder,
        rows: Int[Array, " some"] | None = None,
    ) -> None:
        """
        Args:
            stage: camera and person.
            person: coarse silhouette of the person in the picture.
            others_mm: other bodies in axes x right, y down, z forward, any heading, hips at 0.
            cutouts: flat things.
            rows: the vertices of other bodies that are drawn; None: all.
        """
        self.stage, self.person = stage, person
        self.others_mm, self.cutouts, self.rows = list(others_mm), cutouts, rows

    def place(self, rng: np.random.Generator, aim: float) -> Front:
        """Things in front of the person until about `aim` (0..`MAX_HIDDEN`) of it is hidden."""
        front, shown = Front(), self.person.copy()
        total = float(self.person.sum())
        if aim <= 0 or total < 4:
            return front
        best: Found | None = None
        missing, best_miss, tries = aim, np.inf, 0
        while tries < TRIES and len(front.kinds) < MOST_THINGS:
            tries += 1
            found = self._try(rng, missing, shown)
            if found is None:
                continue
            left = shown * (1 - found.covered)
            miss = abs(float(left.sum()) / total - (1 - aim))
            if miss < best_miss and float(left.sum()) / total >= 1 - MAX_HIDDEN - TOLERANCE:
                best, best_miss = found, miss
            if best is not None and (best_miss < TOLERANCE or tries % 3 == 0):
                front, shown = front.with_(best), shown * (1 - best.covered)
                best, best_miss = None, abs(float(shown.sum()) / total - (1 - aim))
                missing = aim - (1 - float(shown.sum()) / total)
                if missing < LEAST_MISSING:
                    break
        if best is not None and missing >= LEAST_MISSING:
            front, shown = front.with_(best), shown * (1 - best.covered)
        hidden = 1 - float(shown.sum()) / total
        return Front(front.things, front.people_mm, front.pastes, front.kinds, hidden)

    def _try(self, rng: np.random.Generator, aim: float, shown: Float[Array, "grid grid"]) -> Found | None:
        """One candidate, where it hides about `aim` of the whole person; `shown` is what can be seen yet."""
        names = [n for n in WAYS if n != "person" or self.others_mm]
        weights = np.array([WAYS[n] for n in names])
        way = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        # shares below are of what is still to be seen
        part = aim * float(self.person.sum()) / max(float(shown.sum()), 1e-6)
        if way == "standing":
            return self._standing(rng, part, shown)
        if way == "handy":
            return self._handy(rng, part, shown)
        if way == "person":
            return self._body(rng, part, shown)
        return self._cutout(rng, part, shown)

    def _standing(self, rng: np.random.Generator, aim: float, shown: np.ndarray) -> Found | None:
        """Something on the floor between the camera and the person, square to the picture or not."""
        prop = _prop(rng, STANDING, aim)
        square = float(rng.normal(0, 0.3)) + np.pi * float(rng.integers(2))
        yaw = float(rng.uniform(-np.pi, np.pi)) if rng.random() < 0.5 else square
        surface = prop.surface.moved(turn=axis_rotation(2, yaw))
        y = surface.vertices_mm[:, 1]
        away = self._distance(rng, float(y.min()), float(y.max()))
        if away is None:
            return None
        surface = surface.moved((0, -away, 0))
        found = self._along(rng, surface.vertices_mm, surface.faces, aim, shown)
        if found is None:
            return None
        sideways, covered = found
        return Found(prop.name, covered, Placed(surface.moved((sideways, 0, 0)), prop.materials))

    def _body(self, rng: np.random.Generator, aim: float, shown: np.ndarray) -> Found | None:
        """Another person on the same floor, between the camera and this one."""
        body = self.others_mm[int(rng.integers(len(self.others_mm)))]
        body = body if self.rows is None else body[self.rows]
        upright = standing(body, float(rng.uniform(-np.pi, np.pi)))
        away = self._distance(rng, float(upright[:, 1].min()), float(upright[:, 1].max()))
        if away is None:
            return None
        upright[:, 1] -= away
        found = self._along(rng, upright, None, aim, shown)
        if found is None:
            return None
        upright[:, 0] += found[0]
        return Found("person", found[1], body_mm=self.stage.to_camera(upright).astype(np.float32))

    def _distance(self, rng: np.random.Generator, low: float, high: float) -> float | None:
        """How far before the person a thing that extends from low to high along y stands; None: no room."""
        near = self.stage.front_mm + high + 30
        far = -float(self.stage.camera_mm[1]) + low - NEAR_MM
        if far <= near:
            return None
        return near + (far - near) * float(rng.beta(0.8, 3.0))

    def _along(
        self,
        rng: np.random.Generator,
        scene_mm: Float[Array, "vertex 3"],
        faces: Int[Array, "face 3"] | None,
        aim: float,
        shown: Float[Array, "grid grid"],
    ) -> tuple[float, Float[Array, "grid grid"]] | None:
        """Shift along the scene's x at which a thing hides `aim`, and what it covers then; None: no room."""
        camera, sideways = self.stage.to_camera(scene_mm), self.stage.axes[:, 0]
        at, covered = 0.0, np.zeros_like(shown)
        steps = np.arange(-2 * MARGIN, 2 * MARGIN + 1) / 2.0
        for turn in range(2):
            moved = camera + at * sideways
            canvas = self._canvas(moved, faces)
            if canvas is None:
                return None
            per_mm = self.stage.shift_cells(sideways, float(np.median(moved[:, 2])))
            speed = max(float(np.linalg.norm(per_mm)), 1e-9)
            cells = np.rint(MARGIN + steps[:, None] * per_mm / speed).astype(int)
            ok = ((cells >= 0) & (cells <= 2 * MARGIN)).all(1)
            share = hidden_along(shown, canvas, cells[ok])
            step = _choose(rng, share, steps[ok], aim, wander=turn == 0)
            at += step / speed
            covered = _shifted(canvas, step * per_mm / speed)
            if abs(step) < NEAR_ENOUGH_CELLS:
                break
        return at, covered

    def _canvas(self, camera_mm: np.ndarray, faces: np.ndarray | None) -> np.ndarray | None:
        if faces is not None:
            return self.stage.silhouette(camera_mm, faces)
        if float(camera_mm[:, 2].min()) < NEAR_MM:
            return None
        return self.stage.splat(camera_mm.astype(np.float32), MARGIN)

    def _handy(self, rng: np.random.Generator, aim: float, shown: np.ndarray) -> Found | None:
        """Something small that is held up or hangs in front of a random place of the person."""
        prop, stage = _prop(rng, HANDY, aim), self.stage
        surface = prop.surface.moved(turn=axis_rotation(2, float(rng.uniform(-np.pi, np.pi))))
        turned = surface.vertices_mm @ stage.axes.T
        extent = float(np.ptp(turned[:, 2])) / 2 + 20
        low, high = NEAR_MM + extent, stage.nearest_mm - extent
        if high <= low:
            return None
        depth = low + (high - low) * float(rng.beta(2.5, 1.0))
        rows, columns = np.nonzero(shown > 0.5)
        if not len(rows):
            return None
        pick = int(rng.integers(len(rows)))
        ray = np.linalg.inv(stage.matrix) @ [columns[pick] + 0.5, rows[pick] + 0.5, 1.0]
        centre = ray / ray[2] * depth
        covered = np.zeros_like(shown)
        for turn in range(2):
            canvas = stage.silhouette(turned + centre, surface.faces)
            if canvas is None:
                return None
            shift = _choose_2d(rng, hidden_by_shift(shown, canvas), aim, wander=turn == 0)
            centre[:2] += depth * np.linalg.solve(stage.matrix[:2, :2], shift)
            covered = _shifted(canvas, shift)
            if float(np.abs(shift).max()) < NEAR_ENOUGH_CELLS:
                break
        at = stage.axes.T @ (centre - stage.origin_mm)
        return Found(prop.name, covered, Placed(surface.moved(at), prop.materials))

    def _cutout(self, rng: np.random.Generator, aim: float, shown: np.ndarray) -> Found | None:
        return flat_thing(rng, self.cutouts, aim, shown)


def flat_thing(
    rng: np.random.Generator, cutouts: PictureFolder, aim: float, shown: Float[Array, "grid grid"]
) -> Found:
    """A flat cut-out, as large as it must be to hide about `aim` of what is shown, anywhere over it."""
    item = sample_cutout(rng, cutouts)
    opaque = max(float(np.count_nonzero(item[..., 3] > 127)), 16.0)
    area = float(shown.sum()) / GRID**2
    # an object that hides a share of a person is larger than that share
    extent = np.sqrt(max(aim, 0.03) * area) * float(rng.uniform(1.2, 2.4))
    angle = float(rng.normal(0, 0.25))
    scale = extent / np.sqrt(opaque)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    turn = np.array([[c * rng.uniform(0.85, 1.2), -s], [s, c]])
    middle = np.array([item.shape[1], item.shape[0]]) / 2 - 0.5
    gain = float(np.exp(rng.normal(0, 0.15)))
    paste = Paste(item, np.column_stack([turn, -turn @ middle]), gain)
    canvas = paste.layer(GRID, MARGIN / GRID)[..., 3]
    shift = _choose_2d(rng, hidden_by_shift(shown, canvas), aim, wander=True)
    moved = Paste(item, np.column_stack([turn, shift / GRID - turn @ middle]), gain)
    return Found("cutout", _shifted(canvas, shift), paste=moved)


def standing(body_mm: Float[Array, "vertex 3"], yaw_rad: float) -> Float[Array, "vertex 3"]:
    """A body of axes x right, y down, z forward in scene axes, turned, its lowest vertex on the floor."""
    upright = body_mm[:, [0, 2, 1]].astype(np.float32) * np.array([1, 1, -1], np.float32)
    upright = upright @ axis_rotation(2, yaw_rad).T.astype(np.float32)
    upright[:, 2] -= upright[:, 2].min()
    return upright


def _prop(rng: np.random.Generator, kinds: dict[str, tuple[Maker, float]], aim: float) -> Prop:
    """A thing that can hide that much."""
    names = [n for n in kinds if MOST_HIDDEN.get(n, 1.0) >= aim] or ["sheet" if "sheet" in kinds else "wall"]
    weights = np.array([kinds[n][1] for n in names])
    return kinds[names[int(rng.choice(len(names), p=weights / weights.sum()))]][0](rng)


def _choose(
    rng: np.random.Generator, share: np.ndarray, steps: np.ndarray, aim: float, wander: bool
) -> float:
    """A shift that hides about `aim`: any of them, or the least."""
    miss = np.abs(share - aim)
    good = np.flatnonzero(miss <= miss.min() + TOLERANCE / 2)
    return float(steps[rng.choice(good)] if wander else steps[good[np.argmin(np.abs(steps[good]))]])


def _choose_2d(rng: np.random.Generator, hidden: np.ndarray, aim: float, wander: bool) -> Float[Array, " 2"]:
    miss = np.abs(hidden - aim)
    rows, columns = np.nonzero(miss <= miss.min() + TOLERANCE / 2)
    if wander:
        pick = int(rng.integers(len(rows)))
    else:
        pick = int(np.argmin((rows - MARGIN) ** 2 + (columns - MARGIN) ** 2))
    return np.array([columns[pick] - MARGIN, rows[pick] - MARGIN], float)


def _shifted(canvas: Float[Array, "side side"], shift: Float[Array, " 2"]) -> Float[Array, "grid grid"]:
    """The crop's part of a canvas that is moved by whole cells."""
    x, y = (MARGIN - np.rint(shift)).astype(int)
    return canvas[y : y + GRID, x : x + GRID]
