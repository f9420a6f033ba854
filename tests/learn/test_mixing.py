"""Parts of annotated data: nested, of every subject, the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigmapose.errors import DataError
from sigmapose.learn.data.mixing import in_fraction, join, mix, take_fraction
from sigmapose.learn.teacher.pseudo_labels import taught
from taught_samples import ring, true_lesson, walk

IDS = np.array([f"s{k}" for k in range(2000)])
SUBJECTS = np.array([f"p{k % 7}" if k < 1900 else f"rare{k}" for k in range(2000)])


@pytest.mark.slow
@settings(deadline=None)  # a loaded machine is slow
@given(st.integers(0, 50), st.lists(st.sampled_from([0.01, 0.05, 0.2, 0.5, 1.0]), min_size=2, max_size=2))
def test_smaller_parts_lie_inside_larger_ones(seed: int, fractions: list[float]) -> None:
    small, large = (in_fraction(IDS, SUBJECTS, f, seed) for f in sorted(fractions))
    assert not (small & ~large).any()


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.2, 1.0])
def test_every_subject_gives_its_share_and_rare_ones_by_chance(fraction: float) -> None:
    chosen = in_fraction(IDS, SUBJECTS, fraction)
    for subject in {f"p{k}" for k in range(7)}:
        rows = subject == SUBJECTS
        assert abs(chosen[rows].sum() - fraction * rows.sum()) <= 1
    assert abs(chosen[1900:].sum() - 100 * fraction) <= 4 * np.sqrt(100 * fraction * (1 - fraction)) + 1


def test_the_order_of_the_samples_does_not_matter_and_the_seed_does() -> None:
    order = np.random.default_rng(0).permutation(2000)
    chosen = in_fraction(IDS, SUBJECTS, 0.2)
    assert np.array_equal(in_fraction(IDS[order], SUBJECTS[order], 0.2), chosen[order])
    assert not np.array_equal(in_fraction(IDS, SUBJECTS, 0.2, seed=1), chosen)
    with pytest.raises(DataError, match="give 0 to 1"):
        in_fraction(IDS, SUBJECTS, 1.2)


def test_a_mirrored_picture_goes_with_its_original() -> None:
    pictures = walk(40, ring(2))
    doubled = join([pictures, pictures])
    part = take_fraction(doubled, 0.2)
    assert sorted(part.id) == sorted(2 * take_fraction(pictures, 0.2).id.tolist())


def test_mixed_pictures_know_who_was_annotated() -> None:
    pictures = walk(40, ring(2))
    told = taught(pictures, true_lesson(pictures))
    mixed = mix(pictures, told, 0.25)
    assert mixed.annotated.sum() == 20 and (~mixed.annotated).sum() == 80
    assert mixed.teacher_cov is not None and (mixed.teacher_cov[mixed.annotated] == 0).all()
    assert len(mixed.tokens["heavy"]) == len(mixed) == len(mixed.views)


def test_an_encoder_of_one_part_is_not_valid_in_the_other() -> None:
    pictures = walk(4, ring(1))
    other = replace(pictures, tokens={"full": pictures.tokens["heavy"]}, valid={"full": np.ones(4, bool)})
    both = join([pictures, other])
    assert both.valid["heavy"].tolist() == [True] * 4 + [False] * 4
    assert both.valid["full"].tolist() == [False] * 4 + [True] * 4
    image = {"heavy": (np.ones((4, 26, 3), np.float16), np.ones((4, 5), np.float16))}
    with pytest.raises(DataError, match="image features of some pictures only"):
        join([pictures, replace(pictures, image=image)])
