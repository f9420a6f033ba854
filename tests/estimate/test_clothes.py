"""People are told apart by the colours of what they wear, and only by what is in view."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sigmapose.estimate.clothes import Clothes, colours_of, unlike
from sigmapose.estimate.crop import Crop
from sigmapose.skeleton import BODY_26

CROP = Crop((127.5, 127.5), 256.0)


def standing():
    """A person who stands upright in the middle of a crop, arms hanging."""
    at = {
        "head_top": (0, -0.4), "neck": (0, -0.28), "shoulder": (0.08, -0.26), "elbow": (0.1, -0.12),
        "wrist": (0.1, 0.0), "hip": (0.05, 0.0), "knee": (0.05, 0.18), "ankle": (0.05, 0.36),
    }  # fmt: skip
    points = np.zeros((26, 2))
    for row, name in enumerate(BODY_26.joints):
        side = {"left": 1, "right": -1}.get(name.split("_")[0], 0)
        x, y = at.get(name.removeprefix("left_").removeprefix("right_"), (0, 0.36))
        points[row] = side * x, y
    return points


def said(points, visible=1.0):
    visibility = np.zeros((1, 26, 4))
    visibility[..., 0], visibility[..., 2] = visible, 1 - visible
    return SimpleNamespace(points=points[None], visibility=visibility)


def dressed(shirt, trousers):
    picture = np.full((256, 256, 3), 128, np.uint8)
    picture[40:128, 90:166] = shirt
    picture[128:240, 90:166] = trousers
    return picture


RED, BLUE, GREY = (200, 30, 30), (30, 40, 200), (90, 90, 90)


def test_other_clothes_are_unlike_and_the_same_in_shadow_less_so():
    one, other, shade = (
        colours_of(picture, said(standing()), [CROP])[0]
        for picture in (dressed(RED, BLUE), dressed(BLUE, GREY), (dressed(RED, BLUE) * 0.7).astype(np.uint8))
    )
    assert unlike(one, one) == pytest.approx(0.0, abs=1e-6)
    assert unlike(one, other) == pytest.approx(unlike(other, one))
    assert unlike(one, other) > 2 * unlike(one, shade)


def test_what_is_hidden_or_outside_says_nothing():
    picture = dressed(RED, BLUE)
    seen = colours_of(picture, said(standing()), [CROP])[0]
    hidden = colours_of(picture, said(standing(), visible=0.2), [CROP])[0]
    outside = colours_of(picture, said(standing()), [Crop((900.0, 900.0), 256.0)])[0]
    assert np.isnan(hidden).all() and np.isnan(outside).all()
    assert np.isnan(unlike(seen, hidden))
    broken = colours_of(picture, said(np.full((26, 2), np.nan)), [CROP])[0]
    assert np.isnan(broken).all()


def test_clothes_are_the_mean_of_the_frames_that_show_them():
    seen = colours_of(dressed(RED, BLUE), said(standing()), [CROP])[0]
    clothes = Clothes.unknown()
    for colours in (seen, np.full_like(seen, np.nan), seen + 2.0):
        clothes = clothes.with_frame(colours)
    assert clothes.frames.tolist() == [2] * 5
    np.testing.assert_allclose(clothes.colours, seen + 1.0)
