"""Furniture and boxes, drawn from a random generator.

Axes as in `sigmapose.synth.render.solids`: z up, the front at -y, millimetres.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sigmapose.rotation import axis_rotation
from sigmapose.synth.render import materials
from sigmapose.synth.render.mesh import Material
from sigmapose.synth.render.solids import Solid, bar, box, cylinder, ellipsoid, join


@dataclass(frozen=True, repr=False)
class Prop:
    """One thing."""

    name: str
    surface: Solid
    materials: tuple[Material, ...]
    standing: bool = True
    """It rests on the floor at z = 0; otherwise it may be anywhere, its middle at the origin."""

    def __repr__(self) -> str:
        return f"Prop({self.name}, {len(self.surface.faces)} faces)"


def _legs(x: float, y: float, z: float, thick: float, material: int, round_: bool) -> list[Solid]:
    legs = []
    for sx in (-1, 1):
        for sy in (-1, 1):
            if round_:
                legs.append(bar((sx * x, sy * y, 0), (sx * 0.95 * x, sy * 0.95 * y, z), thick / 2, material))
            else:
                h = thick / 2
                legs.append(box((sx * x - h, sy * y - h, 0), (sx * x + h, sy * y + h, z), material))
    return legs


def crate(rng: np.random.Generator) -> Prop:
    """A box, or a heap of two or three."""
    parts, height = [], 0.0
    for k in range(int(rng.choice([1, 1, 1, 2, 3]))):
        x, y, z = rng.uniform([150, 150, 120], [450, 350, 600])
        parts.append(
            box((-x, -y, 0), (x, y, z), k).moved((0, 0, height), axis_rotation(2, rng.normal(0, 0.2)))
        )
        height += z
    return Prop("crate", join(parts), tuple(materials.any_surface(rng) for _ in parts))


def barrel(rng: np.random.Generator) -> Prop:
    """A barrel, a bin or a pedestal."""
    radius, height = rng.uniform(120, 330), rng.uniform(400, 1100)
    parts = [cylinder(radius, 0, height, 0, top_mm=radius * rng.uniform(0.8, 1.2))]
    if rng.random() < 0.5:
        parts.append(cylinder(radius * 1.15, height, height + 40, 1))
    return Prop("barrel", join(parts), (materials.any_surface(rng), materials.plastic(rng)))


def table(rng: np.random.Generator) -> Prop:
    x, y, z = rng.uniform([350, 300, 650], [1000, 500, 800])
    parts = [box((-x, -y, z - 35), (x, y, z), 0)]
    parts += _legs(x - 60, y - 60, z - 35, rng.uniform(35, 80), 1, rng.random() < 0.5)
    for _ in range(rng.integers(0, 5)):
        a, b = rng.uniform(-0.8, 0.8, 2) * (x, y)
        parts.append(_trinket(rng, 2).moved((a, b, z)))
    top = materials.wood(rng) if rng.random() < 0.6 else materials.any_surface(rng)
    if rng.random() < 0.3:  # a cloth that hangs down
        parts.append(box((-x - 8, -y - 8, z * rng.uniform(0.1, 0.7)), (x + 8, y + 8, z + 3), 3))
    legs = materials.metal(rng) if rng.random() < 0.5 else top
    return Prop("table", join(parts), (top, legs, materials.any_surface(rng), materials.covering(rng)))


def _trinket(rng: np.random.Generator, material: int) -> Solid:
    kind = rng.integers(3)
    if kind == 0:
        x, y, z = rng.uniform([30, 30, 15], [160, 120, 260])
        return box((-x, -y, 0), (x, y, z), material)
    if kind == 1:
        return cylinder(rng.uniform(25, 70), 0, rng.uniform(60, 300), material, 12)
    radius = rng.uniform(40, 110)
    return ellipsoid((0, 0, radius), (radius,) * 3, material)


def desk(rng: np.random.Generator) -> Prop:
    """A desk with one or two screens, seen from behind or from the front."""
    x, y, z = rng.uniform([550, 300, 700], [900, 450, 780])
    parts = [box((-x, -y, z - 30), (x, y, z), 0), *_legs(x - 50, y - 50, z - 30, 50, 1, False)]
    if rng.random() < 0.6:
        parts.append(box((-x + 40, y - 30, z * rng.uniform(0.2, 0.6)), (x - 40, y - 10, z - 30), 0))
    for side in (0.0,) if rng.random() < 0.6 else (-0.4, 0.4):
        w, h = rng.uniform(220, 340), rng.uniform(280, 400)
        screen = join(
            [
                box((-w, -12, 100), (w, 12, 100 + h), 2),
                box((-w + 12, -14, 112), (w - 12, -13, 88 + h), 3),
                box((-25, 5, 0), (25, 30, 130), 2),
                box((-110, -70, 0), (110, 90, 12), 2),
            ]
        )
        parts.append(
            screen.moved((side * x, rng.uniform(-0.1, 0.5) * y, z), axis_rotation(2, rng.normal(0, 0.2)))
        )
    parts.append(box((-210, -y + 60, z), (210, -y + 190, z + 22), 2))
    dark = Material("plain", (0.02, 0.02, 0.022), gloss=0.4)
    screen_colour = Material("noise", materials.paint(rng), materials.paint(rng), 0.5, gloss=0.6)
    return Prop("desk", join(parts), (materials.wood(rng), materials.metal(rng), dark, screen_colour))


def chair(rng: np.random.Generator) -> Prop:
    x, y, z = rng.uniform([190, 190, 400], [260, 250, 500])
    top = z + rng.uniform(350, 650)
    parts = [box((-x, -y, z - rng.uniform(25, 90)), (x, y, z), 0)]
    if rng.random() < 0.7:
        parts += _legs(x - 25, y - 25, z - 25, rng.uniform(25, 45), 1, rng.random() < 0.6)
    else:  # swivel chair
        parts += [cylinder(25, 60, z - 20, 1, 10)]
        for k in range(5):
            a = 2 * np.pi * k / 5
            parts.append(bar((0, 0, 70), (260 * np.cos(a), 260 * np.sin(a), 45), 22, 1))
    if rng.random() < 0.6:
        parts.append(box((-x, y - 50, z + 20), (x, y, top), 0))
    else:
        parts += [box((s * x - 20, y - 40, z), (s * x + 20, y, top), 1) for s in (-1, 1)]
        for height in np.linspace(z + 120, top - 40, int(rng.integers(2, 5))):
            parts.append(box((-x, y - 32, height - 35), (x, y - 12, height + 35), 0))
    if rng.random() < 0.35:
        for s in (-1, 1):
            parts.append(box((s * (x + 20) - 22, -y, z + 190), (s * (x + 20) + 22, y, z + 225), 1))
            parts.append(box((s * (x + 20) - 18, -y + 40, z - 30), (s * (x + 20) + 18, -y + 80, z + 190), 1))
    seat = materials.wood(rng) if rng.random() < 0.4 else materials.covering(rng)
    return Prop(
        "chair", join(parts), (seat, materials.metal(rng) if rng.random() < 0.5 else materials.wood(rng))
    )


def sofa(rng: np.random.Generator) -> Prop:
    x, y, z = rng.uniform([450, 380, 380], [1050, 460, 470])
    arm, back = rng.uniform(100, 220), z + rng.uniform(300, 480)
    parts = [
        box((-x, -y, 60), (x, y, z), 0),
        box((-x, y - 220, z), (x, y, back), 0),
        box((-x - arm, -y, 60), (-x, y, z + 190), 0),
        box((x, -y, 60), (x + arm, y, z + 190), 0),
    ]
    for k in range(int(rng.integers(0, 3))):
        a = rng.uniform(-0.7, 0.7) * x
        cushion = ellipsoid((0, 0, 0), (210, 90, 190), 1 + k % 2)
        parts.append(cushion.moved((a, y - 280, z + 170), axis_rotation(0, -0.3)))
    return Prop("sofa", join(parts), tuple(materials.covering(rng) for _ in range(3)))


def shelf(rng: np.random.Generator) -> Prop:
    """Open shelves with books and boxes."""
    x, y, z = rng.uniform([300, 130, 800], [700, 220, 2000])
    levels = np.linspace(60, z, int(rng.integers(3, 6)))
    parts = [box((s * x - 12, -y, 0), (s * x + 12, y, z + 20), 0) for s in (-1, 1)]
    parts += [box((-x, -y, h - 12), (x, y, h + 12), 0) for h in levels]
    if rng.random() < 0.6:
        parts.append(box((-x, y - 12, 0), (x, y, z), 0))
    for low, high in itertools.pairwise(levels):
        at = -x + 30
        while at < x - 60:
            width = rng.uniform(25, 160)
            if rng.random() < 0.75:
                tall = (high - low - 40) * rng.uniform(0.4, 0.95)
                end = min(at + width, x - 20)
                parts.append(
                    box((at, -y * 0.8, low + 12), (end, y * 0.7, low + 12 + tall), int(rng.integers(1, 5)))
                )
            at += width + 6
    books = tuple(materials.any_surface(rng) for _ in range(4))
    return Prop("shelf", join(parts), (materials.wood(rng), *books))


def rack(rng: np.random.Generator) -> Prop:
    """A gym rack with a barbell, without or with a bench."""
    x, y, z = rng.uniform([500, 350, 1200], [650, 600, 2300])
    t = rng.uniform(25, 45)
    parts = [
        box((sx * x - t, sy * y - t, 0), (sx * x + t, sy * y + t, z), 0) for sx in (-1, 1) for sy in (-1, 1)
    ]
    parts += [box((-x, sy * y - t, z - 2 * t), (x, sy * y + t, z), 0) for sy in (-1, 1)]
    parts += [
        box((sx * x - t, -y, h), (sx * x + t, y, h + 2 * t), 0) for sx in (-1, 1) for h in (0.0, z - 2 * t)
    ]
    height = z * rng.uniform(0.35, 0.75)
    parts.append(bar((-1050, -y - 50, height), (1050, -y - 50, height), 14, 1))
    for s in (-1, 1):
        for k in range(int(rng.integers(1, 3))):
            at = s * (x + 150 + 60 * k)
            parts.append(
                bar((at, -y - 50, height), (at + s * 45, -y - 50, height), rng.uniform(120, 225), 2, 20)
            )
    return Prop("rack", join(parts), (materials.metal(rng), materials.metal(rng), materials.plastic(rng)))


def bench(rng: np.random.Generator) -> Prop:
    """A gym or park bench."""
    x, y, z = rng.uniform([500, 130, 380], [900, 230, 480])
    parts = [box((-x, -y, z - 70), (x, y, z), 0)]
    parts += [box((s * (x - 120) - 30, -y, 0), (s * (x - 120) + 30, y, z - 70), 1) for s in (-1, 1)]
    if rng.random() < 0.4:
        parts += [box((-x, y, z + h), (x, y + 30, z + h + 90), 0) for h in (120, 280)]
        parts += [
            box((s * (x - 120) - 25, y - 30, z), (s * (x - 120) + 25, y + 10, z + 380), 1) for s in (-1, 1)
        ]
    seat = materials.covering(rng) if rng.random() < 0.5 else materials.wood(rng)
    return Prop("bench", join(parts), (seat, materials.metal(rng)))
