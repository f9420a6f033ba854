"""Recordings in the layout of Pose2Sim, and the names of all data sets."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dataset_files import stack, walk
from sigmapose.data.readers.camera_calibration import read_calibration, read_qca, read_toml
from sigmapose.data.readers.multiview import read_multiview
from sigmapose.data.readers.registry import DATASETS, open_dataset
from sigmapose.errors import DataError
from sigmapose.io.video import VideoWriter
from sigmapose.skeleton import BODY_26

SIZE = (64, 48)
FRAMES = 5

CAMERAS = {
    "cam01": ([1.4, 0.3, -0.2], [0.32, 0.95, 2.89]),
    "cam02": ([1.35, 1.6, -1.2], [-0.4, 1.1, 3.1]),
}
# HALPE_26, the usual joint set of Pose2Sim, is ours.
MATRIX = [[70.0, 0.0, 31.0], [0.0, 71.0, 23.5], [0.0, 0.0, 1.0]]
BEND = [-0.05, 0.14, 0.0006, 0.0007]


def toml_text(scale: float = 1.0, **edit: str) -> str:
    """What Pose2Sim's `toml_write` writes."""
    text = ""
    for name, (rotation, move) in CAMERAS.items():
        lines = {
            "name": f'"{name}"', "size": f"[ {float(SIZE[0])}, {float(SIZE[1])}]", "matrix": str(MATRIX),
            "distortions": str(BEND), "rotation": str(rotation),
            "translation": str([scale * m for m in move]), "fisheye": "false", **edit,
        }  # fmt: skip
        text += f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in lines.items()) + "\n"
    return text + "[metadata]\nadjusted = false\nerror = 0.0\n"


def write_recording(root: Path, *, poses: str | None = "pose", names: dict[str, str] | None = None) -> None:
    (root / "calibration").mkdir(parents=True)
    (root / "videos").mkdir()
    (root / "calibration" / "Calib_scene.toml").write_text(toml_text())
    (root / "Config.toml").write_text('[project]\nframe_rate = "auto"\n')
    for k, name in enumerate(CAMERAS):
        stem = (names or {}).get(name, name)
        with VideoWriter(root / "videos" / f"{stem}.mp4", 25.0, SIZE) as writer:
            for frame in range(FRAMES):
                writer.write(np.full((SIZE[1], SIZE[0], 3), 40 * frame + 10 * k, np.uint8))
        if poses is None:
            continue
        folder = root / poses / f"{stem}_json"
        folder.mkdir(parents=True)
        for frame in range(FRAMES):
            table = np.column_stack([expected_px(name)[frame], np.full(26, 0.8)])
            person = {"person_id": [-1], "pose_keypoints_2d": table.ravel().tolist()}
            document = {"version": 1.3, "people": [person] * (2 if frame == 1 else 1)}
            (folder / f"{stem}_{frame:06d}.json").write_text(json.dumps(document))


def expected_px(name: str) -> np.ndarray:
    world = stack(walk(FRAMES, 3, 100.0), BODY_26.joints) / 1000
    rotation, move = (np.array(v) for v in CAMERAS[name])
    flat, _ = cv2.projectPoints(world.reshape(-1, 3), rotation, move, np.array(MATRIX), np.array(BEND))
    return flat.reshape(FRAMES, 26, 2)


def test_toml_cameras_project_as_opencv(tmp_path: Path) -> None:
    write_recording(tmp_path / "walk")
    world = stack(walk(FRAMES, 3, 100.0), BODY_26.joints)
    for name, placed in read_calibration(tmp_path / "walk").items():
        ahead = placed.to_camera(world)[..., 2] > 200
        np.testing.assert_allclose(placed.project(world)[ahead], expected_px(name)[ahead], atol=1e-6)
        turn, move = CAMERAS[name]
        center = -1000 * Rotation.from_rotvec(turn).inv().apply(move)
        np.testing.assert_allclose(placed.center_mm, center, atol=1e-6)


