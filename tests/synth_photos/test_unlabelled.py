"""Photos nobody annotated: who is found, what is stored, and that the clean crop is the student's crop."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigmapose.data.sample import Sample
from sigmapose.data.shard_reader import read_shards
from sigmapose.data.shards import Manifest
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError
from sigmapose.estimate.crop import Crop
from sigmapose.estimate.crop import sample as cut
from sigmapose.io.images import read_image
from sigmapose.photos.found_people import PeopleFinder, subject_of
from sigmapose.photos.photo_shards import (
    MASK_FACT,
    MASK_SIDE,
    UnlabelledPlan,
    jittered,
    make_unlabelled,
    make_variant,
    mask_text,
    pasted_over,
    pixels_inside,
    read_mask,
    split_of_subject,
)
from sigmapose.synth.render.cameras import CropJitter
from sigmapose.synth.render.cutouts import PictureFolder
from sigmapose.synth.render.flat import cover, panel, silhouette_of
from sigmapose.synth.render.shot_geometry import GRID

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
NO_CUTOUTS = PictureFolder()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[UnlabelledPlan, list[Sample]]:
    """Shards of a real photo, a real video's first frame, a file that is no picture and an empty wall."""
    photos, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("shards")
    shutil.copy(EXAMPLES / "behind_tree.jpg", photos / "tree_0.jpg")
    shutil.copy(EXAMPLES / "balance.mp4", photos)
    (photos / "broken.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(photos / "wall.png"), np.full((200, 300, 3), 90, np.uint8))
    plan = UnlabelledPlan(photos, out, variants=4, val_share=0.0, every_s=1000.0, workers=1, shard_size=3)
    assert sum(make_unlabelled(plan)) == Manifest.load(out / "train").samples
    return plan, list(read_shards(out / "train"))


def test_people_are_found_in_photos_and_videos(made) -> None:
    _, samples = made
    assert {s.clip for s in samples} == {"tree_0.jpg", "balance.mp4"}, "not on a wall"
    assert all(s.split is Split.TRAIN and s.source == "unlabelled" for s in samples)
    assert len({s.id for s in samples}) == len(samples) and len(samples) % 4 == 0
    assert all(s.joints_mm is None and s.points_px is None for s in samples), "nobody annotated them"


def test_the_clean_picture_is_the_photo_in_the_students_crop(made) -> None:
    _, samples = made
    photo = read_image(EXAMPLES / "behind_tree.jpg")
    for sample in (s for s in samples if s.clip == "tree_0.jpg"):
        x, y, size, angle = sample.crop.tolist()
        pixels = cut(photo, Crop((x, y), size, angle)).astype(int)
        assert np.abs(sample.clean_picture.read() - pixels).mean() < 4, "only JPEG lies between"


def test_students_and_clean_picture_differ_where_something_was_pasted(made) -> None:
    _, samples = made
    covered = [s for s in samples if s.facts["occluded_fraction"] > 0.05]
    ratios = []
    for sample in covered:
        difference = np.abs(sample.read_picture().astype(int) - sample.clean_picture.read()).mean(2)
        mask = cv2.resize(read_mask(sample.facts[MASK_FACT]).astype(np.uint8), (256, 256), interpolation=0)
        ratios.append(difference[mask > 0].mean() / difference[mask == 0].mean())
        assert (sample.visibility == 2).any() or sample.facts["occluded_fraction"] < 0.3
    assert np.median(ratios) > 2 and min(ratios) > 1.2, "elsewhere only the camera's faults"


def test_a_lost_shard_is_made_again_to_the_byte_by_any_number_of_workers(made) -> None:
    plan, _ = made
    folder = plan.out / "train"
    before = Manifest.load(folder)
    (folder / before.shards[1].name).unlink()
    assert sum(make_unlabelled(replace(plan, workers=2))) == before.samples
    assert Manifest.load(folder) == before


@pytest.mark.slow
def test_nobody_in_the_photos(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 90, np.uint8))
    with pytest.raises(DataError, match="nobody was found"):
        list(make_unlabelled(UnlabelledPlan(tmp_path, tmp_path / "out", workers=1)))
    with pytest.raises(DataError, match="no photo or video"):
        list(make_unlabelled(UnlabelledPlan(tmp_path / "out", tmp_path / "out2", workers=1)))
    with pytest.raises(InputError, match=r"severity 0\.9 to 0\.2"):
        UnlabelledPlan(tmp_path, tmp_path, severity=(0.9, 0.2))
    with pytest.raises(InputError, match=r"stray share 1\.5"):
        UnlabelledPlan(tmp_path, tmp_path, stray_share=1.5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_the_crops_strays(share: float) -> None:
    photo = read_image(EXAMPLES / "behind_tree.jpg")
    person = PeopleFinder().in_picture(photo, "tree.jpg")[0]
    plan = UnlabelledPlan(EXAMPLES, EXAMPLES, stray_share=share)
    made = [make_variant(plan, Split.TRAIN, person, photo, k, NO_CUTOUTS).crop for k in range(20)]
    turned = max(abs(crop[3] - person.crop[3]) for crop in made if crop is not None)
    assert (turned > np.deg2rad(12.1)) == (share == 1.0)


def test_found_crops_hold_the_person() -> None:
    photo = read_image(EXAMPLES / "behind_tree.jpg")
    people = PeopleFinder().in_picture(photo, "tree.jpg")
    assert people
    for person in people:
        x, y, size, angle = person.crop
        inside = np.abs(Crop((x, y), size, angle).to_crop(np.array(person.landmarks_px))) < 0.5
        assert inside.all(-1).mean() > 0.9


def test_a_series_of_photos_is_one_subject_and_a_camera_roll_is_not() -> None:
    assert subject_of("gym/squat_0.jpg") == subject_of("gym/squat_1.jpg") == "gym/squat"
    assert subject_of("IMG_0001.jpg") != subject_of("IMG_0002.jpg")
    assert subject_of("walk.mp4") == "walk.mp4"


def test_the_split_of_a_subject_takes_about_its_share() -> None:
    val = [split_of_subject(f"person {i}", 0.15) is Split.VAL for i in range(4000)]
    assert 0.12 < np.mean(val) < 0.18


def person() -> np.ndarray:
    """(33, 2) landmarks of somebody who stands upright, arms hanging."""
    x = np.zeros(33)
    y = np.concatenate([np.linspace(-0.36, -0.32, 11), [-0.25] * 2, [-0.12] * 2, [0.0] * 8, [0.0] * 2])
    y = np.concatenate([y, [0.18] * 2, [0.36] * 2, [0.38] * 2, [0.39] * 2])
    x[11:] = np.tile([0.08, -0.08], 11)
    x[[13, 14, 15, 16, 17, 18, 19, 20, 21, 22]] *= 1.6
    return np.stack([x, y], 1)


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.3, 0.5, 0.7]))
def test_coverings_hide_about_what_was_asked(seed: int, aim: float) -> None:
    silhouette, inside = silhouette_of(person()), np.ones((64, 64), bool)
    inside[:, 50:] = False
    rng = np.random.default_rng(seed)
    found = cover(rng, NO_CUTOUTS, silhouette, aim, inside)
    assert found.hidden <= aim + 0.05
    assert not found.layer[:, 50:].any(), "nothing is pasted beyond the picture"
    assert (found.layer[..., :3] <= found.layer[..., 3:] + 1e-5).all(), "premultiplied"


