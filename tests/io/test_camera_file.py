"""Camera files as calibration programs write them: all the same camera, scaled to the picture, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.camera import Camera
from sigmapose.errors import CameraError
from sigmapose.io.camera_file import read_camera_file
from sigmapose.io.plain_yaml import parse_yaml

SIZE = (640, 480)
K = [[700.0, 0.0, 310.5], [0.0, 690.0, 250.25], [0.0, 0.0, 1.0]]
FLAT = [v for row in K for v in row]
DIST = [-0.31, 0.12, 0.001, -0.0005, 0.02]
RIGHT = Camera(*SIZE, 700.0, 690.0, 310.5, 250.25, tuple(DIST))
PLAIN = Camera(*SIZE, 700.0, 690.0, 310.5, 250.25, ())

JSON = {
    "our own": {"K": K, "distortion": DIST, "width": 640, "height": 480},
    "tutorial": {"mtx": K, "dist": [DIST], "rms": 0.3},
    "opencv names": {"camera_matrix": K, "distortion_coefficients": DIST},
    "dist_coeffs": {"cameraMatrix": K, "distCoeffs": [[k] for k in DIST], "image_size": [640, 480]},
    "dist_coeff": {"camera_matrix": K, "dist_coeff": DIST, "imageWidth": 640, "imageHeight": 480},
    "distortions": {"matrix": K, "distortions": DIST, "size": [640.0, 480.0], "fisheye": False},
    "ros": {"height": 480, "width": 640, "distortion_model": "plumb_bob", "D": DIST, "K": FLAT,
            "R": [1, 0, 0, 0, 1, 0, 0, 0, 1], "P": [0] * 12, "binning_x": 0, "binning_y": 0,
            "roi": {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}},
    "ros 2": {"height": 480, "width": 640, "distortion_model": "plumb_bob", "d": DIST, "k": FLAT},
    "file storage": {"camera_matrix": {"type_id": "opencv-matrix", "rows": 3, "cols": 3, "data": FLAT},
                     "distortion_coefficients": {"rows": 1, "cols": 5, "dt": "d", "data": DIST}},
    "numbers": {"fx": 700, "fy": 690, "cx": 310.5, "cy": 250.25, "k1": DIST[0], "k2": DIST[1], "p1": DIST[2],
                "p2": DIST[3], "k3": DIST[4], "w": 640, "h": 480},
    "nerf": {"fl_x": 700, "fl_y": 690, "cx": 310.5, "cy": 250.25, "dist": DIST, "w": 640, "h": 480},
    "shape": {"K": K, "distortion": DIST, "img_shape": [480, 640, 3], "board_size": [9, 6]},
    "ros, coefficients in a row": {"width": 640, "height": 480, "K": FLAT, "D": [DIST]},
    "ros inside": {"camera_info": {"header": {"frame_id": "c"}, "height": 480, "width": 640, "K": FLAT,
                                   "distortion_model": "plumb_bob", "D": DIST, "R": [0] * 9, "P": [0] * 12}},
    "lens as a table": {"width": 640, "height": 480, "K": FLAT,
                        "distortion": {"model": "plumb_bob", "coefficients": DIST}},
    "lens by names": {"image_size": {"width": 640, "height": 480}, "K": K,
                      "distortion": dict(zip(("k1", "k2", "p1", "p2", "k3"), DIST, strict=True))},
    "lens among the numbers": {"width": 640, "height": 480,
                               "intrinsics": {"fx": 700, "fy": 690, "cx": 310.5, "cy": 250.25, "dist": DIST}},
    "size among the numbers": {"dist": DIST, "intrinsics": {"fx": 700, "fy": 690, "cx": 310.5, "cy": 250.25,
                                                           "width": 640, "height": 480}},
    "radial and tangential": {"K": K, "size": [640, 480], "radial": [*DIST[:2], DIST[4]],
                              "tangential": DIST[2:4]},
    "lens beside": {"camera": {"K": K, "width": 640, "height": 480},
                    "distortion": {"radial": [*DIST[:2], DIST[4]], "tangential": DIST[2:4]}},
    "one inside": {"date": "today", "cameras": [{"name": "left", "K": K, "dist": [*DIST, 0, 0, 0]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", JSON)
def test_every_json_is_the_same_camera(tmp_path: Path, name: str) -> None:
    path = tmp_path / "camera.json"
    for mark in ("", "\ufeff"):  # Windows editors write a byte order mark
        path.write_text(mark + json.dumps(JSON[name]), "utf-8")
        camera, note = read_camera_file(path).at(*SIZE)
        assert (camera, note) == (RIGHT, "of camera.json")
    path.write_text(json.dumps(JSON[name]), "utf-16")
    assert read_camera_file(path).at(*SIZE)[0] == RIGHT


def test_the_bare_matrix(tmp_path: Path) -> None:
    for matrix in (K, FLAT, {"K": K, "distortion": []}, {"K": K, "dist": None}, {"K": K, "dist": [0] * 14}):
        (tmp_path / "k.json").write_text(json.dumps(matrix))
        assert read_camera_file(tmp_path / "k.json").at(*SIZE)[0] == PLAIN


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".xml", ".json", ""])
def test_what_opencv_itself_writes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"opencv{suffix or '.yaml'}"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("nframes", 30)
    storage.write("image_width", SIZE[0])
    storage.write("image_height", SIZE[1])
    storage.write("camera_matrix", np.array(K))
    storage.write("distortion_coefficients", np.array([DIST]).T)
    storage.write("avg_reprojection_error", 0.4)
    storage.write("comment", "a: lens, with [odd] text")
    storage.release()
    if not suffix:
        path = path.rename(tmp_path / "opencv")
    assert read_camera_file(path).at(*SIZE)[0] == RIGHT


ROS_YAML = """image_width: 640
image_height: 480
camera_name: head
camera_matrix:
  rows: 3
  cols: 3
  data: [700, 0, 310.5,
         0, 690, 250.25, 0, 0, 1]  # by hand
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [-0.31, 0.12, 0.001, -0.0005, 0.02]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
"""
KALIBR_YAML = """cam0:
  camera_model: pinhole
  distortion_coeffs: [-0.31, 0.12, 0.001, -0.0005, 0.02]
  distortion_model: radtan
  intrinsics: [700, 690, 310.5, 250.25]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""
