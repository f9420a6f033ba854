"""TRC files as OpenSim and Pose2Sim read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sigmapose.errors import InputError
from sigmapose.io.export.formats import export
from sigmapose.pose import Frame

opensim = pytest.importorskip("opensim", reason="there is no OpenSim for this Python")


def y_up_m(pose) -> np.ndarray:
    """By hand: metres, y up."""
    x, y, z = pose.joints_camera_mm.T / 1000
    return np.stack([x, -y, -z], axis=1)


def by_opensim(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Marker names, times, positions (frame, marker, 3)."""
    table = opensim.TimeSeriesTableVec3(str(path))
    assert table.getTableMetaDataString("Units") == "m"
    flat = table.flatten()
    values = flat.getMatrix().to_numpy()
    times = np.array(table.getIndependentColumn())
    return list(table.getColumnLabels()), times, values.reshape(len(times), -1, 3)


def by_pose2sim(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The steps of Pose2Sim's `read_trc` (0.10.49)."""
    header = path.read_text().splitlines()[:5]
    markers = [m.strip() for m in header[3].split("\t")[2::3] if m.strip()]
    table = pd.read_csv(path, sep="\t", skiprows=4, encoding="utf-8")
    data = table.drop(table.columns[[0, 1]], axis=1)
    data = data.loc[:, ~data.columns.str.startswith("Unnamed")]
    return markers, table.iloc[:, 1].to_numpy(float), data.to_numpy(float).reshape(len(table), -1, 3)


@pytest.mark.parametrize("read", [by_opensim, by_pose2sim])
def test_one_person(read, frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.trc")
    names, times, points = read(tmp_path / "out.trc")
    assert names[13] == "LKnee" and names[17:20] == ["Head", "Neck", "Hip"] and names[21] == "RBigToe"
    assert times == pytest.approx([f.time_s for f in frames], abs=2e-6)
    truth = np.stack([y_up_m(f.poses[0]) for f in frames])
    assert points == pytest.approx(truth, abs=1.1e-5)
    hip, head = points[:, names.index("Hip")], points[:, names.index("Head")]
    assert (head[:, 1] > hip[:, 1]).all()  # the man stands, and y is up


@pytest.mark.parametrize("read", [by_opensim, by_pose2sim])
def test_two_people_are_two_files_with_gaps(read, two: list[Frame], tmp_path: Path) -> None:
    done = export(two, tmp_path / "out.trc")
    assert [p.name for p in done.paths] == ["out_person0.trc", "out_person4.trc"]
    names, _, points = read(tmp_path / "out_person4.trc")
    missing = np.isnan(points).all(axis=2)
    seen = [5, 6, 7, 8, 9, 15, 16, 17, 18]
    assert missing.all(axis=1).tolist() == [k not in seen for k in range(len(two))]
    assert missing[seen].sum() == 1 and missing[16, names.index("LWrist")]
    assert points[5] == pytest.approx(y_up_m(two[5].poses[1]), abs=1.1e-5)


def test_frames_that_were_dropped_are_gaps(frames: list[Frame], tmp_path: Path) -> None:
    export([f for f in frames if f.index not in (4, 5)], tmp_path / "out.trc")
    _, times, points = by_opensim(tmp_path / "out.trc")
    assert np.flatnonzero(np.isnan(points).all(axis=(1, 2))).tolist() == [4, 5]
    assert times == pytest.approx([f.time_s for f in frames], abs=2e-6)


def test_uneven_times_are_interpolated_and_said_to_be(frames: list[Frame], tmp_path: Path) -> None:
    times = np.array([f.time_s for f in frames])
    times[10:] += 0.008  # a phone that was late once, by half a frame
    done = export(
        [replace(f, time_s=float(t)) for f, t in zip(frames, times, strict=True)], tmp_path / "out.trc"
    )
    assert len(done.notes) == 1 and "uneven" in done.notes[0]
    _, even, points = by_opensim(tmp_path / "out.trc")
    assert np.diff(even) == pytest.approx(np.diff(even)[0], abs=2e-6)
    truth = np.stack([y_up_m(f.poses[0]) for f in frames])
    knee = np.interp(even[:-1], times, truth[:, 14, 1])
    assert points[:-1, 14, 1] == pytest.approx(knee, abs=1.1e-5)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: replace(f, time_s=0.0), "do not follow each other in time"),
        (lambda f: replace(f, source=f"{f.index}.jpg"), "24 pictures"),
        (lambda f: replace(f, poses=()), "nobody"),
        (lambda f: replace(f, poses=f.poses * 2), "twice"),
    ],
)
def test_what_is_no_motion_is_refused(change, says: str, frames: list[Frame], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        export([change(f) for f in frames], tmp_path / "out.trc")
    assert list(tmp_path.iterdir()) == []