def test_coverings_reach_their_aim_on_average_and_zero_pastes_nothing() -> None:
    silhouette, inside = silhouette_of(person()), np.ones((64, 64), bool)
    rng = np.random.default_rng(0)
    reached = [cover(rng, NO_CUTOUTS, silhouette, 0.5, inside).hidden for _ in range(40)]
    assert abs(np.mean(reached) - 0.5) < 0.05
    assert not cover(rng, NO_CUTOUTS, silhouette, 0.0, inside).layer.any()


def test_a_silhouette_grows_with_the_person_and_wants_all_landmarks() -> None:
    near, far = silhouette_of(person()).sum(), silhouette_of(person() * 0.5).sum()
    assert 3.5 < near / far < 4.5
    with pytest.raises(DataError, match="33 landmarks"):
        silhouette_of(np.full((33, 2), np.nan))


@given(st.integers(0, 2**32 - 1))
def test_masks_survive_their_text(seed: int) -> None:
    mask = np.random.default_rng(seed).random((MASK_SIDE, MASK_SIDE)) < 0.3
    assert np.array_equal(read_mask(mask_text(mask)), mask)
    assert not read_mask("").any()


def test_points_behind_the_mask_are_hidden_and_others_unknown() -> None:
    mask = np.zeros((MASK_SIDE, MASK_SIDE), bool)
    mask[:, : MASK_SIDE // 2] = True
    points = np.array([[-0.2, 0.1], [0.2, 0.1], [-0.6, 0.0], [np.nan, 0.0], [-0.499, 0.499]])
    assert pasted_over(points, mask).tolist() == [2, -1, -1, -1, 2]
    with pytest.raises(DataError, match="32x32 bits"):
        read_mask("abc")


@given(st.integers(0, 10_000), st.floats(0.03, 0.9))
def test_a_panel_hides_what_it_shall(seed: int, aim: float) -> None:
    person = np.zeros((GRID, GRID))
    person[GRID // 8 : -GRID // 8, GRID // 3 : -GRID // 3] = 1.0
    found = panel(np.random.default_rng(seed), aim, person)
    assert (person * found.covered).sum() / person.sum() == pytest.approx(aim, abs=0.08)


@given(st.integers(0, 10_000))
def test_jittered_crops_stay_near(seed: int) -> None:
    crop, jitter = Crop((300.0, 200.0), 250.0, 0.3), CropJitter()
    moved = jittered(np.random.default_rng(seed), crop, jitter)
    assert 0.79 <= moved.size_px / crop.size_px <= 1.31
    assert np.abs(np.subtract(moved.center_px, crop.center_px)).max() <= 0.081 * moved.size_px
    assert abs(moved.angle_rad - crop.angle_rad) <= np.deg2rad(12.01)


def test_pixels_inside_agree_with_a_white_picture() -> None:
    crop = Crop((40.0, 30.0), 120.0, 0.4)
    white = cut(np.full((90, 140, 3), 255, np.uint8), crop)[..., 0] > 127
    assert (pixels_inside((90, 140), crop) != white).mean() < 0.01
