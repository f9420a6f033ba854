"""What things and clothes are made of: colours as they are common, wood, metal, cloth, pictures."""

from __future__ import annotations

import colorsys

import numpy as np

from sigmapose.shapes import UInt8
from sigmapose.synth.render.mesh import Colour, Material

PATTERNS = ("stripes", "vertical", "checks", "blotches", "halves")


def rgb(values: np.ndarray) -> Colour:
    """Three floats, clipped to what surfaces reflect."""
    r, g, b = (float(v) for v in np.clip(values, 0.012, 0.92))
    return r, g, b


def phases(rng: np.random.Generator) -> Colour:
    x, y, z = (float(v) for v in rng.uniform(0, 2 * np.pi, 3))
    return x, y, z


def paint(rng: np.random.Generator, vivid: float = 1.0) -> Colour:
    """Any hue, mostly muted; `vivid` 0 is grey."""
    hue, saturation = rng.random(), vivid * rng.beta(1.3, 1.6)
    value = rng.beta(1.4, 1.4)
    return rgb(np.array(colorsys.hsv_to_rgb(hue, saturation, 0.03 + 0.9 * value)) ** 1.5)


def dye(rng: np.random.Generator) -> Colour:
    """A garment's colour: black, white, greys, denim and earth are common, the rest is any hue."""
    kind = rng.random()
    if kind < 0.42:
        return rgb(rng.beta(0.35, 0.8) * (0.94 + 0.06 * rng.random(3)) * 0.85)
    if kind < 0.6:
        return rgb(np.array([0.05, 0.085, 0.17]) * np.exp(rng.normal(0.0, 0.6)))
    if kind < 0.7:
        return rgb(np.array([0.22, 0.15, 0.09]) * np.exp(rng.normal(0.0, 0.6)) * rng.uniform(0.8, 1.2, 3))
    return paint(rng)


def cloth(rng: np.random.Generator, plain: float, fold: float = 0.2) -> Material:
    """A garment's cloth: plain with that probability, else patterned."""
    kind = "plain" if rng.random() < plain else str(rng.choice(PATTERNS))
    base, second = dye(rng), dye(rng)
    if kind != "plain" and rng.random() < 0.5:  # tone in tone
        second = rgb(np.array(base) * rng.uniform(0.4, 1.8))
    period = float(np.exp(rng.uniform(-3.8, -1.6)))
    gloss = float(rng.choice([0.0, 0.05, 0.3], p=[0.5, 0.4, 0.1]))
    return Material(kind, base, second, period, phases(rng), gloss, fold)


def wood(rng: np.random.Generator) -> Material:
    tone = (
        np.array([0.42, 0.25, 0.13]) * np.exp(rng.normal(0, 0.5)) * np.array([1, rng.uniform(0.85, 1.15), 1])
    )
    dark = tone * rng.uniform(0.55, 0.85)
    return Material("wood", rgb(tone), rgb(dark), float(rng.uniform(0.05, 0.16)), phases(rng), 0.15)


def metal(rng: np.random.Generator) -> Material:
    grey = rng.choice([0.03, 0.25, 0.55]) * rng.uniform(0.7, 1.3)
    colour = rgb(grey * (1 + rng.normal(0, 0.03, 3))) if rng.random() < 0.75 else paint(rng)
    return Material("plain", colour, gloss=float(rng.uniform(0.3, 0.8)))


def plastic(rng: np.random.Generator) -> Material:
    return Material("plain", paint(rng), gloss=float(rng.uniform(0.1, 0.6)))


def speckled(rng: np.random.Generator, base: Colour, contrast: float, period_m: float) -> Material:
    """Plaster, concrete, earth, leather: one colour with noise in it."""
    return Material(
        "noise",
        base,
        rgb(np.array(base) * (1 - contrast)),
        period_m,
        phases(rng),
        float(rng.uniform(0, 0.15)),
    )


def covering(rng: np.random.Generator) -> Material:
    """Upholstery, curtains, bags."""
    if rng.random() < 0.6:
        return speckled(rng, dye(rng), float(rng.uniform(0.1, 0.4)), float(rng.uniform(0.01, 0.08)))
    return cloth(rng, 0.4, 0.1)


def any_surface(rng: np.random.Generator) -> Material:
    """Cardboard, wood, plastic, metal or cloth."""
    kind = rng.integers(6)
    if kind == 0:
        return wood(rng)
    if kind == 1:
        return metal(rng)
    if kind == 2:
        return plastic(rng)
    if kind == 3:
        return speckled(rng, rgb(np.array([0.4, 0.27, 0.15]) * rng.uniform(0.7, 1.3)), 0.2, 0.15)
    if kind == 4:
        return speckled(rng, paint(rng, 0.5), 0.25, 0.3)
    return covering(rng)


def wall_paint(rng: np.random.Generator) -> Colour:
    """Light and pale, now and then strong."""
    if rng.random() < 0.75:
        return rgb(rng.uniform(0.3, 0.85) * (1 + rng.normal(0, 0.05, 3)))
    return paint(rng, 0.7)


def foliage(rng: np.random.Generator) -> Material:
    green = np.array([0.10, 0.22, 0.05]) * np.exp(rng.normal(0, 0.4)) * rng.uniform(0.8, 1.25, 3)
    return Material("noise", rgb(green), rgb(0.5 * green), 0.1, phases(rng), 0.25, double_sided=True)


def print_of(picture: UInt8, width_m: float) -> Material:
    """A picture printed on a surface of that width."""
    return Material("picture", period_m=width_m, picture=picture, gloss=0.2)
