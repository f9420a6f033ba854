"""What the methods are judged on, from a small recording in the protocol's form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import test_occluded_video
from sigmapose.bench.occluded_video import make_occluded
from sigmapose.bench.ours import smoothed_poses
from sigmapose.bench.pose2sim import LAYOUT, Pose2SimProtocol
from sigmapose.bench.pose2sim_runs import BLOCK_FRAMES, filmed, truth_of
from sigmapose.evaluate.frames import Predictions
from sigmapose.evaluate.judge import Judge
from sigmapose.pose import Pose
from sigmapose.skeleton import VISIBILITY
from walking_person import walking_pose

protocol = test_occluded_video.protocol


def test_blocks_cameras_and_pictures(protocol: Pose2SimProtocol) -> None:
    truth = truth_of(protocol, "pose2sim")
    assert len(truth.ids) == protocol.frames and truth.ids[3] == "pose2sim/cam01/000003"
    assert len(set(truth.clusters)) == -(-protocol.frames // BLOCK_FRAMES)
    assert truth.visibility is None and truth.rate_hz == 30.0
    picture = truth.picture(7)
    assert picture.path == protocol.videos[0] and picture.frame == 7
    assert truth.tilt_deg == pytest.approx(
        np.full(protocol.frames, -90.0)
    )  # it looks along the world's z, up


def test_what_is_pasted_over_is_object_occluded(protocol: Pose2SimProtocol, tmp_path: Path) -> None:
    occluded = make_occluded(filmed(protocol), 0.4, seed=3, folder=tmp_path / "copies")
    truth = truth_of(replace(protocol, videos=occluded.videos), "pose2sim-occ", occluded)
    assert truth.ids[0] == "pose2sim-occ/40/cam01/000000"
    hidden = truth.visibility == VISIBILITY.index("object_occluded")
    np.testing.assert_array_equal(hidden, occluded.hidden[0])
    assert set(np.unique(truth.visibility)) <= {0, 2}  # he is whole in the picture
    assert truth.picture(0).path == occluded.videos[0] != protocol.videos[0]


def test_a_perfect_method_has_no_error_and_its_joints_move_as_they_do(protocol: Pose2SimProtocol) -> None:
    truth = truth_of(protocol, "pose2sim")
    judge = Judge(LAYOUT, samples=0)
    judge.add(truth, {"truth": Predictions(truth.joints_mm + 50.0)})
    numbers = judge.results("pose2sim@2", "").methods["truth"].scores.metrics
    assert numbers["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert numbers["acceleration_error_mm_s2"] == pytest.approx(0, abs=1e-2)


def test_the_smoothed_row_is_the_same_person_trembling_less() -> None:
    rng, still = np.random.default_rng(0), walking_pose()
    seen: list[Pose | None] = [
        replace(still, joints_mm=still.joints_mm + rng.normal(0, 20.0, (26, 3)), track=3) for _ in range(12)
    ]
    seen[5] = None
    (smoothed,) = smoothed_poses([seen], 30.0)
    assert [pose is None for pose in smoothed] == [pose is None for pose in seen]
    before, after = (
        np.diff(np.stack([p.joints_mm for p in film if p is not None]), axis=0).std()
        for film in (seen, smoothed)
    )
    assert after < 0.5 * before
