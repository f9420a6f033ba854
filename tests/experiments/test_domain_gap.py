"""The instruments that compare two domains: distances against scipy, offsets recovered, crops cut alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

from experiments.domain_gap import measures
from experiments.domain_gap.gap import compare, occlude, summary
from experiments.domain_gap.measures import LandmarkOutput
from experiments.domain_gap.people import Person, PersonTruth, read_renders
from experiments.domain_gap.probes import PROBES
from experiments.domain_gap.report import text
from sigmapose.errors import DataError
from sigmapose.skeleton import BODY_26


@pytest.mark.parametrize("seed", range(30))
def test_distances_of_distributions_agree_with_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes, digits = rng.integers(1, 60, 2), int(rng.integers(0, 4))
    a, b = (rng.normal(0, rng.uniform(0.1, 3), size).round(digits) for size in sizes)
    expected = stats.ks_2samp(a, b, method="asymp").statistic
    assert measures.kolmogorov_smirnov(a, b) == pytest.approx(expected, abs=1e-12)
    assert measures.wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b), abs=1e-9)


def test_rank_correlation_agrees_with_scipy_and_leaves_nan_out() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    b = a + rng.normal(size=200)
    expected = stats.spearmanr(a, b).statistic
    assert measures.rank_correlation(a, b) == pytest.approx(expected, abs=1e-9)
    assert measures.rank_correlation(np.append(a, np.nan), np.append(b, 5.0)) == pytest.approx(expected)


def test_nothing_to_compare_gives_nan_and_not_zero() -> None:
    empty = np.array([np.nan, np.nan])
    assert np.isnan(measures.kolmogorov_smirnov(empty, np.ones(3)))
    assert np.isnan(measures.wasserstein(np.ones(3), empty))
    assert summary(empty) == {"n": 0}


def people(count: int, seed: int = 0) -> list[Person]:
    """Random poses in 3D, seen under weak perspective; 100 px tall, 1800 mm."""
    rng = np.random.default_rng(seed)
    rest = np.array(
        [[1, -5, 0], [-1, -5, 0], [2, -3, 0], [-2, -3, 0], [2, -1, 0], [-2, -1, 0],
         [0.8, 0, 0], [-0.8, 0, 0], [0.9, 4, 0], [-0.9, 4, 0], [1, 8, 0], [-1, 8, 0]], float,
    )  # fmt: skip
    result = []
    for _ in range(count):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        turn *= np.sign(np.linalg.det(turn))
        joints = 100 * (rest + rng.normal(0, 0.4, rest.shape)) @ turn.T + np.array([0, 0, 5000])
        points = joints[:, :2] * 100 / 1800 + 128
        truth = PersonTruth(points, joints, 100.0, np.zeros(12, bool))
        outline = np.full((26, 2), np.nan)
        outline[[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]] = points
        picture = rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)
        result.append(Person(picture, np.ones((256, 256), bool), outline, 0.0, "a", truth))
    return result


def answers(points: np.ndarray) -> LandmarkOutput:
    ones = np.ones(points.shape[:2])
    return LandmarkOutput(points, ones, ones, ones, np.ones(len(points)))


def test_another_definition_of_a_joint_is_found_and_taken_out_of_the_spread() -> None:
    crowd = people(300)
    rng = np.random.default_rng(1)
    bias = rng.normal(0, 3, (12, 3))
    axes = measures.body_axes(crowd)
    noise = rng.normal(0, 0.5, (300, 12, 2))
    offsets = np.einsum("njac,ja->njc", axes[..., :2], bias) + noise
    offsets[::20] += 40
    found, shown = measures.constant_offset(crowd, offsets)
    np.testing.assert_allclose(found, bias, atol=0.3)
    left = np.linalg.norm(offsets - shown, axis=-1)
    assert np.median(left) == pytest.approx(0.5 * np.sqrt(2 * np.log(2)), rel=0.1)


def test_body_axes_are_orthonormal_and_follow_the_bones() -> None:
    axes = measures.body_axes(people(5))
    products = axes @ np.swapaxes(axes, -1, -2)
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(3), products.shape), atol=1e-9)


def test_errors_are_percent_of_the_height_and_exchanged_sides_are_counted_apart() -> None:
    crowd = people(6)
    truth = np.stack([person.truth.points for person in crowd if person.truth])
    given = truth + np.array([0.3, 0.4])
    given[0] = given[0][measures.OTHER_SIDE]
    offsets, swapped = measures.displacements(crowd, answers(given))
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=-1), 0.5)
    assert swapped.tolist() == [True, False, False, False, False, False]


def test_people_without_truth_are_refused_where_it_is_needed() -> None:
    crowd = [replace(person, truth=None) for person in people(2)]
    with pytest.raises(DataError, match="has no truth"):
        measures.displacements(crowd, answers(np.zeros((2, 12, 2))))


def test_an_equal_seed_puts_the_same_thing_in_front() -> None:
    person = people(1)[0]
    first, again = (occlude(person, 0.5, np.random.default_rng(3)) for _ in range(2))
    assert first is not None and again is not None
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1].any() and not first[1].all()
    changed = (first[0] != person.picture).any(-1)
    assert 0.02 < changed.mean() < 0.9


def test_nothing_is_pasted_beyond_the_border_of_the_picture() -> None:
    inside = np.ones((256, 256), bool)
    inside[:, 150:] = False
    person = replace(people(1)[0], inside=inside)
    pasted = occlude(person, 0.8, np.random.default_rng(0))
    assert pasted is not None
    np.testing.assert_array_equal(pasted[0][~inside], person.picture[~inside])


@pytest.mark.parametrize("name", list(PROBES))
def test_probes_change_the_picture_and_nothing_else(name: str) -> None:
    person = people(1)[0]
    changed = PROBES[name](person)
    assert changed.picture.dtype == np.uint8 and changed.picture.shape == (256, 256, 3)
    assert changed.truth is person.truth and changed.outline is person.outline
    same = (changed.picture == person.picture).all()
    assert same == (name in ("as it is", "black border filled"))


def feature_shard(folder: Path, crowd: list[Person], occluded: np.ndarray) -> None:
    """A shard with everything `read_renders` looks at; crops 512 px large, turned."""
    count = len(crowd)
    crop = np.tile(np.array([300.0, 200.0, 512.0, 0.3], np.float32), (count, 1))
    joints = np.zeros((count, 26, 3))
    joints[:, [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]] = [p.truth.joints_mm for p in crowd if p.truth]
    focal = 1000.0
    fields = {
        "crop": crop, "joints_camera_mm": joints, "occluded_fraction": occluded,
        "points_px": focal * joints[..., :2] / 5000 + np.array([300.0, 200.0]),
        "image_size": np.tile([640, 480], (count, 1)), "visibility": np.zeros((count, 26), np.uint8),
        "intrinsics": np.tile([focal, focal, 300.0, 200.0], (count, 1)),
        "subject": np.array(["s"] * count), "clip": np.array(["c"] * count),
    }  # fmt: skip
    np.savez(folder / "shard_00000.npz", **fields)
    coded = [cv2.imencode(".jpg", p.picture[..., ::-1])[1].reshape(-1) for p in crowd]
    offsets = np.cumsum([0, *map(len, coded)])
    np.savez(folder / "crops_00000.npz", jpeg=np.concatenate(coded), offsets=offsets)


def test_clean_renders_are_read_with_their_truth_in_the_crop(tmp_path: Path) -> None:
    crowd = people(4)
    feature_shard(tmp_path, crowd, np.array([0.0, 0.3, 0.01, 0.0]))
    found = read_renders(tmp_path, 10)
    assert len(found) == 3
    assert len(read_renders(tmp_path, 2)) == 2
    person, truth = found[0], found[0].truth
    assert truth is not None and crowd[0].truth is not None
    # 512 px around (300, 200), turned by 0.3, to 256 px: by hand, through OpenCV.
    matrix = cv2.getRotationMatrix2D((300, 200), np.rad2deg(0.3), 0.5)
    matrix[:, 2] += 127.5 - np.array([300, 200])
    picture_px = 1000 * crowd[0].truth.joints_mm[:, :2] / 5000 + np.array([300.0, 200.0])
    np.testing.assert_allclose(truth.points, picture_px @ matrix[:, :2].T + matrix[:, 2], atol=1e-4)
    np.testing.assert_allclose(person.outline[BODY_26.index("left_knee")], truth.points[8], atol=1e-4)
    assert truth.height_px == pytest.approx(1000 / 5000 / 2 * (500 + 800) / 0.779, rel=0.15)
    assert 0.2 < person.inside.mean() < 1


def test_a_folder_without_clean_renders_is_refused(tmp_path: Path) -> None:
    feature_shard(tmp_path, people(2), np.array([0.5, 0.4]))
    with pytest.raises(DataError, match="no clean renders"):
        read_renders(tmp_path, 10)


def test_the_report_shows_medians_and_distances() -> None:
    cell = compare(np.array([1.0, 2, 3]), np.array([3.0, 4, 5]))
    shown = text({"sizes": {"renders": 3}, "without labels": {"photos": {"score": cell}}})
    assert "2 (1.5-2.5; 2.8)" in shown and "0.67" in shown