@pytest.mark.parametrize("poses", ["pose", "pose-2d"])
def test_detections_pictures_and_cameras_come_together(tmp_path: Path, poses: str) -> None:
    write_recording(tmp_path / "walk", poses=poses)
    samples = list(read_multiview(tmp_path / "walk"))
    assert [s.id for s in samples[:4]] == [
        f"multiview/walk/cam01/{end}" for end in ("000000/0", "000001/0", "000001/1", "000002/0")
    ]
    assert len(samples) == 2 * (FRAMES + 1)
    for sample in samples:
        np.testing.assert_allclose(sample.detected_px, expected_px(sample.clip)[sample.frame], atol=1e-9)
        shade = 40 * sample.frame + 10 * list(CAMERAS).index(sample.clip)
        assert abs(int(sample.read_picture().mean()) - shade) < 6
        rotation = np.array(sample.facts["world_to_camera"])
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert sample.joints_mm is None and json.dumps(sample.facts)
    assert {s.clip for s in read_multiview(tmp_path / "walk", cameras=["cam02"])} == {"cam02"}
    assert [s.frame for s in read_multiview(tmp_path / "walk", cameras=["cam02"], every=2)] == [0, 2, 4]


def test_without_detections_every_frame_is_a_sample(tmp_path: Path) -> None:
    write_recording(tmp_path, poses=None)
    samples = list(read_multiview(tmp_path, every=2))
    assert [(s.clip, s.frame) for s in samples] == [(c, f) for c in CAMERAS for f in (0, 2, 4)]
    assert samples[0].detected_px is None and samples[0].skeleton is BODY_26


def test_videos_are_matched_by_name_then_by_order(tmp_path: Path) -> None:
    write_recording(tmp_path / "a", poses=None, names={"cam01": "trial_cam01", "cam02": "trial_cam02"})
    assert {s.picture.path.stem for s in read_multiview(tmp_path / "a", cameras=["cam02"])} == {"trial_cam02"}
    write_recording(tmp_path / "b", poses=None, names={"cam01": "GX9", "cam02": "GX10"})
    assert {s.picture.path.stem for s in read_multiview(tmp_path / "b", cameras=["cam02"])} == {"GX10"}
    (tmp_path / "a" / "videos" / "trial_cam02.mp4").unlink()
    with pytest.raises(DataError, match=r"lacks videos of cam02: .* the videos are trial_cam01\.mp4"):
        read_multiview(tmp_path / "a")


@pytest.mark.parametrize(("scale", "unit"), [(1000.0, "mm"), (100.0, "cm")])
def test_calibrations_in_another_unit(tmp_path: Path, scale: float, unit: str) -> None:
    write_recording(tmp_path, poses=None)
    file = tmp_path / "calibration" / "Calib_scene.toml"
    metres = read_toml(file)
    file.write_text(toml_text(scale))
    with pytest.raises(DataError, match=rf"cameras are \d+.* m apart: .* look like {unit} .*unit='{unit}'"):
        read_multiview(tmp_path)
    for name, placed in read_toml(file, unit=unit).items():
        np.testing.assert_allclose(placed.translation_mm, metres[name].translation_mm)
    assert next(read_multiview(tmp_path, unit=unit)).camera == metres["cam01"].camera


