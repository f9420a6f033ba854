"""Things of everyday size that stand in front of people or behind them, drawn from a random generator.

Axes as in `sigmapose.synth.render.solids`: z up, the front at -y, millimetres.
"""
# ruff: noqa: RUF005 (arrays are added here, no lists joined)

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sigmapose.rotation import axis_rotation
from sigmapose.synth.render import materials
from sigmapose.synth.render.furniture import (
    Prop,
    barrel,
    bench,
    chair,
    crate,
    desk,
    rack,
    shelf,
    sofa,
    table,
)
from sigmapose.synth.render.mesh import Material
from sigmapose.synth.render.solids import bar, box, cylinder, ellipsoid, join, leaves, panel, tube


def bicycle(rng: np.random.Generator) -> Prop:
    radius, thick = rng.uniform(300, 350), rng.uniform(14, 28)
    angle = np.linspace(0, 2 * np.pi, 22, endpoint=False)
    wheel = radius * np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1)
    front, rear = np.array([520.0, 0, radius]), np.array([-500.0, 0, radius])
    crank, saddle, head = np.array([-60.0, 0, 290]), np.array([-230.0, 0, 820]), np.array([380.0, 0, 880])
    grips = head + [60, 0, 160]
    parts = [tube(c + wheel, thick, 1, 6, loop=True) for c in (front, rear)]
    for hub in (front, rear):
        parts += [
            bar(hub, hub + 0.97 * radius * np.array([np.cos(a), 0, np.sin(a)]), 2.5, 2, 3)
            for a in angle[::3] + rng.random()
        ]
    frame = ((rear, crank), (rear, saddle), (crank, saddle), (crank, head), (saddle, head), (head, front))
    parts += [bar(a, b, 17, 0, 6) for a, b in frame]
    parts += [bar(head, grips, 14, 2), bar(grips - [0, 280, 0], grips + [0, 280, 0], 13, 1)]
    parts += [
        box(saddle + [-140, -60, 20], saddle + [120, 60, 70], 1),
        bar(crank - [0, 90, 0], crank + [0, 90, 0], 60, 2),
    ]
    black = Material("plain", (0.02, 0.02, 0.02), gloss=0.2)
    return Prop("bicycle", join(parts), (materials.plastic(rng), black, materials.metal(rng)))


def plant(rng: np.random.Generator) -> Prop:
    """A pot plant, a bush or a small tree."""
    height, spread = rng.uniform(500, 1900), rng.uniform(180, 480)
    pot = rng.uniform(180, 350)
    count = int(rng.integers(60, 160))
    core = rng.normal(size=(count, 3)) * [0.45 * spread, 0.45 * spread, 0.16 * height]
    stems = core + [0, 0, pot + 0.6 * height]
    parts = [
        cylinder(0.7 * pot, 0, pot, 0, top_mm=0.9 * pot),
        bar((0, 0, pot), (0, 0, pot + 0.7 * height), 16, 1),
    ]
    parts.append(leaves(rng, stems, rng.uniform(120, 380), rng.uniform(0.2, 0.6), (2, 3)))
    bark = Material("noise", (0.16, 0.1, 0.06), (0.07, 0.045, 0.03), 0.05)
    return Prop(
        "plant",
        join(parts),
        (materials.any_surface(rng), bark, materials.foliage(rng), materials.foliage(rng)),
    )


def railing(rng: np.random.Generator) -> Prop:
    """A fence of pickets, a railing, or a barrier of boards."""
    x, z = rng.uniform(900, 1800), rng.uniform(700, 1500)
    kind = rng.integers(3)
    parts = []
    if kind == 0:
        for at in np.arange(-x, x, rng.uniform(90, 170)):
            parts.append(box((at - 35, -10, 0), (at + 35, 10, z), 0))
        parts += [box((-x, 10, h - 30), (x, 40, h + 30), 0) for h in (0.25 * z, 0.8 * z)]
    elif kind == 1:
        for at in np.arange(-x, x, rng.uniform(100, 180)):
            parts.append(bar((at, 0, 0), (at, 0, z), 9, 0, 6))
        parts += [bar((-x, 0, h), (x, 0, h), 24, 0) for h in (0.1 * z, z)]
    else:
        for h in np.linspace(0.2 * z, z, int(rng.integers(2, 4))):
            parts.append(box((-x, -15, h - 70), (x, 15, h + 70), 0))
        parts += [box((at - 40, 15, 0), (at + 40, 75, z), 0) for at in np.linspace(-x + 80, x - 80, 4)]
    return Prop("railing", join(parts), (materials.wood(rng) if kind != 1 else materials.metal(rng),))


