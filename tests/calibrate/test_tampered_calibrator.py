"""Calibrators with numbers or names that no calibration gives are refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from sigmapose.calibrator import Calibrator
from sigmapose.errors import InputError

SHIPPED = json.loads((resources.files("sigmapose") / "weights/calibrator.json").read_text("utf-8"))


def scale(key: str, value: float) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["sources"]["full"][key][4][1] = value

    return change


def radii(key: str, values: list[float]) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        groups = document["sources"]["full"][key]
        groups[next(iter(groups))]["radii"] = values

    return change


def source(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["sources"]["full"].update({key: value})


def rename(key: str, new: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        groups = document["sources"]["full"][key]
        groups[new] = groups.pop(next(iter(groups)))

    return change


NAN = float("nan")
TAMPERED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    *((scale(key, value), key) for key in ("relative", "points") for value in (-1.0, 0.0, NAN, 1e9, 10**400)),
    (source("stature", -1.0), "stature"),
    (source("stature", NAN), "stature"),
    (source("stature", [1.0]), "stature"),
    (source("constant_sigma_mm", [-5.0] * 26), "constant_sigma_mm"),
    (source("constant_sigma_mm", [5.0] * 25), "constant_sigma_mm"),
    (source("levels", [0.9, 0.5]), "levels"),
    (radii("relative_radii", [NAN] * 6), "radii of"),
    (radii("relative_radii", [3.0, 2.0, 1.0, 1.0, 1.0, 1.0]), "must not fall"),
    (radii("point_radii", [-1.0] * 6), "radii of"),
    (radii("quantity_radii", [1e9] * 6), "radii of"),
    (radii("quantity_radii", [1.0]), "radii of"),
    (rename("relative_radii", "tails/visible"), "tails/visible"),
    (rename("quantity_radii", "knee_angel"), "knee_angel"),
    (lambda document: document["sources"]["full"]["joint_groups"].update(head=["antenna"]), "antenna"),
    (lambda document: document.update(name={"a": 1}), "name must be a text"),
    (lambda document: document.update(name=""), "name must be a text"),
    (lambda document: document.update(samples={"full": -1}), "samples"),
    (lambda document: document["provenance"].update(clips="many"), "clips"),
    (lambda document: document["provenance"].update(split=["test"]), "split must be a text"),
    (lambda document: document.pop("sources"), "lacks 'sources'"),
]


@pytest.mark.parametrize(("change", "words"), TAMPERED)
def test_a_tampered_calibrator_is_refused(tmp_path: Path, change: Callable, words: str) -> None:
    document = json.loads(json.dumps(SHIPPED))
    change(document)
    path = tmp_path / "calibrator.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        Calibrator.load(path)
    message = str(caught.value)
    assert "damaged calibrator" in message or "too large" in message
    assert words in message or "too large" in message
    assert str(path) in message and "\n" not in message and len(message) < 500
