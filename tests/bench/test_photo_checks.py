"""Checks on photos without labels: what a mirrored, a scaled and a straight person must give."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.bench.photo_checks import angles_deg, at_size, straight_in_picture, unmirrored
from sigmapose.bench.photo_pairs import held_out, pairs
from sigmapose.bench.pose2sim import JOINTS
from sigmapose.camera import Camera
from sigmapose.errors import DataError
from sigmapose.evaluate.frames import Predictions
from sigmapose.photos.found_people import FoundPerson
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26
from walking_person import walking_joints_mm

INDEX = [BODY_26.index(name) for name in JOINTS]
SIZE = (480, 640)


def _person(joints_mm: np.ndarray, file: str = "walk_0.png") -> FoundPerson:
    """Somebody 4 m in front of a camera, as the finder would describe them."""
    width, height = SIZE
    at = Camera.from_fov(width, height, 50.0).project(joints_mm + np.array([0.0, 0.0, 4000.0]))
    named = dict(zip(BODY_26.joints, at.tolist(), strict=True))
    middle = at.mean(0).tolist()
    points = tuple(tuple(named.get(name, named["nose"])) for name in BLAZEPOSE_33.joints)
    return FoundPerson(
        file=file, frame=-1, number=0, subject="walk", crop=(middle[0], middle[1], 450.0, 0.1),
        landmarks_px=points, scores=(1.0,) * 33, flag=1.0, peak=1.0, size=SIZE, focal_px=None,
    )  # fmt: skip


def _standing() -> np.ndarray:
    """Legs and arms that hang straight down."""
    walking, down = walking_joints_mm(0.0, 0.0), np.array([0.0, 1.0, 0.0])
    joints = walking.copy()
    for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        for side in ("left", "right"):
            a, b, c = (BODY_26.index(f"{side}_{part}") for part in chain)
            joints[b] = joints[a] + down * np.linalg.norm(walking[b] - walking[a])
            joints[c] = joints[b] + down * 0.9 * np.linalg.norm(joints[b] - joints[a])
    return joints


def test_a_mirrored_person_mirrored_back_is_the_person() -> None:
    joints = walking_joints_mm(0.6)
    image = (joints * np.array([-1.0, 1.0, 1.0]))[list(BODY_26.flip)]
    np.testing.assert_allclose(unmirrored(image[None, INDEX]), joints[None, INDEX])


def test_agreement_does_not_depend_on_the_size_a_program_takes_people_to_have() -> None:
    goal = walking_joints_mm(0.6)[None, INDEX]
    cov = np.broadcast_to(25.0 * np.eye(3), (1, 12, 3, 3))
    told = at_size(Predictions(0.8 * goal, cov_mm2=cov), goal)
    np.testing.assert_allclose(told.joints_mm, goal)
    assert told.cov_mm2 is not None
    np.testing.assert_allclose(told.cov_mm2, cov / 0.8**2)


def test_straight_limbs_are_those_that_no_bent_one_looks_like() -> None:
    standing = _standing()
    assert straight_in_picture(_person(standing), "knee").all()
    assert straight_in_picture(_person(standing), "elbow").all()
    np.testing.assert_allclose(angles_deg(standing[None, INDEX], "knee"), 180.0, atol=0.1)
    kneeling, towards = standing.copy(), standing.copy()
    ankle, knee = BODY_26.index("left_ankle"), BODY_26.index("left_knee")
    kneeling[ankle] = kneeling[knee] + [180.0, 330.0, 0.0]  # bent to the side
    towards[ankle] = towards[knee] + [0.0, 190.0, 330.0]  # bent away from the camera: straight, but short
    for bent in (kneeling, towards):
        assert straight_in_picture(_person(bent), "knee").tolist() == [False, True]
    lying = standing[:, [1, 0, 2]]
    assert not straight_in_picture(_person(lying), "knee").any()


def test_what_covers_a_person_is_the_same_every_time_and_leaves_the_clean_photo_alone(tmp_path: Path) -> None:
    grey = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    grey[:, : SIZE[0] // 2] = 90
    cv2.imwrite(str(tmp_path / "walk_0.png"), grey)
    one, again = (next(iter(pairs(tmp_path, [_person(_standing())]))) for _ in range(2))
    pictures = [getattr(one, kind).read_picture() for kind in ("clean", "covered", "mirrored")]
    np.testing.assert_array_equal(pictures[1], again.covered.read_picture())
    changed = (pictures[0] != pictures[1]).any(-1).mean()
    assert 0.02 < changed < 0.6 and one.hidden == pytest.approx(0.4, abs=0.1)
    np.testing.assert_allclose(pictures[2], pictures[0][:, ::-1], atol=1)


def test_photos_that_training_uses_are_left_out(tmp_path: Path) -> None:
    for k in range(60):
        (tmp_path / f"jump{k}_0.jpg").touch()
    kept = held_out(tmp_path, 60)
    assert 0 < len(kept) < 25
    assert len(held_out(tmp_path, 3)) == 3 and set(held_out(tmp_path, 3)) <= set(kept)
    taught = next(f"jump{k}_0.jpg" for k in range(60) if f"jump{k}_0.jpg" not in kept)
    for name in kept:
        (tmp_path / name).unlink()
    assert (tmp_path / taught).exists()
    with pytest.raises(DataError, match="held out of training"):
        held_out(tmp_path, 60)