@pytest.mark.parametrize(("scale", "unit"), [(1000.0, "mm"), (100.0, "cm")])
def test_the_unit_of_two_cameras_beside_each_other(tmp_path: Path, scale: float, unit: str) -> None:
    text = "".join(
        f'[c{k}]\nname = "c{k}"\nsize = [432, 768]\nrotation = [0.0, 0.0, 0.0]\n'
        f"matrix = [[768.0, 0.0, 215.5], [0.0, 768.0, 383.5], [0.0, 0.0, 1.0]]\n"
        f"translation = [{1.5 * scale * k}, 0.0, 0.0]\n"
        for k in (0, 1)
    )
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(DataError, match=rf"look like {unit} \("):
        read_toml(tmp_path / "c.toml")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"fisheye": "true"}, "camera cam01: fisheye lenses are not supported"),
        ({"rotation": "[1.0, 2.0]"}, r"camera cam01: 'rotation' must be finite numbers of shape \(3,\)"),
        ({"matrix": '"none"'}, "camera cam01: 'matrix' must be numbers, got none"),
        ({"translation": "[nan, 0.0, 1.0]"}, "'translation' must be finite"),
        ({"distortions": '["a", 0.0]'}, "camera cam01: 'distortions' must be finite numbers, got"),
        ({"distortions": "[nan, 0.0, 0.0, 0.0]"}, "camera cam01: 'distortions' must be finite numbers, got"),
        ({"size": "[0, 720]"}, "camera cam01: .* at least 1x1 px, got 0x720"),
    ],
)
def test_damaged_toml(tmp_path: Path, edit: dict[str, str], message: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(toml_text(**edit))
    with pytest.raises(DataError, match=message):
        read_toml(file)


def test_calibrations_that_cannot_be_found_or_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no calibration in .*: expected calibration/\*\.toml"):
        read_calibration(tmp_path)
    (tmp_path / "a.toml").write_text("[a\n")
    with pytest.raises(DataError, match="is not TOML"):
        read_calibration(tmp_path)
    (tmp_path / "a.toml").write_text("[metadata]\nerror = 0.0\n")
    with pytest.raises(DataError, match="holds no camera"):
        read_calibration(tmp_path)
    (tmp_path / "b.toml").write_text(toml_text())
    with pytest.raises(DataError, match=r"holds several calibrations \(a\.toml, b\.toml\)"):
        read_calibration(tmp_path)
    assert list(read_calibration(tmp_path / "b.toml")) == ["cam01", "cam02"]
    with pytest.raises(DataError, match="cannot read calibration"):
        read_calibration(tmp_path / "none.toml")


@pytest.mark.skipif("SIGMAPOSE_POSE2SIM" not in os.environ, reason="SIGMAPOSE_POSE2SIM names no package")
def test_the_demo_recording_of_pose2sim() -> None:
    root = Path(os.environ["SIGMAPOSE_POSE2SIM"])
    demo = next(p for p in (root, root / "Pose2Sim" / "Demo_SinglePerson") if (p / "videos").is_dir())
    samples = list(read_multiview(demo, every=50))
    assert [(s.clip, s.frame) for s in samples] == [(f"cam0{c}", f) for c in (1, 2, 3, 4) for f in (0, 50)]
    for sample in samples[::2]:
        picture = sample.read_picture()
        assert picture.shape[:2] == (sample.camera.height, sample.camera.width)
    centers = [p.center_mm for p in read_qca(next(demo.glob("calibration/*.qca.txt"))).values()]
    assert 2000 < np.ptp(np.stack(centers), axis=0).max() < 20_000


def test_every_data_set_has_a_name_a_page_and_refuses_unknown_options(
    repository: Path, tmp_path: Path
) -> None:
    assert set(DATASETS) == {
        "h36m", "mpi-inf-3dhp", "3dpw", "humaneva", "coco", "lsp", "multiview", "unlabelled", "synth"
    }  # fmt: skip
    page = (repository / "docs" / "datasets.md").read_text()
    for name in DATASETS:
        assert re.search(rf"^## .*`{name}`", page, re.MULTILINE), f"docs/datasets.md has no section on {name}"
        with pytest.raises(DataError, match=rf"^{name} has no option colour: choose from \w+"):
            open_dataset(name, tmp_path, colour=1)
        with pytest.raises(DataError):
            list(open_dataset(name, tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"unknown data set 'imagenet': choose from h36m, "):
        open_dataset("imagenet", tmp_path)


def test_a_data_set_by_name(tmp_path: Path, examples: Path) -> None:
    shutil.copy(examples / "behind_tree.jpg", tmp_path)
    (sample,) = open_dataset("unlabelled", tmp_path)
    assert (sample.source, sample.split) == ("unlabelled", None)
    write_recording(tmp_path / "walk")
    assert {s.source for s in open_dataset("multiview", tmp_path / "walk")} == {"multiview"}
