from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.errors import DataError
from sigmapose.synth.render.backdrop import photo_piece
from sigmapose.synth.render.cutouts import PictureFolder
from sigmapose.synth.render.degrade import CameraFaults, degrade, motion_blur


def test_folders_of_pictures(tmp_path: Path, caplog) -> None:
    with pytest.raises(DataError, match="no folder of pictures at"):
        PictureFolder.read(tmp_path / "missing")
    with pytest.raises(DataError, match="no pictures in"):
        PictureFolder.read(tmp_path)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), (255, 0, 0), np.uint8))
    cutout = np.full((1500, 20, 4), (200, 100, 50, 128), np.uint8)
    cv2.imwrite(str(tmp_path / "b.png"), cutout)
    first, second = PictureFolder.read(tmp_path).pictures
    assert first[0, 0].tolist() == [0, 0, 255], "RGB, not BGR"
    assert max(second.shape) == 640 and second.shape[2] == 4
    assert second[5, 3].tolist() == [25, 50, 100, 128], "premultiplied"
    (tmp_path / "c.jpg").write_text("not a picture")
    assert len(PictureFolder.read(tmp_path).pictures) == 2
    assert "c.jpg: it cannot be decoded" in caplog.text, "one broken picture is named and left out"
    (tmp_path / "a.png").unlink()
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match=r"no picture in .* can be decoded"):
        PictureFolder.read(tmp_path)


def test_scenes_and_faults_keep_their_range_and_vary() -> None:
    rng = np.random.default_rng(3)
    photo = PictureFolder((np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8),))
    scenes = [photo_piece(rng, photo, 128) for _ in range(6)]
    assert all(s.shape == (128, 128, 3) and s.min() >= 0 and s.max() <= 1 for s in scenes)
    assert np.std([s.mean() for s in scenes]) > 0.01
    blurred = degrade(np.random.default_rng(1), scenes[0], native_px=30.0)
    sharp = degrade(np.random.default_rng(1), scenes[0], native_px=400.0)
    assert blurred.dtype == np.uint8 and blurred.shape == (128, 128, 3)
    edges = [np.abs(np.diff(p.astype(int), axis=1)).mean() for p in (blurred, sharp)]
    assert edges[0] < edges[1]


def test_no_faults_leave_a_picture_as_it_is() -> None:
    picture = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    coded = degrade(np.random.default_rng(1), picture, 500.0, CameraFaults.none())
    assert np.abs(coded / 255.0 - picture).max() <= 0.5 / 255 + 1e-6


def test_low_light_is_dark_and_noisy() -> None:
    flat = np.full((64, 64, 3), 0.5, np.float32)
    night = CameraFaults(
        exposure=0, contrast=0, low_light_share=1, motion_share=0, jpeg_share=0, soft_share=0
    )
    coded = [degrade(np.random.default_rng(k), flat, 500.0, night) for k in range(8)]
    assert np.mean(coded) < 100 and np.median([c.std() for c in coded]) > 2


def test_motion_smears_along_its_direction_and_keeps_light() -> None:
    point = np.zeros((65, 65, 3), np.float32)
    point[32, 32] = 1
    across = motion_blur(point, 12.0, 0.0)
    rows, columns = np.nonzero(across[..., 0] > 0.02)
    assert np.ptp(columns) >= 10 and np.ptp(rows) <= 2
    assert across.sum() == pytest.approx(3.0, rel=1e-3)
    assert motion_blur(point, 1.0, 0.3) is point
