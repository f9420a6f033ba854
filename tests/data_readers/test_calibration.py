"""Reading Qualisys calibrations, and what letterboxing does to a camera."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sigmapose.data.readers.camera_calibration import read_qca
from sigmapose.errors import DataError

# A camera at (0, -4000, 1500) that looks along +y, level: its right is +x and its up is +z.
QCA = """<?xml version='1.0' encoding='ASCII'?>
<calibration created="now" source="x.qca.txt" type="regular">
  <results min-max-diff="0." std-dev="0."/>
  <cameras>
    <camera active="1" avg-residual="0.4" model="none" serial="cam07" viewrotation="0">
      <fov_video bottom="1919" left="0" right="1087" top="0"/>
      <transform r11="1" r12="0" r13="0" r21="0" r22="0" r23="1" r31="0" r32="-1" r33="0"
        x="0" y="-4000" z="1500"/>
      <intrinsic centerPointU="34784" centerPointV="61408" focalLengthU="107520" focalLengthV="107520"
        radialDistortion1="-0.05" radialDistortion2="0.14" radialDistortion3="0" skew="0"
        tangentalDistortion1="0.001" tangentalDistortion2="-0.002"/>
    </camera>
  </cameras>
</calibration>
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Calib.qca.txt"
    path.write_text(QCA)
    return path


def test_units_and_axes(file: Path) -> None:
    camera = read_qca(file)["cam07"]
    assert (camera.camera.width, camera.camera.height) == (1088, 1920)
    assert (camera.camera.fx, camera.camera.cx, camera.camera.cy) == (1680, 543.5, 959.5)
    np.testing.assert_allclose(camera.center_mm, [0, -4000, 1500])
    assert np.linalg.det(camera.rotation) == pytest.approx(1)
    ahead, right, up = camera.project(np.array([[0.0, 0, 1500], [200, 0, 1500], [0, 0, 1700]]))
    np.testing.assert_allclose(ahead, [543.5, 959.5])
    assert right[0] > ahead[0] + 80 and abs(right[1] - ahead[1]) < 1
    assert up[1] < ahead[1] - 80


def test_projection_is_opencvs(file: Path) -> None:
    camera = read_qca(file)["cam07"]
    points = np.random.default_rng(0).uniform([-900, -300, 300], [900, 900, 2500], (50, 3))
    rotation = Rotation.from_matrix(camera.rotation).as_rotvec()
    expected, _ = cv2.projectPoints(
        points, rotation, camera.translation_mm, camera.camera.matrix, np.array([-0.05, 0.14, 0.001, -0.002])
    )
    np.testing.assert_allclose(camera.project(points), expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(camera.to_world(camera.to_camera(points)), points, atol=1e-9)


def test_a_letterboxed_camera_sees_what_the_scaled_picture_shows(file: Path) -> None:
    camera = read_qca(file)["cam07"]
    fitted = camera.letterboxed(1080, 1920)
    points = np.array([[300.0, 0, 1200], [-500, 400, 2200]])
    scale = 1080 / 1088
    expected = (camera.project(points) + 0.5) * scale - 0.5 + [0, (1920 - 1920 * scale) / 2]
    np.testing.assert_allclose(fitted.project(points), expected, atol=1e-9)
    assert camera.letterboxed(1088, 1920) is camera


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('focalLengthU="107520"', "", r"camera cam07: <intrinsic> needs a number 'focalLengthU', got None"),
        ('x="0" y', 'x="left" y', r"<transform> needs a number 'x', got 'left'"),
        ('r11="1"', 'r11="2"', "is not a rotation"),
        ("<fov_video", "<fov_other", "no <fov_video>"),
        ("<camera active", "<cam active", "not a Qualisys calibration"),
    ],
)
def test_damaged_files_say_what_is_wrong(file: Path, old: str, new: str, message: str) -> None:
    file.write_text(QCA.replace(old, new))
    with pytest.raises(DataError, match=message):
        read_qca(file)


def test_no_camera_and_no_file(file: Path) -> None:
    with pytest.raises(DataError, match="cannot read calibration"):
        read_qca(file.with_name("nothing"))
    file.write_text("<calibration><cameras/></calibration>")
    with pytest.raises(DataError, match="holds no <camera>"):
        read_qca(file)
