"""Poses as people use them in Python: one joint by name, drawings for notebooks, tables, files."""

from __future__ import annotations

import builtins
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.camera import Camera
from sigmapose.errors import SigmaposeError, SkeletonError
from sigmapose.pose import Frame, Pose
from sigmapose.skeleton import BODY_26


@pytest.fixture
def pose() -> Pose:
    """Somebody standing, the left wrist unknown."""
    rng = np.random.default_rng(3)
    points = rng.uniform(200, 600, (17, 2))
    found = sigmapose.lift(points, camera=Camera.from_fov(1280, 720, 60))
    joints = found.joints_mm.copy()
    joints[BODY_26.index("left_wrist")] = np.nan
    return replace(found, joints_mm=joints)


def test_a_joint_by_name(pose: Pose) -> None:
    knee, j = pose["left_knee"], BODY_26.index("left_knee")
    assert knee.name == "left_knee" and np.array_equal(knee.mm, pose.joints_mm[j])
    assert np.array_equal(knee.cov_mm2, pose.cov_mm2[j]) and np.array_equal(knee.px, pose.points_px[j])
    assert knee.sigma_mm == pytest.approx(np.sqrt(np.trace(knee.cov_mm2) / 3))
    assert list(knee.visibility) == ["visible", "self_occluded", "object_occluded", "truncated"]
    assert sum(knee.visibility.values()) == pytest.approx(1, abs=1e-3)
    assert np.isnan(pose["left_wrist"].mm).all()
    with pytest.raises(FrozenInstanceError):
        knee.name = "right_knee"  # type: ignore[misc]
    with pytest.raises(SkeletonError, match="no joint 'knee'"):
        pose["knee"]


def test_notebooks_show_a_drawing(pose: Pose) -> None:
    page = Frame(3, 0.1, (pose,), "<b>.mp4")._repr_html_()
    assert "&lt;b&gt;.mp4" in page and "1 found" in page
    (drawing,) = re.findall(r"<svg.*</svg>", page)
    parts = [part.tag.rpartition("}")[2] for part in ElementTree.fromstring(drawing).iter()]
    assert parts.count("line") == 2 * (len(BODY_26.bones) - 1) and "nan" not in drawing
    assert replace(pose, joints_mm=pose.joints_mm * np.nan)._repr_html_().count("<svg") == 0


def test_plot_draws_bones(pose: Pose) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = pose.plot()
    assert len(axes.lines) == len(BODY_26.bones) and axes.get_zlabel() == "up, mm"
    assert pose.plot(axes) is axes


def test_tables_of_pandas(pose: Pose) -> None:
    table = sigmapose.to_dataframe([Frame(3, 0.1, (pose, pose), "a.mp4"), Frame(4, 0.2, (), "a.mp4")])
    assert len(table) == 52 and table.x_mm.isna().sum() == 2
    assert table.groupby("joint").z_mm.mean()["nose"] == pytest.approx(pose["nose"].mm[2])
    assert len(sigmapose.to_dataframe([])) == 0 and "cov_xz_mm2" in sigmapose.to_dataframe([])


def test_files_there_and_back(pose: Pose, tmp_path: Path) -> None:
    from sigmapose.io.poses_json import PosesWriter

    with PosesWriter(tmp_path / "poses.json") as writer:
        writer.write(Frame(0, 0.0, (pose,), "a.mp4"))
    frames = sigmapose.read_poses(tmp_path / "poses.json")
    assert sigmapose.read_poses(tmp_path).path == frames.path
    table = sigmapose.to_dataframe(frames)
    assert all(table.equals(sigmapose.to_dataframe(place)) for place in (tmp_path, str(frames.path)))
    done = sigmapose.export(frames, tmp_path / "a.csv")
    assert done.paths[0].read_text().count("\n") == 27
    (frame,) = frames
    assert frame.poses[0]["nose"].mm == pytest.approx(pose["nose"].mm, abs=0.006)


@pytest.mark.parametrize("missing", ["pandas", "matplotlib"])
def test_a_missing_library_is_one_line(missing: str, pose: Pose, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SigmaposeError, match=r"pip install 'sigmapose\[notebook\]'") as caught:
        sigmapose.to_dataframe([]) if missing == "pandas" else pose.plot()
    assert "\n" not in str(caught.value)
