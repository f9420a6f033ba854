"""C3D files as ezc3d and the package `c3d`, which share no code, read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import c3d
import ezc3d
import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.export.formats import export
from sigmapose.pose import Frame


def y_up_mm(pose) -> np.ndarray:
    """By hand: y up."""
    x, y, z = pose.joints_camera_mm.T
    return np.stack([x, -y, -z], axis=1)


@pytest.mark.filterwarnings("ignore:No analog data found")
def test_points_and_residuals(two: list[Frame], tmp_path: Path) -> None:
    done = export(two, tmp_path / "out.c3d")
    assert [p.name for p in done.paths] == ["out_person0.c3d", "out_person4.c3d"]
    with (tmp_path / "out_person4.c3d").open("rb") as file:
        reader = c3d.Reader(file)
        labels = [label.strip() for label in reader.point_labels]
        assert reader.point_rate == pytest.approx(60.0, abs=1e-3)
        assert reader.get("POINT:UNITS").string_value.strip() == "mm"
        rows = np.array([points for _, points, _ in reader.read_frames()])
    assert len(rows) == len(two) and labels[9] == "LWrist"
    seen = [5, 6, 7, 8, 9, 15, 16, 17, 18]
    valid = rows[:, :, 3] >= 0
    assert valid.any(axis=1).tolist() == [k in seen for k in range(len(two))]
    assert np.argwhere(~valid[seen]).tolist() == [[6, 9]]
    assert rows[5, :, :3] == pytest.approx(y_up_mm(two[5].poses[1]), abs=1e-3)


def test_residuals_are_the_uncertainty(frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.c3d")
    file = ezc3d.c3d(str(tmp_path / "out.c3d"))
    sigma = np.stack([frame.poses[0].sigma_mm for frame in frames])
    residuals = file["data"]["meta_points"]["residuals"][0].T
    assert residuals == pytest.approx(np.clip(np.round(sigma), 1, 255), abs=1)
    assert np.ptp(residuals) > 10
    truth = np.stack([y_up_mm(frame.poses[0]) for frame in frames])
    assert file["data"]["points"][:3].transpose(2, 1, 0) == pytest.approx(truth, abs=1e-3)
    assert file["parameters"]["POINT"]["Y_SCREEN"]["value"] == ["+Y"]


def test_more_frames_than_the_format_counts_are_refused(frames: list[Frame], tmp_path: Path) -> None:
    sparse = [replace(frames[k % 8], index=20 * k, time_s=k / 3) for k in range(3300)]
    with pytest.raises(InputError, match="65535"):
        export(sparse, tmp_path / "out.c3d")
    assert list(tmp_path.iterdir()) == []
