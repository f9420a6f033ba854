"""Angles as OpenSim reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sigmapose.io.export.formats import export
from sigmapose.pose import Frame

opensim = pytest.importorskip("opensim", reason="there is no OpenSim for this Python")


def read(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Labels, times, values by OpenSim."""
    table = opensim.TimeSeriesTable(str(path))
    assert table.getTableMetaDataAsString("inDegrees") == "yes"
    times = np.array(table.getIndependentColumn())
    return list(table.getColumnLabels()), times, table.getMatrix().to_numpy()


def test_angles_and_intervals(frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.mot")
    labels, times, values = read(tmp_path / "out.mot")
    assert len(labels) == 30 and times == pytest.approx([f.time_s for f in frames], abs=1e-6)
    column = labels.index("left_knee_angle")
    assert labels[column + 1 : column + 3] == ["left_knee_angle_low90", "left_knee_angle_high90"]
    for frame in frames[::8]:
        truth = frame.poses[0].interval("left_knee_angle", 0.9)
        centre, low, high = values[frame.index, column : column + 3]
        assert centre == pytest.approx(truth.mean, abs=1e-3)
        # 512 draws instead of 8192
        assert (low, high) == pytest.approx((truth.low, truth.high), abs=0.2 * (truth.high - truth.low))
    assert (values[:, 1::3] <= values[:, ::3]).all() and (values[:, ::3] <= values[:, 2::3]).all()


def test_gaps(two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / "out.mot")
    labels, times, values = read(tmp_path / "out_person4.mot")
    seen = [5, 6, 7, 8, 9, 15, 16, 17, 18]
    assert len(times) == len(two)
    assert np.isfinite(values[:, labels.index("left_knee_angle")]).tolist() == [
        k in seen for k in range(len(two))
    ]
    assert np.isnan(values[16, labels.index("left_elbow_angle")])
