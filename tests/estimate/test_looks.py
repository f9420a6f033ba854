"""Two looks at a person: what a mirror may change, and what both looks say together."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from estimate.test_assemble import run, scene, with_factors
from sigmapose.calibrator import Calibrator, VarianceScales
from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.estimate.crop import Crop, extract
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.looks import FLIP, mirrored, mixture
from sigmapose.estimate.network import Prediction25D
from sigmapose.gaussian import mirror_covariance
from sigmapose.io.images import read_image
from sigmapose.pose import Pose
from sigmapose.quantities import joint_covariance
from sigmapose.skeleton import BODY_26

CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5, (-0.1, 0.02, 0.0, 0.0))
SIGN = np.array([-1.0, 1.0, 1.0])


@cache
def estimator(looks: int | None) -> Estimator:
    return sigmapose.load("lite", people=2, threads=1, looks=looks)


def answers() -> tuple[Prediction25D, Prediction25D]:
    """Two opinions of one person, each with errors that joints share."""
    _, one, _, _ = scene(CAMERA)
    one = with_factors(one, 0.02)
    rng = np.random.default_rng(1)
    moved = 0.03 * rng.normal(size=(1, 26, 3))
    moved[:, BODY_26.index("mid_hip")] = 0
    other = with_factors(replace(one, relative_cov=np.tile(4e-4 * np.eye(3), (1, 26, 1, 1))), 0.01)
    return one, replace(
        other,
        points=one.points + moved[..., :2],
        relative=one.relative + moved,
        visibility=rng.dirichlet(np.ones(4), (1, 26)),
        log_stature=one.log_stature + np.array([0.1, 0.05]),
    )


def seen(looks: int, *, mirror: bool, examples: Path) -> Pose:
    """The woman by the tree in a turned crop beside the middle of a picture, or all that in a mirror."""
    pixels = extract(read_image(examples / "behind_tree.jpg"), Crop((1540.0, 750.0), 560.0, 0.2))
    x, angle = 250.0, 0.2
    if mirror:
        pixels, x, angle = np.ascontiguousarray(pixels[:, ::-1]), CAMERA.width - 1 - x, -angle
    return estimator(looks).in_crops(pixels[None], [Crop((x, 220.0), 300.0, angle)], [CAMERA])[0][0]


def difference(pose: Pose, reflected: Pose) -> dict[str, float]:
    """How far `reflected` is from the mirror image of `pose`, by field."""
    points = pose.points_px[FLIP] * SIGN[:2] + [CAMERA.width - 1, 0]
    whole = pose.joint_cov_mm2.reshape(26, 3, 26, 3)[FLIP][:, :, FLIP]
    whole = (whole * SIGN[:, None, None] * SIGN).reshape(78, 78)
    wanted = {
        "joints_mm": pose.joints_mm[FLIP] * SIGN,
        "cov_mm2": mirror_covariance(pose.cov_mm2, BODY_26.flip),
        "points_px": points,
        "cov_px2": mirror_covariance(pose.cov_px2, BODY_26.flip),
        "visibility": pose.visibility[FLIP],
        "root_mm": pose.root_mm * SIGN,
        "root_cov_mm2": pose.root_cov_mm2 * np.outer(SIGN, SIGN),
        "joint_cov_mm2": whole,
        "score": np.array(pose.score),
    }
    return {n: float(np.abs(getattr(reflected, n) - v).max() / np.abs(v).max()) for n, v in wanted.items()}


def test_the_mirror_image_has_the_mirrored_answer(examples: Path) -> None:
    plain, reflected = (seen(2, mirror=mirror, examples=examples) for mirror in (False, True))
    assert max(difference(plain, reflected).values()) < 1e-4
    for level in (0.5, 0.9):
        a, b = plain.interval("left_knee_angle", level), reflected.interval("right_knee_angle", level)
        assert a.mean == pytest.approx(b.mean, abs=0.01)
        assert a.high - a.low == pytest.approx(b.high - b.low, rel=0.05)


def test_one_look_favours_a_side(examples: Path) -> None:
    plain, reflected = (seen(1, mirror=mirror, examples=examples) for mirror in (False, True))
    assert difference(plain, reflected)["joints_mm"] > 0.01


def test_a_mirror_twice_changes_nothing() -> None:
    for answer in answers():
        again = mirrored(mirrored(answer))
        for field in fields(Prediction25D):
            np.testing.assert_array_equal(getattr(again, field.name), getattr(answer, field.name))


def test_two_looks_have_the_moments_of_draws_from_either() -> None:
    one, other = answers()
    both = mixture(one, other)
    rng = np.random.default_rng(2)
    drawn = np.concatenate(
        [
            rng.multivariate_normal(
                a.relative[0].ravel(), joint_covariance(a.relative_cov, a.relative_factors)[0], 40_000
            )
            for a in (one, other)
        ]
    )
    whole = joint_covariance(both.relative_cov, both.relative_factors)[0]
    np.testing.assert_allclose(both.relative[0].ravel(), drawn.mean(0), atol=2e-3)
    sigma = np.sqrt(np.diag(whole) + 1e-8)
    np.testing.assert_allclose((whole - np.cov(drawn.T)) / np.outer(sigma, sigma), 0, atol=0.03)
    np.testing.assert_allclose(both.visibility.sum(-1), 1.0)
    stature = np.concatenate([rng.normal(*a.log_stature[0], 200_000) for a in (one, other)])
    assert both.log_stature[0] == pytest.approx((stature.mean(), stature.std()), abs=1e-3)


def test_disagreement_is_doubt_and_agreement_takes_none_away() -> None:
    one, other = answers()
    both = mixture(one, other)
    for cov in ("points_cov", "relative_cov"):
        more = getattr(both, cov) - (getattr(one, cov) + getattr(other, cov)) / 2
        assert np.linalg.eigvalsh(more).min() > -1e-12
    wholes = [joint_covariance(a.relative_cov, a.relative_factors)[0] for a in (both, one, other)]
    more = np.linalg.eigvalsh(wholes[0] - (wholes[1] + wholes[2]) / 2)
    half = (one.relative - other.relative)[0].ravel() / 2
    assert more[0] > -1e-12 and more[-1] == pytest.approx(half @ half)
    same = mixture(one, one)
    np.testing.assert_allclose(joint_covariance(same.relative_cov, same.relative_factors)[0], wholes[1])
    np.testing.assert_allclose(same.log_stature, one.log_stature)
    # without shared errors in the network the disagreement is still one error of the whole pose
    alone = [replace(a, relative_factors=a.relative_factors[..., :0]) for a in (one, other)]
    assert mixture(*alone).relative_factors.shape[-1] == 1


def test_each_look_is_calibrated_by_its_own_visibility() -> None:
    _, one, centre, size = scene(CAMERA)
    visible, hidden = np.zeros((1, 26, 4)), np.zeros((1, 26, 4))
    visible[..., 0], hidden[..., 2] = 1.0, 1.0
    classes = np.tile([1.0, 2.0, 9.0, 2.0], (26, 1))
    scales = VarianceScales(classes, classes, 1.0, np.ones(26))
    calibrator = Calibrator("test", BODY_26.name, "", {}, {"full": scales})
    pose, plain = (
        run(CAMERA, replace(one, visibility=visible), centre, size, **more)
        for more in ({"calibrator": calibrator, "second": mirrored(replace(one, visibility=hidden))}, {})
    )
    np.testing.assert_allclose(pose.cov_px2, 5.0 * plain.cov_px2, rtol=1e-3)
    np.testing.assert_allclose(pose.visibility[:, [0, 2]], 0.5)


def test_photos_are_looked_at_twice_and_video_once_unless_asked(examples: Path) -> None:
    photo = read_image(examples / "behind_tree.jpg")
    usual, once, twice = (estimator(looks)(photo) for looks in (None, 1, 2))
    assert len(usual) == len(once) == len(twice) == 2
    for a, b, c in zip(usual, twice, once, strict=True):
        np.testing.assert_array_equal(a.joints_mm, b.joints_mm)
        assert 1.0 < np.abs(a.joints_mm - c.joints_mm).max() < 400.0
    walks = [
        next(estimator(looks).video(examples / "balance.mp4", people=1, raw=True)).poses[0]
        for looks in (None, 1, 2)
    ]
    np.testing.assert_array_equal(walks[0].joints_mm, walks[1].joints_mm)
    assert np.abs(walks[0].joints_mm - walks[2].joints_mm).max() > 1.0


def test_three_looks_are_refused() -> None:
    with pytest.raises(InputError, match="looks must be 1, or 2 for a mirror image too, got 3"):
        sigmapose.load("lite", looks=3)
