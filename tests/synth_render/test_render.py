"""Whole shots of a mannequin: seeds, twins, severity, labels."""

from __future__ import annotations

import numpy as np
import pytest

from mannequin import mannequin, mannequin_atlas
from sigmapose.synth.render.cameras import Crops, ViewRange, sample_crops, sample_views, true_crops
from sigmapose.synth.render.cutouts import PictureFolder
from sigmapose.synth.render.studio import SceneRange, Shot, Studio
from sigmapose.synth.render.visibility import OBJECT_OCCLUDED, TRUNCATED
from walking_person import walking_joints_mm

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def walkers(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([walking_joints_mm(p, h) for p, h in rng.uniform(0, [6.28, 360], (count, 2))])


@pytest.fixture(scope="module")
def studio() -> Studio:
    photo = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    cutout = np.zeros((60, 40, 4), np.uint8)
    cutout[5:55, 5:35] = (90, 40, 160, 255)
    range_ = SceneRange(occluded_share=1.0, severity=(0.05, 0.8))
    return Studio(mannequin_atlas(), PictureFolder((photo,)), PictureFolder((cutout,)), range_)


def shots(studio: Studio, count: int, seed: int, inside: float = 0.7, **keywords) -> list[Shot]:
    joints = walkers(count, seed=21)
    views = sample_views(np.random.default_rng(8), joints, ViewRange(inside_share=inside))
    crops = sample_crops(np.random.default_rng(8), views.points_px)
    bodies = [mannequin(j)[0] for j in joints]
    return [
        studio.shoot(
            np.random.default_rng([seed, i]), bodies[i], views, crops, i, 1700.0,
            others_mm=[bodies[i - 1]], **keywords,
        )
        for i in range(count)
    ]  # fmt: skip


def test_pictures_are_determined_by_the_seed(studio: Studio) -> None:
    first, again, other = (shots(studio, 3, seed, twin=True) for seed in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a.picture, b.picture) and np.array_equal(a.visibility, b.visibility)
        assert a.clean is not None and np.array_equal(a.clean, b.clean) and a.kinds == b.kinds
        assert not np.array_equal(a.picture, c.picture)


@pytest.mark.slow
def test_what_was_drawn_before_does_not_matter(studio: Studio) -> None:
    fresh = Studio(studio.atlas, studio.backgrounds, studio.occluders, studio.scene)
    for used, new in zip(shots(studio, 3, 5), shots(fresh, 3, 5), strict=True):
        assert np.array_equal(used.picture, new.picture)


def test_nothing_in_front_is_the_twin(studio: Studio) -> None:
    hidden, plain = shots(studio, 6, 2, severity=0.5, twin=True), shots(studio, 6, 2, severity=0.0)
    for a, b in zip(hidden, plain, strict=True):
        assert b.occluded_fraction == 0 and b.kinds == () and b.clean is None
        assert a.clean is not None and np.array_equal(a.clean, b.picture)
        assert np.array_equal(a.person, b.person)
        assert not np.array_equal(a.picture, a.clean)


def test_away_from_what_is_in_front_only_shadows_differ(studio: Studio) -> None:
    """Shadows darken; at least half of every picture is not even in shadow."""
    same = []
    for shot in shots(studio, 8, 3, severity=0.3, faults=False, twin=True):
        assert shot.clean is not None
        same.append((shot.picture == shot.clean).all(-1).mean())
    assert np.median(same) > 0.5 and min(same) < 0.999


def test_severity_is_reached(studio: Studio) -> None:
    made = shots(studio, 24, seed=6)
    aim, reached = (np.array([getattr(s, n) for s in made]) for n in ("severity", "occluded_fraction"))
    assert np.ptp(aim) > 0.5 and reached.max() <= 0.86
    assert np.median(np.abs(reached - aim)) <= 0.05
    labelled = np.array([(s.visibility == OBJECT_OCCLUDED).mean() for s in made])
    assert np.corrcoef(labelled, reached)[0, 1] > 0.6
    assert len({kind for s in made for kind in s.kinds}) >= 6


@pytest.mark.slow
def test_a_share_of_pictures_stays_free() -> None:
    some = Studio(mannequin_atlas(), scene=SceneRange(occluded_share=0.5))
    free = np.array([s.severity == 0 for s in shots(some, 24, seed=1)])
    assert 0.2 < free.mean() < 0.8


@pytest.mark.slow
def test_clean_scenes_show_the_person_against_the_scene() -> None:
    clean = Studio(mannequin_atlas(), scene=SceneRange(clean=True))
    for shot in shots(clean, 4, seed=2):
        assert shot.occluded_fraction == 0 and not (shot.visibility == OBJECT_OCCLUDED).any()
        assert shot.picture[shot.person].std() > 5


def test_joints_outside_the_picture_are_truncated(studio: Studio) -> None:
    joints = walkers(40, seed=3)
    views = sample_views(np.random.default_rng(3), joints)
    cut = (~views.inside()).any(1)
    assert 0.12 < cut.mean() < 0.5
    crops = true_crops(views.points_px)
    for i in np.flatnonzero(cut)[:4]:
        body = mannequin(joints[i])[0]
        shot = studio.shoot(np.random.default_rng(i), body, views, crops, int(i), 1700.0)
        assert np.array_equal(shot.visibility == TRUNCATED, ~views.inside()[i])


def test_outside_the_picture_is_black(studio: Studio) -> None:
    joints = walkers(1, seed=30)
    views = sample_views(np.random.default_rng(1), joints, ViewRange(inside_share=1.0))
    crops = true_crops(views.points_px)
    pushed = Crops(np.array([[0.0, views.image_size[0, 1] / 2]]), crops.size_px, np.zeros(1))
    shot = studio.shoot(np.random.default_rng(0), mannequin(joints[0])[0], views, pushed, 0, 1700.0)
    assert shot.picture[:, :127].max() == 0
    assert shot.picture[100:150, 130:].max() > 0
