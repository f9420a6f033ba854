"""Somebody followed whom the network no longer sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.estimate import estimator
from sigmapose.estimate.lost import unbounded
from sigmapose.skeleton import BODY_26

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_regions_of_somebody_lost_hold_every_pose_a_body_can_take() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(300, 700, (2, 17, 2))
    batch = sigmapose.lift_batch(points, skeleton="coco_17", image_size=(1000, 1000))
    wide = unbounded(batch, np.array([False, True]), 1700.0, np.array([400.0, 400.0]))
    np.testing.assert_array_equal(wide.cov_mm2[0], batch.cov_mm2[0])
    np.testing.assert_array_equal(wide.joints_mm, batch.joints_mm)
    joints = [j for j in range(26) if j != BODY_26.root]
    reach = np.linalg.norm(wide[1].ellipsoid(0.9)[joints], axis=-1).min()
    assert reach > 0.6 * 1700, "farther than a foot or a hand is from the hips, less what the guess is off"
    assert wide[1].sigma_mm[BODY_26.root] < 20, "the origin is the origin"
    assert (wide[1].root_cov_mm2.diagonal() >= (1700 / 3) ** 2).all()


def test_a_video_states_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = sigmapose.load("lite", people=1)
    clip = EXAMPLES / "balance.mp4"
    sure = [f.poses[0] for f in seen.video(clip, frames=(0, 2), raw=True)]
    monkeypatch.setattr(estimator, "LOST", 1.01)
    lost = [f.poses[0] for f in seen.video(clip, frames=(0, 2), raw=True)]
    for one, other in zip(sure, lost, strict=True):
        assert np.median(other.sigma_mm) > 500 > np.median(one.sigma_mm)
        assert other.score == one.score
