"""Occluded copies of a small recording: as many frames, clean where nothing was pasted, kept by contents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.bench import occluded_video, peers
from sigmapose.bench.occluded_video import make_occluded
from sigmapose.bench.pose2sim import JOINTS, Pose2SimProtocol
from sigmapose.bench.pose2sim_runs import filmed, true_points_px
from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.io.video import VideoReader, VideoWriter
from sigmapose.skeleton import BLAZEPOSE_33

WIDTH, HEIGHT, FRAMES, FOCAL, DEPTH_MM = 240, 320, 30, 300.0, 2000.0
# Half a skeleton, statures right and down of the hips; the other half is its mirror.
HALF = {
    "shoulder": (0.1, -0.29), "elbow": (0.14, -0.12), "wrist": (0.16, 0.03), "hip": (0.05, 0.0),
    "knee": (0.06, 0.245), "ankle": (0.06, 0.49), "heel": (0.05, 0.51), "foot_index": (0.1, 0.52),
    "ear": (0.03, -0.4),
}  # fmt: skip


def walker() -> tuple[np.ndarray, np.ndarray]:
    """BlazePose joints in pixels and the benchmark's in mm of one who walks to the right."""
    points = np.full((FRAMES, 33, 2), np.nan)
    for i, name in enumerate(BLAZEPOSE_33.joints):
        side, _, part = name.partition("_")
        x, y = HALF.get(part, (0.0, -0.41))
        mirrored = -x if side == "right" else x
        points[:, i] = np.array([90.0, 160.0]) + 200 * np.array([mirrored, y])
    points[..., 0] += np.linspace(0, 50, FRAMES)[:, None]
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    flat = (points[:, index] - centre) * DEPTH_MM / FOCAL
    return points, np.concatenate([flat, np.full((*flat.shape[:2], 1), DEPTH_MM)], -1)


@pytest.fixture
def protocol(tmp_path: Path) -> Pose2SimProtocol:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    scene = np.stack([x / 2 + 60, y / 3 + 40, (x + y) / 4 + 20], -1)
    video = tmp_path / "cam01.mp4"
    with VideoWriter(video, 30.0, (WIDTH, HEIGHT), crf=12) as writer:
        for _ in range(FRAMES):
            writer.write((scene + rng.normal(0, 2, scene.shape)).clip(0, 255).astype(np.uint8))
    points, truth = walker()
    evidence = peers.VideoLandmarks(
        points, np.ones((FRAMES, 33)), np.zeros((FRAMES, 33, 3)), np.ones(FRAMES, bool), 1.0
    )
    camera = Camera(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
    used = np.ones((1, FRAMES, 12), bool)
    placed = PlacedCamera("cam01", camera, np.eye(3), np.zeros(3))
    return Pose2SimProtocol(
        ("cam01",), (video,), (placed,), FRAMES, truth[None], used, truth[None], (evidence,), {}
    )


def frames_of(path: Path) -> np.ndarray:
    return np.stack([frame.rgb for frame in VideoReader(path)]).astype(float)


def test_true_points_are_projections(protocol: Pose2SimProtocol) -> None:
    index = [BLAZEPOSE_33.index(name) for name in JOINTS]
    np.testing.assert_allclose(true_points_px(protocol)[0], walker()[0][:, index], atol=1e-6)


def test_a_copy_has_the_same_frames_and_is_clean_beside_what_was_pasted(
    protocol: Pose2SimProtocol, tmp_path: Path
) -> None:
    occluded = make_occluded(filmed(protocol), 0.4, seed=3, folder=tmp_path / "copies")
    clean, pasted = frames_of(protocol.videos[0]), frames_of(occluded.videos[0])
    assert pasted.shape == clean.shape
    difference = np.abs(pasted - clean).mean(-1)
    touched = difference > 30
    assert 0.02 < touched.mean() < 0.9
    assert np.median(difference[~touched]) < 3
    assert abs(np.median(occluded.reached) - 0.4) < 0.05
    assert 0.1 < occluded.hidden.mean() < 0.8
    joints = np.rint(true_points_px(protocol)[0]).astype(int)
    at_joints = np.take_along_axis(
        difference.reshape(FRAMES, -1), joints[..., 1] * WIDTH + joints[..., 0], axis=1
    )
    assert np.median(at_joints[~occluded.hidden[0]]) < 5


def test_copies_are_kept_and_named_by_what_decides_them(protocol: Pose2SimProtocol, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    first = make_occluded(filmed(protocol), 0.2, seed=1, folder=folder)
    stamp = first.videos[0].stat().st_mtime_ns
    again = make_occluded(filmed(protocol), 0.2, seed=1, folder=folder)
    assert again.videos == first.videos and again.videos[0].stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(again.hidden, first.hidden)
    assert make_occluded(filmed(protocol), 0.2, seed=2, folder=folder).videos != first.videos
    whole = filmed(protocol)
    shorter = replace(whole, points_px=whole.points_px[:, :20])
    assert make_occluded(shorter, 0.2, seed=1, folder=folder).videos != first.videos
    assert not list(folder.glob("*.part*"))


def test_an_occlusion_stays_with_the_man_during_a_block(protocol: Pose2SimProtocol, tmp_path: Path) -> None:
    """He walks without moving his limbs, so what is hidden changes only when a new block begins."""
    occluded = make_occluded(filmed(protocol), 0.5, seed=4, folder=tmp_path / "copies")
    block = occluded_video.OCCLUSION_FRAMES
    inner = occluded.hidden[0, 8 : block - 8]
    assert (inner == inner[0]).mean() > 0.95
    assert np.ptp(occluded.reached[0, 8 : block - 8]) < 0.05
