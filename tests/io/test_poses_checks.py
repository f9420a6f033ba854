"""A `poses.json` that was edited: numbers that no pose can have are refused, and a good page stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sigmapose.cli import main
from sigmapose.errors import InputError
from sigmapose.gaussian import check_covariances
from sigmapose.io.poses_json import PosesWriter, read_poses
from sigmapose.pose import Frame
from walking_person import walking_pose


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    path = tmp_path / "poses.json"
    with PosesWriter(path) as writer:
        writer.write(Frame(0, 0.0, (walking_pose(),), "walk.mp4"))
    return path


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text())
    change(document["frames"][0]["people"][0])
    path.write_text(json.dumps(document))


def put(key: str, row: int | None, column: int, value: float) -> Callable[[dict[str, Any]], None]:
    def change(person: dict[str, Any]) -> None:
        (person[key] if row is None else person[key][row])[column] = value

    return change


IMPOSSIBLE = [
    (put("cov_mm2", 3, 0, -100.0), "no covariance"),
    (put("cov_mm2", 3, 1, 1e6), "no covariance"),
    (put("cov_px2", 5, 2, -1.0), "no covariance"),
    (put("root_cov_mm2", None, 5, -1e4), "no covariance"),
    (put("cov_mm2", 3, 0, 1e300), "no variance"),
    (put("visibility", 0, 0, 1.5), "visibility runs from"),
    (put("visibility", 0, 3, -0.2), "visibility runs from"),
    (put("joints_mm", 2, 0, 1e30), "joints_mm"),
    (lambda person: person.update(score=7.0), "score is 7"),
]


@pytest.mark.parametrize(("change", "words"), IMPOSSIBLE)
def test_impossible_numbers_are_refused(poses: Path, change: Callable, words: str) -> None:
    assert len(list(read_poses(poses))) == 1
    edit(poses, change)
    with pytest.raises(InputError, match=words) as caught:
        list(read_poses(poses))
    assert str(caught.value).startswith(f"{poses}: frame 0: ") and "\n" not in str(caught.value)


def test_unknown_numbers_pass(poses: Path) -> None:
    edit(poses, lambda person: person.update(visibility=[[None] * 4] * 26, cov_px2=[[None] * 3] * 26))
    assert len(list(read_poses(poses))) == 1


def test_rounding_makes_no_covariance_impossible() -> None:
    """A thin ellipsoid, written with 7 digits: still a covariance."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(500, 3, 3)))[0]
    cov = np.einsum("nij,j,nkj->nik", axes, [1e-4, 10.0, 1e5], axes)
    written = np.vectorize(lambda v: float(f"{v:.7g}"))((cov + np.swapaxes(cov, 1, 2)) / 2)
    check_covariances(written, "cov")
    with pytest.raises(InputError):
        check_covariances(-written, "cov")


def test_a_page_stays_when_its_poses_cannot_be_read(poses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = poses.with_name("scene.html")
    assert main(["view", str(poses)]) == 0
    before = page.read_bytes()
    edit(poses, put("cov_mm2", 3, 0, -100.0))
    assert main(["view", str(poses), "--overwrite"]) == 2
    assert main(["view", str(poses), "--out", str(poses.with_name("other.html"))]) == 2
    assert "no covariance" in capsys.readouterr().err
    assert page.read_bytes() == before and sorted(p.name for p in poses.parent.iterdir()) == [
        "poses.json", "scene.html",
    ]  # fmt: skip