POSE2SIM_TOML = """[cam_01]
name = "cam_01"
size = [ 640.0, 480.0]
matrix = [ [ 700.0, 0.0, 310.5], [ 0.0, 690.0, 250.25], [ 0.0, 0.0, 1.0]]
distortions = [ -0.31, 0.12, 0.001, -0.0005, 0.02]
rotation = [ 1.2, 0.1, 0.2]
translation = [ 0.1, 0.2, 3.0]
fisheye = false

[metadata]
adjusted = false
error = 0.0
"""
CALISCOPE_TOML = """[cameras.0]
cam_id = 0
size = [640, 480]
rotation_count = 0
error = 0.35
matrix = [[700.0, 0.0, 310.5], [0.0, 690.0, 250.25], [0.0, 0.0, 1.0]]
distortions = [-0.31, 0.12, 0.001, -0.0005, 0.02]
grid_count = 20
ignore = false
fisheye = false
"""
COLMAP = """# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
1 FULL_OPENCV 640 480 700 690 311 250.75 -0.31 0.12 0.001 -0.0005 0.02 0 0 0
"""
QUALISYS = f"""<?xml version="1.0" encoding="UTF-8"?>
<calibration><cameras>
  <camera serial="2111" model="Miqus Video">
    <fov_video left="8" top="0" right="647" bottom="479"/>
    <intrinsic focallength="6" sensorMinU="0" focalLengthU="{700 * 64}" focalLengthV="{690 * 64}"
      centerPointU="{318.5 * 64}" centerPointV="{250.25 * 64}" skew="0" radialDistortion1="-0.31"
      radialDistortion2="0.12" radialDistortion3="0.02" tangentalDistortion1="0.001"
      tangentalDistortion2="-0.0005"/>
  </camera>
</cameras></calibration>
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ros.yaml", ROS_YAML), ("kalibr.yaml", KALIBR_YAML), ("Calib.toml", POSE2SIM_TOML),
        ("camera_array.toml", CALISCOPE_TOML), ("cameras.txt", COLMAP), ("studio.qca.txt", QUALISYS),
    ],
)  # fmt: skip
def test_files_of_other_programs_are_the_same_camera(tmp_path: Path, name: str, text: str) -> None:
    for mark in ("", "\ufeff"):
        (tmp_path / name).write_text(mark + text, "utf-8")
        camera = read_camera_file(tmp_path / name).at(*SIZE)[0]
        assert camera == RIGHT, camera


def test_one_of_several_cameras_is_chosen_by_name(tmp_path: Path) -> None:
    path = tmp_path / "Calib.toml"
    path.write_text(POSE2SIM_TOML + POSE2SIM_TOML.replace("cam_01", "cam_02").replace("[metadata]", "[m2]"))
    with pytest.raises(
        CameraError, match=r"holds 2 cameras \(cam_01, cam_02\): name one, Calib\.toml#cam_01"
    ):
        read_camera_file(path)
    assert read_camera_file(tmp_path / "Calib.toml#cam_02").at(*SIZE)[0] == RIGHT
    with pytest.raises(CameraError, match="no camera 'cam_03': choose from cam_01, cam_02"):
        read_camera_file(tmp_path / "Calib.toml#cam_03")


def test_a_picture_of_another_size_scales_the_camera(tmp_path: Path) -> None:
    """The same place in the picture is seen in the same direction."""
    path = tmp_path / "c.json"
    path.write_text(json.dumps(JSON["our own"]))
    points = np.random.default_rng(0).uniform(0, 470, (50, 2))
    for name in ("ros inside", "lens as a table", "size among the numbers"):
        path.write_text(json.dumps(JSON[name]))
        assert read_camera_file(path).at(320, 240)[0].fx == 350.0
        with pytest.raises(CameraError, match="made for pictures of 640x480 px, this one has 480x640"):
            read_camera_file(path).at(480, 640)
    for scale in (0.25, 0.5, 3.0):
        camera, note = read_camera_file(path).at(round(640 * scale), round(480 * scale))
        assert "scaled from 640x480" in note
        np.testing.assert_allclose(camera.rays((points + 0.5) * scale - 0.5), RIGHT.rays(points), atol=1e-9)
    for size in ((480, 640), (640, 360), (641, 400)):
        with pytest.raises(CameraError, match="made for pictures of 640x480 px"):
            read_camera_file(path).at(*size)


def test_a_principal_point_outside_of_the_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"K": [[2080, 0, 538], [0, 2080, 958], [0, 0, 1]]}))
    with pytest.raises(
        CameraError, match=r"principal point \(538, 958\) lies outside of a picture of 270x480"
    ):
        read_camera_file(path).at(270, 480)
    assert read_camera_file(path).at(1080, 1920)[0].cx == 538


REFUSED = {
    "fisheye": ({"fisheye": True}, "fisheye"),
    "model": ({"model": "fisheye"}, "'fisheye' lens"),
    "equidistant": ({"distortion_model": "equidistant"}, "'equidistant' lens"),
    "unknown lens": ({"lens_correction": [0.1]}, "lens_correction"),
    "unknown size": ({"sensor_width_mm": 36}, "sensor_width_mm"),
    "crop": ({"crop": [10, 10, 100, 100]}, "crop"),
    "roi": ({"roi": {"x_offset": 5}}, "roi"),
    "binning": ({"binning_x": 2}, "binning_x"),
    "skew": ({"skew": 1.5}, "skew"),
    "fisheye table": (
        {"distortion": {"model": "equidistant", "coefficients": [0.1] * 4}},
        "'equidistant' lens",
    ),
    "fisheye by type": ({"distortion": {"type": "fisheye", "k1": 0.1}}, "'fisheye' lens"),
    "unknown table": ({"distortion": {"lens_bulge": 0.1}}, "lens_bulge"),
    "four radial": ({"distortion": {"radial": [0.1] * 4, "tangential": [0, 0]}}, "4 radial"),
    "two matrices": ({"k": [[9.0, 0, 5], [0, 9, 5], [0, 0, 1]]}, "twice, and not the same"),
    "table of another": (
        {"intrinsics": {"fx": 9, "fy": 9, "cx": 1, "cy": 1}},
        "two different camera matrices",
    ),
    "rational": ({"dist": [0.1, 0.1, 0, 0, 0.1, 0.5, 0, 0]}, "more than five"),
    "two numbers": ({"dist": [0.1, 0.2]}, "2 numbers"),
    "two distortions": ({"dist": [0.1, 0, 0, 0], "D": [0.2, 0, 0, 0]}, "two different distortions"),
    "two sizes": ({"size": [640, 480], "width": 320, "height": 240}, "two different picture sizes"),
    "half a size": ({"width": 640}, "only one of width and height"),
    "endless": ({"width": float("inf"), "height": 5}, "width and height"),
    "words": ({"dist": ["a", "b", "c", "d"]}, "must be numbers"),
    "1e6": ({"dist": [1e6, 0, 0, 0]}, "no lens does"),
    "1e9": ({"cx": 1e9, "cy": 0, "fx": 1, "fy": 1}, "two different camera matrices"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_camera_file_says_is_never_passed_over(tmp_path: Path, name: str) -> None:
    extra, words = REFUSED[name]
    (tmp_path / "c.json").write_text(json.dumps({"K": K, **extra}))
    with pytest.raises(CameraError, match=words) as caught:
        read_camera_file(tmp_path / "c.json").at(*SIZE)
    assert str(caught.value).startswith(str(tmp_path / "c.json")) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fx", "cx", "words"),
    [
        ("1e-300", "320", "none for a picture"), ("1e300", "320", "fx is 1e\\+300"), ("500", "1e9", "cx is"),
        ("NaN", "320", "fx is nan"), ("1" * 400, "320", "too large"), ("1" * 5000, "320", "too large"),
        ("-500", "320", "greater than 0"), ("0", "320", "singular"), ("null", "320", "must be numbers"),
        ("[" * 100_000, "320", "nested too deeply"), ("5", "320", "none for a picture"),
        ("9e5", "320", "none for a picture"),
    ],
)  # fmt: skip
def test_numbers_of_no_camera_are_refused(tmp_path: Path, fx: str, cx: str, words: str) -> None:
    (tmp_path / "c.json").write_text(f'{{"K": [[{fx}, 0, {cx}], [0, {fx}, 240], [0, 0, 1]]}}')
    with pytest.raises(CameraError, match=words) as caught:
        read_camera_file(tmp_path / "c.json").at(*SIZE)
    assert "c.json: " in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[1, 2, 3]"), ("a.json", "null"), ("a.json", '{"hello": 1}'), ("a.json", ""),
        ("a.json", "[[500, 0], [0, 500]]"), ("a.json", '"a string"'), ("a.toml", "= 3"),
        ("a.yaml", "K: [1, 2"), ("a.yaml", "- - - -" * 50), ("a.xml", "<a><b></a>"),
        ("a.xml", "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"),
        ("a.xml", "<calibration><cameras/></calibration>"),
        ("cameras.txt", "1 OPENCV_FISHEYE 640 480 1 1 1 1 0 0 0 0"), ("cameras.txt", "1 PINHOLE 640 480 1"),
        ("a.txt", "Dear Sir or Madam"), ("a", "\x00\x01\x02"),
    ],
)  # fmt: skip
def test_files_that_are_no_cameras(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CameraError) as caught:
        read_camera_file(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(caught.value)


def test_places_without_a_camera_file(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.json", tmp_path, Path("/dev/zero"), tmp_path / ("n" * 300)):
        with pytest.raises(CameraError, match=str(path)[:40]):
            read_camera_file(path)
    (tmp_path / "c.json").write_bytes(b"\xff\x00\x81")
    with pytest.raises(CameraError, match="not text in UTF-8"):
        read_camera_file(tmp_path / "c.json")


@pytest.mark.parametrize(
    "make", [lambda: Camera.from_fov(640, 480, 1e-300), lambda: Camera.from_focal_mm(640, 480, 1e-9)]
)
def test_fields_of_view_that_no_camera_has(make) -> None:
    with pytest.raises(CameraError, match="none for a picture"):
        make()


def test_yaml_as_calibration_programs_write_it() -> None:
    text = "a:\n- 1\n- [2, [3.5, .5]]\nb:\n  c: 'x: y'  \n  d: true\n  e:\n"
    text += "list:\n  - name: l\n    v: -1e3\n  - name: r\n"
    assert parse_yaml(text) == {
        "a": [1.0, [2.0, [3.5, 0.5]]], "b": {"c": "x: y", "d": True, "e": None},
        "list": [{"name": "l", "v": -1000.0}, {"name": "r"}],
    }  # fmt: skip
    for bad in ("a: {b: 1}", "a: |\n  text", "a: &x 1", "a: 1\n  b: 2\n c"):
        with pytest.raises(ValueError, match="not understood"):
            parse_yaml(bad)