def wall(rng: np.random.Generator) -> Prop:
    """A wall's end, a column, a low wall, or a wall with an opening."""
    kind = rng.integers(4)
    x, y, z = rng.uniform([500, 40, 2200], [1500, 120, 3200])
    if kind == 0:
        parts = [box((-x, -y, 0), (x, y, z), 0)]
    elif kind == 1:
        parts = [
            cylinder(rng.uniform(90, 250), 0, z, 0)
            if rng.random() < 0.5
            else box((-180, -180, 0), (180, 180, z), 0)
        ]
    elif kind == 2:
        low = rng.uniform(500, 1250)
        parts = [
            box((-x, -y, 0), (x, y, low), 0),
            box((-x - 15, -y - 25, low), (x + 15, y + 25, low + 40), 1),
        ]
    else:
        half, sill, top = (
            rng.uniform(250, 600),
            rng.choice([0.0, rng.uniform(500, 1100)]),
            rng.uniform(1500, 2100),
        )
        parts = [box((-x - half, -y, 0), (-half, y, z), 0), box((half, -y, 0), (x + half, y, z), 0)]
        parts.append(box((-half, -y, top), (half, y, z), 0))
        if sill:
            parts.append(box((-half, -y, 0), (half, y, sill), 0))
    plaster = materials.speckled(rng, materials.wall_paint(rng), float(rng.uniform(0.03, 0.3)), 0.4)
    if rng.random() < 0.25:
        plaster = Material("checks", (0.35, 0.15, 0.1), (0.28, 0.12, 0.08), 0.2)
    return Prop("wall", join(parts), (plaster, materials.any_surface(rng)))


def board(rng: np.random.Generator) -> Prop:
    """A screen, sign or mattress that stands upright; with a picture on it where there is one."""
    x, z = rng.uniform(250, 900), rng.uniform(900, 2000)
    low = rng.choice([0.0, rng.uniform(200, 700)])
    parts = [box((-x, -18, low), (x, 18, z), 0)]
    if low:
        parts += [box((s * 0.8 * x - 20, -18, 0), (s * 0.8 * x + 20, 18, low), 1) for s in (-1, 1)]
        parts += [box((s * 0.8 * x - 25, -220, 0), (s * 0.8 * x + 25, 220, 30), 1) for s in (-1, 1)]
    print_ = materials.cloth(rng, 0.4, 0.0) if rng.random() < 0.5 else materials.any_surface(rng)
    return Prop("board", join(parts), (print_, materials.metal(rng)))


def ball(rng: np.random.Generator) -> Prop:
    radius = rng.choice([rng.uniform(90, 130), rng.uniform(250, 380)], p=[0.6, 0.4])
    kind = str(rng.choice(["plain", "stripes", "blotches"]))
    skin = Material(kind, materials.paint(rng), materials.paint(rng), float(radius / 300), gloss=0.4)
    return Prop("ball", ellipsoid((0, 0, 0), (radius,) * 3, 0, 12, 20), (skin,), standing=False)


def bag(rng: np.random.Generator) -> Prop:
    """A bag, a rucksack or a suitcase."""
    x, y, z = rng.uniform([110, 50, 130], [280, 130, 330])
    parts = (
        [ellipsoid((0, 0, 0), (1.2 * x, 1.3 * y, 1.15 * z), 0)]
        if rng.random() < 0.5
        else [box((-x, -y, -z), (x, y, z), 0)]
    )
    angle = np.linspace(0, np.pi, 8)
    handle = np.stack([0.5 * x * np.cos(angle), 0 * angle, z + rng.uniform(80, 260) * np.sin(angle)], 1)
    parts += [tube(handle + [0, s * 0.5 * y, 0], 9, 1, 6) for s in (-1, 1)]
    return Prop("bag", join(parts), (materials.covering(rng), materials.covering(rng)), standing=False)


