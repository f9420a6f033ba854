"""What is known of sizes becomes a distance: laws of the Gaussian in logarithms."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.errors import CameraError, InputError
from sigmapose.estimate.body_size import (
    ALIKE,
    LENGTHENED,
    PROPORTIONS,
    STATURES_MM,
    BodySize,
    PriorSize,
    SeenSize,
    Sizes,
    log_depth,
    seen_segments,
)
from sigmapose.quantities import JOINTS_OF
from sigmapose.skeleton import BODY_26

ADULT = STATURES_MM["adult"]


def seen(*logs: float, sigma: float = 0.04) -> SeenSize:
    return SeenSize(np.array([logs]), np.full((1, len(logs)), sigma**2))


def test_a_height_alone_is_the_closed_form() -> None:
    mean, sigma = log_depth(PriorSize.of(BodySize(1780.0, 20.0), ADULT), seen(np.log(0.4)))
    assert np.exp(mean[0]) == pytest.approx(1780 / 0.4)
    assert sigma[0] == pytest.approx(np.hypot(20 / 1780, 0.04))


def test_a_segment_moves_the_height_by_the_proportions_of_bodies() -> None:
    share, spread = PROPORTIONS["thigh"]
    long = PriorSize.of(BodySize(segments={"thigh": (1.1 * share * ADULT[0], 1e-6)}), ADULT)
    prior = ADULT[1] / ADULT[0]
    gain = prior**2 / (prior**2 + spread**2)
    assert long.mean[0] - np.log(ADULT[0]) == pytest.approx(gain * np.log(1.1), rel=1e-6)
    assert np.sqrt(long.cov[0, 0]) == pytest.approx(prior * np.sqrt(1 - gain), rel=1e-6)


def test_the_best_estimate_is_that_of_draws_that_fit() -> None:
    """Rejection sampling: of all people and pictures those that look as seen have the stated distances."""
    rng, count = np.random.default_rng(0), 4_000_000
    share, spread = PROPORTIONS["shank"]
    height = rng.normal(np.log(ADULT[0]), ADULT[1] / ADULT[0], count)
    length = height + np.log(share) + spread * rng.normal(size=count)
    distance = rng.uniform(np.log(2000), np.log(8000), count)
    alike = np.sqrt(ALIKE) * rng.normal(size=count)
    errors = 0.04 * (alike + np.sqrt(1 - ALIKE) * rng.normal(size=(2, count)))
    told, tape = np.log(400.0), 0.02
    fits = np.abs(length + tape * rng.normal(size=count) - told) < 0.004
    saw = np.array((height, length))[:, fits] - distance[fits] + errors[:, fits]
    near = np.abs(saw - np.array([[np.log(0.42)], [np.log(0.095)]])).max(0) < 0.02
    expected = distance[fits][near]
    assert len(expected) > 300
    prior = PriorSize.of(BodySize(segments={"shank": (400.0, 8.0)}), ADULT)
    mean, sigma = log_depth(prior, seen(np.log(0.42), np.log(0.095)))
    assert mean[0] == pytest.approx(expected.mean(), abs=0.006)
    assert sigma[0] == pytest.approx(expected.std(), rel=0.12)


def test_more_knowledge_never_widens() -> None:
    looks = seen(np.log(0.4), np.log(0.09), sigma=0.05)
    of = lambda size: log_depth(PriorSize.of(size, ADULT), looks)[1][0]  # noqa: E731
    rough, fine = (of(BodySize(segments={"thigh": (390.0, s)})) for s in (40.0, 5.0))
    both = of(BodySize(1700.0, segments={"thigh": (390.0, 5.0)}))
    alone = log_depth(PriorSize.of(BodySize(), ADULT), seen(np.log(0.4), sigma=0.05))[1][0]
    assert both < fine < rough < alone


def test_an_uncertain_bone_is_not_taken_for_a_short_one() -> None:
    """The network draws a bone of unknown depth flat; its length is that of the truth on average."""
    rng, people = np.random.default_rng(1), 20_000
    hip, knee = (BODY_26.index(joint) for joint in JOINTS_OF["left_thigh_length"])
    truth = rng.normal(size=(people, 3))
    truth *= 400.0 / np.linalg.norm(truth, axis=1, keepdims=True)
    joints, cov = np.zeros((people, 26, 3)), np.zeros((people, 26, 3, 3))
    joints[:, knee, :2] = truth[:, :2]
    cov[:, knee, 2, 2] = np.mean(truth[:, 2] ** 2) / LENGTHENED  # as large as errors are stated
    right = [BODY_26.index(joint) for joint in JOINTS_OF["right_thigh_length"]]
    joints[:, right[1]] = joints[:, knee]
    cov[:, right[1]] = cov[:, knee]
    joints[:, right[0]] = joints[:, hip]
    told = seen_segments(("thigh",), joints, cov, np.zeros((people, 26, 3, 0)))
    assert np.exp(np.mean(2 * told.log)) == pytest.approx(400.0**2, rel=0.06)
    drawn = np.linalg.norm(joints[:, knee], axis=1)
    assert np.mean(drawn**2) < 0.72 * 400.0**2


def test_people_have_their_own_sizes_and_the_others_the_assumed_one() -> None:
    short = BodySize(segments={"left_thigh_length": 400.0})
    sizes = Sizes.told("child", size={3: BodySize(1810.0), 5: short})
    assert sizes.height_mm(3) == pytest.approx(1810.0)
    assert sizes.height_mm(0) == pytest.approx(STATURES_MM["child"][0])
    assert sizes.film_log(0) > sizes.film_log(5) > sizes.film_log(3)
    assert Sizes.told(height_mm=1700.0).height_mm(7) == pytest.approx(1700.0)


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ({"height_mm": 1.78}, "is the unit mm"),
        ({"height_mm": float("nan")}, "standing height"),
        ({"height_mm": 1780.0, "height_sigma_mm": 900.0}, "standard deviation of 0 to 445 mm"),
        ({"height_mm": 1780.0, "height_sigma_mm": -1.0}, "standard deviation"),
        ({"segments": {"thigh": 42.0}}, "segment thigh must be 89 to 624 mm"),
        ({"segments": {"thigh": (420.0, float("inf"))}}, "the spread of thigh"),
    ],
)
def test_sizes_that_no_person_has_are_refused(size: dict, says: str) -> None:
    with pytest.raises(CameraError, match=says):
        BodySize(**size)


def test_unknown_segments_and_two_heights_are_refused() -> None:
    with pytest.raises(InputError, match="unknown segment 'tail': choose from thigh"):
        BodySize(segments={"tail": 400.0})
    with pytest.raises(InputError, match="give one of them"):
        Sizes.told(height_mm=1700.0, size=BodySize(1700.0))
