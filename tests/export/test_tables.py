"""Tables read back by pandas hold the poses, and empty cells where there is no value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmapose.io.export.formats import export
from sigmapose.pose import Frame

XYZ = ["x_mm", "y_mm", "z_mm"]


def test_csv_holds_every_joint(frames: list[Frame], tmp_path: Path) -> None:
    assert export(frames, tmp_path / "out.csv").paths == (tmp_path / "out.csv",)
    table = pd.read_csv(tmp_path / "out.csv")
    assert len(table) == 26 * len(frames)
    row = table[(table.frame == 7) & (table.joint == "right_knee")].iloc[0]
    (pose,) = frames[7].poses
    knee = pose.skeleton.index("right_knee")
    assert row[XYZ].to_numpy(float) == pytest.approx(pose.joints_mm[knee], abs=0.006)
    in_camera = row[["camera_x_mm", "camera_y_mm", "camera_z_mm"]].to_numpy(float)
    assert in_camera == pytest.approx(pose.joints_camera_mm[knee], abs=0.006)
    assert row.sd_z_mm == pytest.approx(np.sqrt(pose.cov_mm2[knee, 2, 2]), abs=0.006)
    assert row.cov_xz_mm2 == pytest.approx(pose.cov_mm2[knee, 0, 2], rel=1e-6)
    assert row.cov_uv_px2 == pytest.approx(pose.cov_px2[knee, 0, 1], rel=1e-6)
    assert [row.u_px, row.v_px] == pytest.approx(list(pose.points_px[knee]), abs=0.006)
    assert row.truncated == pytest.approx(pose.visibility[knee, 3], abs=6e-5)
    longest = np.linalg.norm(pose.ellipsoid(0.9)[knee, 0])
    largest = np.sqrt(np.linalg.eigvalsh(pose.cov_mm2[knee])[-1])
    assert row.radius_90 == pytest.approx(longest / largest, rel=1e-3)
    assert (row.time_s, row.source, row.person) == (pytest.approx(7 / 60, abs=1e-6), "balance.mp4", 0)


def test_csv_leaves_cells_empty_where_nothing_is_known(two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert sorted(set(table[table.person == 4].frame)) == [5, 6, 7, 8, 9, 15, 16, 17, 18]
    lost = table[table.x_mm.isna()]
    assert lost[["frame", "person", "joint"]].values.tolist() == [[16, 4, "left_wrist"]]


def test_names_with_commas_quotes_and_nan_survive(frames: list[Frame], tmp_path: Path) -> None:
    name = 'banana, "take 2".mp4'
    export([replace(frames[0], source=name)], tmp_path / "out.csv")
    assert set(pd.read_csv(tmp_path / "out.csv").source) == {name}
