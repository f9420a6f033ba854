"""Recordings of caliscope: cameras on their side, which frames belong together, and the unit of length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filmed_upper_body import MOMENTS, SIZE, TURNED, UNIT_MM, film
from sigmapose.data.readers.caliscope import read_caliscope
from sigmapose.errors import DataError


def test_the_board_tells_the_unit_and_cameras_are_those_of_the_upright_pictures(tmp_path: Path) -> None:
    filmed = film(tmp_path / "desk")
    recording = read_caliscope(filmed.folder)
    assert recording.mm_per_unit == pytest.approx(UNIT_MM, rel=1e-3)
    assert recording.board_error < 1e-3
    assert [recording.turns[k] for k in range(4)] == [3 if k == TURNED else 0 for k in range(4)]
    for camera, true in zip(recording.cameras, filmed.cameras, strict=True):
        assert (camera.camera.width, camera.camera.height) == SIZE
        seen, meant = (c.project(filmed.joints_mm) for c in (camera, true))
        assert np.abs(seen - meant).max() < 0.2


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_camera_sees_what_the_turned_picture_shows(tmp_path: Path, quarters: int) -> None:
    camera = film(tmp_path / "desk").cameras[2]
    points = np.array([[200.0, -300.0, 50.0], [-250.0, 100.0, -80.0]])
    width, height = SIZE
    x, y = camera.project(points).T
    for _ in range(quarters):  # np.rot90: the right edge becomes the top
        x, y, width, height = y, width - 1 - x, height, width
    np.testing.assert_allclose(camera.turned(quarters).project(points), np.stack([x, y], axis=1), atol=1e-9)


def test_frames_are_paired_by_moment_where_a_camera_dropped_one(tmp_path: Path) -> None:
    recording = read_caliscope(film(tmp_path / "desk", lost=(2, 4)).folder)
    assert recording.frames[2].tolist() == [0, 1, 2, 3, -1, 4, 5, 6, 7, 8]
    assert recording.frames[0].tolist() == list(range(MOMENTS))
    assert np.isnan(recording.times_s[2, 4])


def test_damaged_recordings_say_what_is_wrong(tmp_path: Path) -> None:
    folder = film(tmp_path / "desk").folder
    calibration = folder / "camera_array.toml"
    whole = calibration.read_text()
    calibration.write_text(whole[:-40])
    with pytest.raises(DataError, match="not TOML, or cut short"):
        read_caliscope(folder)
    calibration.write_text(whole)
    (folder / "xy.csv").write_text("sync_index,cam_id,keypoint_id,img_loc_x,img_loc_y,obj_loc_x,obj_loc_y\n")
    with pytest.raises(DataError, match="board"):
        read_caliscope(folder)
    (folder / "cam_3.mp4").unlink()
    with pytest.raises(DataError, match=r"lacks cam_3\.mp4"):
        read_caliscope(folder)
