"""Tables read back by pandas, pyarrow and NumPy hold the poses, and nothing where there is no value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmapose.io.export.formats import export
from sigmapose.pose import Frame

XYZ = ["x_mm", "y_mm", "z_mm"]
SEEN = [5, 6, 7, 8, 9, 15, 16, 17, 18]
READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet}


@pytest.mark.parametrize("ending", READERS)
def test_every_joint_is_a_row(ending: str, frames: list[Frame], tmp_path: Path) -> None:
    place = tmp_path / f"out{ending}"
    assert export(frames, place).paths == (place,)
    table = READERS[ending](place)
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


@pytest.mark.parametrize("ending", READERS)
def test_what_is_not_known_is_empty(ending: str, two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / f"out{ending}")
    table = READERS[ending](tmp_path / f"out{ending}")
    assert sorted(set(table[table.person == 4].frame)) == SEEN
    lost = table[table.x_mm.isna()]
    assert lost[["frame", "person", "joint"]].values.tolist() == [[16, 4, "left_wrist"]]


def test_long_files_have_several_row_groups(frames: list[Frame], tmp_path: Path) -> None:
    from pyarrow.parquet import ParquetFile

    many = [replace(frames[k % len(frames)], index=k, time_s=k / 60) for k in range(600)]
    export(many, tmp_path / "out.parquet")
    file = ParquetFile(tmp_path / "out.parquet")
    assert file.num_row_groups == 2 and file.read().num_rows == 600 * 26
    assert file.read()["time_s"][-1].as_py() == pytest.approx(599 / 60)
    assert b"x right, y down, z forward" in file.schema_arrow.metadata[b"axes"]


def test_names_with_commas_quotes_and_nan_survive(frames: list[Frame], tmp_path: Path) -> None:
    name = 'banana, "take 2".mp4'
    export([replace(frames[0], source=name)], tmp_path / "out.csv")
    assert set(pd.read_csv(tmp_path / "out.csv").source) == {name}


def test_numpy_archive_holds_everything(two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as archive:  # no pickles
        held = dict(archive)
    assert held["joint_names"].tolist() == list(two[0].poses[0].skeleton.joints)
    assert held["skeleton"] == "body_26" and held["joints_mm"].shape == (len(two) + 9, 26, 3)
    (row,) = np.flatnonzero((held["frame"] == 16) & (held["person"] == 4))
    pose = two[16].poses[1]
    for name in ("joints_mm", "cov_mm2", "points_px", "cov_px2", "root_mm", "root_cov_mm2", "factors_mm"):
        assert held[name][row] == pytest.approx(getattr(pose, name), rel=1e-6, nan_ok=True), name
    assert np.isnan(held["joints_mm"][row]).any(axis=1).sum() == 1
