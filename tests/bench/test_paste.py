"""Laws of pasted occluders: the silhouette holds the person, the aim is reached, equal seeds are equal."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.bench import flat_occluders, paste
from sigmapose.bench.pose2sim import JOINTS
from sigmapose.errors import DataError
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26
from sigmapose.synth.render.cutouts import PictureFolder

SHAPE = (480, 360)


def person(rng: np.random.Generator, joints: tuple[str, ...] = BODY_26.joints) -> np.ndarray:
    """Somebody upright, 300 px tall, limbs turned at random."""
    unit, points = 300.0, {"mid_hip": np.array([180.0, 240.0])}

    def add(name: str, base: str, length: float, degrees: float) -> None:
        turn = np.deg2rad(degrees)
        points[name] = points[base] + length * unit * np.array([np.sin(turn), np.cos(turn)])

    add("neck", "mid_hip", 0.288, 180 + rng.normal(0, 8))
    add("head_top", "neck", 0.18, 180 + rng.normal(0, 8))
    add("nose", "neck", 0.1, 180)
    for sign, side in ((1, "left"), (-1, "right")):
        add(f"{side}_ear", "nose", 0.03, sign * 95)
        add(f"{side}_eye", "nose", 0.02, 180 - sign * 40)
        add(f"{side}_shoulder", "neck", 0.1, sign * 90)
        add(f"{side}_hip", "mid_hip", 0.05, sign * 90)
        add(f"{side}_elbow", f"{side}_shoulder", 0.17, sign * rng.uniform(0, 120))
        add(f"{side}_wrist", f"{side}_elbow", 0.146, sign * rng.uniform(0, 160))
        add(f"{side}_knee", f"{side}_hip", 0.245, sign * rng.uniform(-10, 50))
        add(f"{side}_ankle", f"{side}_knee", 0.246, sign * rng.uniform(-30, 20))
        add(f"{side}_heel", f"{side}_ankle", 0.03, -sign * 30)
        add(f"{side}_big_toe", f"{side}_ankle", 0.09, sign * 70)
        add(f"{side}_small_toe", f"{side}_ankle", 0.08, sign * 80)
    return np.array([points.get(name, (np.nan, np.nan)) for name in joints])


@pytest.mark.parametrize("joints", [BODY_26.joints, JOINTS, BLAZEPOSE_33.joints])
def test_the_silhouette_holds_every_joint_and_little_else(joints: tuple[str, ...]) -> None:
    for seed in range(20):
        points = person(np.random.default_rng(seed), joints)
        mask = paste.silhouette(points, joints, SHAPE)
        known = points[np.isfinite(points).all(1)]
        inside = mask[tuple(np.rint(known[:, ::-1]).astype(int).T)]
        assert inside.mean() > 0.95 and 0.06 < mask.sum() / 300**2 < 0.23


def test_the_size_of_a_person_comes_from_the_least_shortened_bones() -> None:
    points = person(np.random.default_rng(0))
    assert paste.stand_of(points, BODY_26.joints).unit_px == pytest.approx(300, rel=1e-6)
    shortened = points.copy()
    shortened[BODY_26.index("left_elbow")] = points[BODY_26.index("left_shoulder")]
    assert paste.stand_of(shortened, BODY_26.joints).unit_px == pytest.approx(300, rel=1e-6)


def test_a_frame_needs_two_bones() -> None:
    with pytest.raises(DataError, match="a person's frame needs a hip and two bones"):
        paste.stand_of(np.array([[0.0, 0], [10, 10]]), ("left_hip", "left_knee"))


def scene(seed: int, angle: float = 0.0) -> tuple[np.ndarray, paste.Stand, np.ndarray]:
    points = person(np.random.default_rng(seed))
    stand = paste.stand_of(points, BODY_26.joints, angle)
    return points, stand, paste.canvas_silhouette(points, BODY_26.joints, stand, SHAPE)


def library() -> PictureFolder:
    """One cut-out: an opaque disc."""
    disc = np.zeros((90, 120, 4), np.uint8)
    cv2.ellipse(disc, (60, 45), (55, 40), 0, 0, 360, (30, 90, 200, 255), -1)
    return PictureFolder((disc,))


def test_the_aimed_share_of_a_person_is_hidden() -> None:
    for severity in (0.2, 0.4, 0.6, 0.8):
        off = []
        for seed in range(10):
            points, stand, mask = scene(seed, angle=0.3 * (seed % 3))
            rng = np.random.default_rng([7, seed])
            occlusion = paste.place(rng, library() if seed % 2 else None, mask[None], severity)
            picture = paste.silhouette(points, BODY_26.joints, SHAPE)
            measured = (occlusion.layer(stand, SHAPE)[..., 3] > 0.5)[picture].mean()
            off.append(abs(measured - severity))
            assert occlusion.reached == pytest.approx(measured, abs=0.03)
        assert np.median(off) <= 0.02 and max(off) <= 0.05


def test_an_equal_seed_gives_an_equal_layer_and_another_one_another() -> None:
    _, stand, mask = scene(0)
    first, again, other = (
        paste.place(np.random.default_rng(seed), None, mask[None], 0.4).layer(stand, SHAPE)
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_layer_paste_and_hides_agree() -> None:
    points, stand, mask = scene(1)
    picture = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    before = picture.copy()
    for seed in range(8):
        occlusion = paste.place(np.random.default_rng(seed), None, mask[None], 0.5)
        layer = occlusion.layer(stand, SHAPE)
        assert (layer[..., :3] <= layer[..., 3:] + 1e-3).all()
        pasted = occlusion.paste(picture, stand)
        mixed = 255 * layer[..., :3] + picture * (1 - layer[..., 3:])
        assert np.abs(pasted - mixed).max() < 1.6
        untouched = layer[..., 3] == 0
        np.testing.assert_array_equal(pasted[untouched], picture[untouched])
        alpha = layer[tuple(np.rint(points[:, ::-1]).astype(int).T)][:, 3]
        sure = np.abs(alpha - 0.5) > 0.45
        assert (occlusion.hides(stand, points) == (alpha > 0.5))[sure].mean() > 0.9
    np.testing.assert_array_equal(picture, before)


def test_a_point_that_is_unknown_is_not_hidden() -> None:
    _, stand, mask = scene(2)
    occlusion = paste.place(np.random.default_rng(0), None, mask[None], 0.8)
    assert not occlusion.hides(stand, np.full((3, 2), np.nan)).any()


def test_an_occlusion_follows_the_person() -> None:
    """Moving and enlarging the person moves and enlarges what hides them."""
    points, stand, mask = scene(3)
    occlusion = paste.place(np.random.default_rng(1), None, mask[None], 0.5)
    hidden = occlusion.hides(stand, points)
    assert 0 < hidden.sum() < 26
    moved = 2.5 * points + (400, -90)
    np.testing.assert_array_equal(occlusion.hides(paste.stand_of(moved, BODY_26.joints), moved), hidden)


def test_nothing_is_pasted_at_severity_zero() -> None:
    _, stand, mask = scene(4)
    occlusion = paste.place(np.random.default_rng(0), None, mask[None], 0.0)
    picture = np.full((*SHAPE, 3), 90, np.uint8)
    np.testing.assert_array_equal(occlusion.paste(picture, stand), picture)
    assert occlusion.reached == 0


@pytest.mark.parametrize("kind", list(flat_occluders.KINDS))
def test_every_kind_hides_more_and_more(kind: str) -> None:
    _, _, mask = scene(5)
    rows, columns = np.nonzero(mask)
    body = (np.stack([columns, rows], 1) - paste.CANVAS.origin_px) / paste.CANVAS.unit_px
    sweep = flat_occluders.grown(np.random.default_rng(2), kind, None, body)
    shares = [paste.Occlusion((sweep(t),)).canvas()[mask].mean() for t in np.linspace(0, 1, 6)]
    assert shares[0] < 0.1 and max(shares) > 0.3 and np.diff(shares).min() > -0.06


def test_severity_and_person_are_checked() -> None:
    _, _, mask = scene(6)
    with pytest.raises(DataError, match="give 0 to 1"):
        paste.place(np.random.default_rng(0), None, mask[None], 1.2)
    with pytest.raises(DataError, match="no silhouette lies in the picture"):
        paste.place(np.random.default_rng(0), None, np.zeros_like(mask)[None], 0.4)


def test_cut_outs_of_a_folder_are_used(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "disc.png"), library().pictures[0])
    _, _, mask = scene(7)
    folder = PictureFolder.read(tmp_path)
    kinds = {
        prop.kind
        for seed in range(12)
        for prop in paste.place(np.random.default_rng(seed), folder, mask[None], 0.3).props
    }
    assert "cutout" in kinds and len(kinds) > 1
