"""The figures: what is drawn where, in both formats."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from posed_person import Angles, posed
from sigmapose.measurement.plot_files import write_plots
from sigmapose.measurement.series import Measurements, measure
from sigmapose.pose import Frame
from sigmapose.skeleton import BODY_26

RED = "#d01c3b"
ANKLE = BODY_26.index("left_ankle")


def film(count: int = 40) -> list[Frame]:
    """A knee that bends; its ankle is missing in frame 30 and unsure from frame 10 on."""
    frames = []
    for k in range(count):
        pose = posed(Angles(knee=(20.0 + k % 40, 15.0)), 6.0)
        joints, cov = pose.joints_mm.copy(), pose.cov_mm2.copy()
        if 10 <= k < 20:
            cov[ANKLE] *= 400
        if k == 30:
            joints[ANKLE] = np.nan
        frames.append(Frame(k, k / 20, (replace(pose, joints_mm=joints, cov_mm2=cov),), "a film.mp4"))
    return frames


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurements, Path]:
    folder = tmp_path_factory.mktemp("plots")
    measured = measure(film(), ["knee"], max_width=20)
    assert sorted(p.name for p in write_plots(measured, folder)) == ["person_0.png", "person_0.svg"]
    return measured, folder


def test_what_to_discard_has_a_red_bar_as_long_as_it_lasts(drawn: tuple[Measurements, Path]) -> None:
    measured, folder = drawn
    knee = measured.of("left_knee_flexion")
    assert list(np.flatnonzero(~knee.valid)) == [*range(10, 20), 30]
    root = ElementTree.parse(folder / "person_0.svg").getroot()
    bars = [p.get("points", "") for p in root.findall(".//{*}polygon") if p.get("fill") == RED]
    lengths = []
    for bar in bars[1:]:  # the first is the legend's
        x = [float(pair.split(",")[0]) for pair in bar.split()]
        lengths.append(max(x) - min(x))
    assert lengths[0] / lengths[1] == pytest.approx(10, rel=0.05) and len(lengths) == 2


def test_the_words_say_what_is_seen(drawn: tuple[Measurements, Path]) -> None:
    text = (drawn[1] / "person_0.svg").read_text("utf-8")
    words = " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", text))
    for told in (
        "a film.mp4, person 0",
        "left knee flexion, deg",
        "29 of 40 frames",
        "40 of 40 frames",
        "over 20 deg wide",
        "with a probability of 90 %",
    ):
        assert told in words
    assert "nan" not in text


def test_picture_and_drawing_show_the_same(drawn: tuple[Measurements, Path]) -> None:
    """Where the SVG has a red bar, the picture is red."""
    folder = drawn[1]
    rgb = cv2.cvtColor(cv2.imread(str(folder / "person_0.png")), cv2.COLOR_BGR2RGB)
    root = ElementTree.parse(folder / "person_0.svg").getroot()
    assert rgb.shape[1] == 2 * int(root.get("width", "0"))
    for bar in (p for p in root.findall(".//{*}polygon") if p.get("fill") == RED):
        corners = np.array([pair.split(",") for pair in bar.get("points", "").split()], dtype=float)
        x, y = np.rint(2 * corners.mean(axis=0)).astype(int)
        assert tuple(rgb[y, x]) == (0xD0, 0x1C, 0x3B)


def test_one_frame_makes_no_figure_and_a_long_film_a_small_one(tmp_path: Path) -> None:
    assert write_plots(measure(film(1), ["knee"]), tmp_path) == []
    pose = posed(Angles())
    long = [Frame(k, k / 60, (pose,), "") for k in range(1600)]
    write_plots(measure(long, ["left_shank_length"]), tmp_path)
    assert (tmp_path / "person_0.svg").stat().st_size < 120_000
