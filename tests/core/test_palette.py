"""Colours with a meaning stay apart, also for people who see no red, no green or no blue."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from sigmapose.palette import LEFT, RIGHT, VERDICTS, rgb_of

# Machado, Oliveira & Fernandes (2009), severity 1.0, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
JUST_NOTICED = 2.3
"""CIE76 difference that people just notice (Mahy et al., 1994)."""


def lab_seen(code: str, sight: str) -> np.ndarray:
    rgb = np.array(rgb_of(code)) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHT[sight] @ linear, 0, 1)
    back = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back.astype(np.float32)[None, None], cv2.COLOR_RGB2LAB)[0, 0]


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_stay_apart(sight: str) -> None:
    for group, least in ((VERDICTS, 13), ((LEFT, RIGHT), 40), ((*VERDICTS, LEFT, RIGHT), 9)):
        for a, b in combinations(group, 2):
            assert np.linalg.norm(lab_seen(a, sight) - lab_seen(b, sight)) > least * JUST_NOTICED, (a, b)


def test_colours_of_verdicts_differ_in_lightness_where_they_are_alike_in_hue() -> None:
    lightness = sorted(lab_seen(code, "no green")[0] for code in VERDICTS)
    assert np.diff(lightness).min() > 15