def sheet(rng: np.random.Generator) -> Prop:
    """A sheet of paper, a towel, a placard, a tablet: flat things held up."""
    x, z = rng.uniform(90, 450), rng.uniform(90, 450)
    surface = box((-x, -4, -z), (x, 4, z), 0).moved((0, 0, 0), axis_rotation(0, rng.normal(0, 0.35)))
    return Prop("sheet", surface, (materials.cloth(rng, 0.5, 0.1),), standing=False)


def branch(rng: np.random.Generator) -> Prop:
    """Leaves on twigs that hang into the picture."""
    count = int(rng.integers(30, 90))
    spread = rng.uniform(150, 400)
    stems = rng.normal(size=(count, 3)) * [spread, 0.4 * spread, 0.5 * spread]
    ends = stems[rng.choice(count, 6)]
    parts = [bar((0, 0, spread), end, 6, 1, 5) for end in ends]
    parts.append(leaves(rng, stems, rng.uniform(60, 200), rng.uniform(0.3, 0.7), (2, 3)))
    bark = Material("noise", (0.16, 0.1, 0.06), (0.07, 0.045, 0.03), 0.05)
    table_ = (bark, bark, materials.foliage(rng), materials.foliage(rng))
    return Prop("branch", join(parts), table_, standing=False)


def pole(rng: np.random.Generator) -> Prop:
    radius = rng.uniform(25, 110)
    parts = [cylinder(radius, 0, rng.uniform(2200, 4000), 0, 14)]
    if rng.random() < 0.4:
        parts.append(box((-250, -radius - 20, 1500), (250, -radius - 5, 2100), 1))
    return Prop("pole", join(parts), (materials.metal(rng), materials.plastic(rng)))


Maker = Callable[[np.random.Generator], Prop]
STANDING: dict[str, tuple[Maker, float]] = {
    "crate": (crate, 1.2), "barrel": (barrel, 0.8), "table": (table, 1.3), "desk": (desk, 1.0),
    "chair": (chair, 1.3), "sofa": (sofa, 0.7), "shelf": (shelf, 0.7), "rack": (rack, 0.7),
    "bench": (bench, 0.7), "bicycle": (bicycle, 0.7), "plant": (plant, 1.0), "railing": (railing, 1.0),
    "wall": (wall, 1.5), "board": (board, 0.9), "pole": (pole, 0.6),
}  # fmt: skip
"""What stands on floors, and how common it is."""
HANDY: dict[str, tuple[Maker, float]] = {
    "ball": (ball, 0.8), "bag": (bag, 1.0), "sheet": (sheet, 1.0), "branch": (branch, 0.7),
}  # fmt: skip
"""What is held, carried, or hangs in front of people."""


def sample_prop(rng: np.random.Generator, kinds: dict[str, tuple[Maker, float]]) -> Prop:
    """One thing of these kinds."""
    makers = list(kinds.values())
    weights = np.array([weight for _, weight in makers])
    return makers[int(rng.choice(len(makers), p=weights / weights.sum()))][0](rng)


def picture_frame(rng: np.random.Generator, pictures: Sequence[np.ndarray]) -> Prop:
    """A framed picture to hang on a wall, its middle at the origin; a painted one where there are none."""
    width = rng.uniform(300, 1200)
    height = width * rng.uniform(0.6, 1.4)
    frame = materials.wood(rng)
    if pictures:
        photo = pictures[int(rng.integers(len(pictures)))][..., :3]
        step = max(1, max(photo.shape[:2]) // 160)
        inside = materials.print_of(np.ascontiguousarray(photo[::step, ::step]), width / 1000)
        height = width * photo.shape[0] / photo.shape[1]
    else:
        inside = Material("noise", materials.paint(rng), materials.paint(rng), float(rng.uniform(0.2, 0.8)))
    x, z = width / 2, height / 2
    parts = [box((-x - 30, -5, -z - 30), (x + 30, 20, z + 30), 0), panel(width, height, 1).moved((0, -8, -z))]
    return Prop("picture", join(parts), (frame, inside), standing=False)
