"""Φ: masks are masks, covariances are covariances, the mirror is an involution, data frames agree."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from sigmapose.learn.convert.onnx_export import save_phi
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import Augmentation, BatchSource, sharpen, swap_sides
from sigmapose.learn.data.samples import ViewLabels, into_keypoints, make_batch, mirror
from sigmapose.learn.networks.phi import ROOT, SIGMA_FLOOR, DepthUncertaintyHead, PhiConfig
from sigmapose.learn.networks.tokens import EncoderStatistics, encoder_tokens, keypoint_tokens


def _views(count: int, seed: int = 0) -> ViewLabels:
    rng = np.random.default_rng(seed)
    joints = rng.normal(0, 300, (count, 26, 3))
    joints[:, ROOT] = 0
    place = np.stack(
        [rng.normal(0, 500, count), rng.normal(0, 300, count), rng.uniform(3000, 6000, count)], 1
    )
    seen = joints + place[:, None]
    focal = rng.uniform(800, 1500, count)
    return ViewLabels(
        points_px=seen[..., :2] / seen[..., 2:] * focal[:, None, None] + 500,
        depth_mm=joints[..., 2],
        root_depth_mm=place[:, 2],
        stature_mm=np.full(count, 1700.0),
        focal_px=focal,
        principal_px=np.full((count, 2), 500.0),
        image_size=np.full((count, 2), 1000.0),
        visibility=np.full((count, 26), -1),
    )


@pytest.mark.parametrize("covariance", ["fixed", "depth", "full"])
def test_covariances_are_positive_definite_above_the_floor(covariance: str) -> None:
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, covariance=covariance)).eval()
    with torch.no_grad():
        for scale in (0.0, 1.0, 1e4):
            answer = phi(scale * torch.randn(8, 26, 16), scale * torch.randn(8, 12))
            for tril in (answer.points_tril, answer.relative_tril):
                assert (torch.diagonal(tril, dim1=-2, dim2=-1) >= SIGMA_FLOOR).all()
                assert torch.linalg.eigvalsh((tril @ tril.mT).double()).min() > 0
            assert (answer.relative[:, ROOT] == 0).all()


def test_a_missing_joint_says_nothing() -> None:
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1)).eval()
    present = torch.rand(4, 26) > 0.3
    points, scores = torch.randn(4, 26, 2), torch.rand(4, 26)
    garbage = torch.where(present[..., None], points, torch.full_like(points, 77.0))
    context = torch.zeros(4, 12)
    with torch.no_grad():
        a = phi(keypoint_tokens(points, scores, present), context)
        b = phi(keypoint_tokens(garbage, torch.where(present, scores, torch.zeros(())), present), context)
    for x, y in zip(a, b, strict=True):
        assert torch.equal(x, y)


def test_tokens_do_not_depend_on_how_the_crop_is_turned() -> None:
    """The same person in two crops of one centre and size, one of them turned: equal upright tokens."""
    rng = torch.Generator().manual_seed(3)
    angle = torch.tensor([0.7])
    cos, sin = torch.cos(angle), torch.sin(angle)
    to_crop = torch.stack((torch.stack((cos, sin), -1), torch.stack((-sin, cos), -1)), -2)  # R(-angle)
    upright = EncoderStatistics(
        torch.rand(1, 39, 5, generator=rng) * 0.5,
        torch.randn(1, 39, 3, generator=rng),
        torch.rand(1, 39, 1, generator=rng) * torch.tensor([2e-3, 5e-4, 3e-3]),
        torch.rand(1, 39, 3, generator=rng) * 0.4,
    )

    def turn(xy: torch.Tensor) -> torch.Tensor:
        return xy @ to_crop.mT

    xx, xy, yy = upright.spread.unbind(-1)
    cov = torch.stack((torch.stack((xx, xy), -1), torch.stack((xy, yy), -1)), -2)
    turned_cov = to_crop[:, None] @ cov @ to_crop[:, None].mT
    turned = EncoderStatistics(
        torch.cat((turn(upright.landmarks[..., :2]), upright.landmarks[..., 2:]), -1),
        torch.cat((turn(upright.world[..., :2]), upright.world[..., 2:]), -1),
        torch.stack((turned_cov[..., 0, 0], turned_cov[..., 0, 1], turned_cov[..., 1, 1]), -1),
        torch.cat((turn(upright.heat[..., :2]), upright.heat[..., 2:]), -1),
    )
    a = encoder_tokens(upright, torch.tensor([[1.0, 0.0]]))
    b = encoder_tokens(turned, torch.stack((cos, sin), -1))
    assert torch.allclose(a, b, atol=1e-4)


def test_mirror_twice_is_the_identity_and_once_is_a_mirrored_scene() -> None:
    views = _views(6)
    tokens = np.random.default_rng(1).normal(size=(6, 26, 16)).astype(np.float32)
    known = np.ones(6, dtype=bool)
    args = {"encoder": np.full(6, "full"), "image_known": known, "focal_known": known}
    batch = make_batch(views, tokens, views.points_px[:, ROOT], np.full(6, 400.0), **args)
    twice = mirror(mirror(batch))
    for field in dataclasses.fields(batch):
        assert torch.equal(getattr(batch, field.name), getattr(twice, field.name))
    flip = np.array(
        [*[0], *[2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15], 17, 18, 19, 21, 20, 23, 22, 25, 24]
    )
    mirrored_points = views.points_px[:, flip] * [-1, 1] + [2 * 500.0, 0]
    mirrored = dataclasses.replace(views, points_px=mirrored_points, depth_mm=views.depth_mm[:, flip])
    other = make_batch(mirrored, tokens, mirrored_points[:, ROOT], np.full(6, 400.0), **args)
    assert torch.allclose(other.points, mirror(batch).points, atol=1e-5)
    assert torch.allclose(other.relative, mirror(batch).relative, atol=1e-5)
    assert torch.allclose(other.context, mirror(batch).context, atol=1e-5)


def test_targets_are_the_scene() -> None:
    """Root-relative millimetres come back from the targets by the camera's own formula."""
    from sigmapose.gaussian import relative_from_25d

    views = _views(5)
    size = np.full(5, 350.0)
    batch = make_batch(
        views,
        np.zeros((5, 26, 16), np.float32),
        views.points_px[:, ROOT] + 20,
        size,
        encoder=np.full(5, "none"),
        image_known=np.ones(5, bool),
        focal_known=np.ones(5, bool),
    )
    ray = np.concatenate([(views.points_px[:, ROOT] - 500) / views.focal_px[:, None], np.ones((5, 1))], 1)
    got = relative_from_25d(
        batch.relative.double().numpy(),
        np.zeros((5, 26, 3, 3)),
        scale_mm=batch.mm_per_crop.double().numpy(),
        crop_ratio=size / views.focal_px,
        root_ray=ray,
    )
    depth = views.root_depth_mm[:, None] + views.depth_mm
    camera = (
        np.concatenate([(views.points_px - 500) / views.focal_px[:, None, None], np.ones((5, 26, 1))], -1)
        * depth[..., None]
    )
    np.testing.assert_allclose(got.mean, camera - camera[:, ROOT : ROOT + 1], atol=0.05)


def test_forgetting_the_picture_keeps_the_joints_where_they_are() -> None:
    views = _views(7)
    tokens = np.random.default_rng(2).normal(size=(7, 26, 16)).astype(np.float32)
    tokens[..., 2] = np.random.default_rng(3).random((7, 26)) > 0.3
    centre, size = np.random.default_rng(4).normal(500, 50, (7, 2)), np.full(7, 300.0)
    bare, centre2, size2, usable = into_keypoints(views, tokens, centre, size)
    there = tokens[..., 2] > 0.5
    before = tokens[..., :2] * size[:, None, None] + centre[:, None]
    after = bare[..., :2] * size2[:, None, None] + centre2[:, None]
    np.testing.assert_allclose(after[there], before[there], rtol=1e-4, atol=0.05)
    assert usable.all() and (bare[..., 4:] == 0).all() and np.abs(bare[..., :2]).max() <= 0.5


def test_batches_depend_on_the_seed_only() -> None:
    source = BatchSource.create(None, lambda rng, n: _views(n, int(rng.integers(1 << 30))), Augmentation())
    a, b = (source.draw(np.random.default_rng(5), 64) for _ in range(2))
    other = source.draw(np.random.default_rng(6), 64)
    assert torch.equal(a.tokens, b.tokens) and a.tokens.shape == other.tokens.shape
    assert not torch.equal(a.tokens, other.tokens)
    assert torch.isfinite(a.tokens).all() and torch.isfinite(a.relative).all()


def test_swapping_sides_swaps_arms_or_legs_as_a_whole() -> None:
    points = np.random.default_rng(0).normal(size=(500, 26, 2))
    swapped = swap_sides(np.random.default_rng(1), points, 0.5)
    changed = (points != swapped).any(-1)
    assert 0.1 < (changed[:, 13]).mean() < 0.9
    np.testing.assert_array_equal(changed[:, 13], changed[:, 25])
    rows = changed[:, 13]
    np.testing.assert_array_equal(swapped[rows, 13], points[rows, 14])


def test_sharpening_moves_joints_in_view_to_the_truth_and_leaves_mistakes_alone() -> None:
    views = dataclasses.replace(_views(400), visibility=np.random.default_rng(8).integers(0, 4, (400, 26)))
    centre, size = views.points_px[:, ROOT], np.full(400, 900.0)
    truth = (views.points_px - centre[:, None]) / 900.0
    tokens = np.zeros((400, 26, 16), np.float32)
    tokens[..., :2] = truth + np.random.default_rng(9).normal(0, 0.03, truth.shape)
    tokens[..., 2] = 1
    sharper = sharpen(np.random.default_rng(10), views, tokens, centre, size, 1.0, 0.0)
    before, after = (np.linalg.norm(t[..., :2] - truth, axis=-1) for t in (tokens, sharper))
    moved = (views.visibility <= 1) & (before < 0.08)
    np.testing.assert_array_equal(after[~moved], before[~moved])
    assert (after[moved] <= before[moved] + 1e-6).all()
    assert after[moved].mean() == pytest.approx(before[moved].mean() / 2, rel=0.1)  # uniform factor in 0..1
    same = sharpen(np.random.default_rng(10), views, tokens, centre, size, 0.0, 0.0)
    np.testing.assert_allclose(same, tokens, atol=1e-6)


def test_eq1_is_read_as_a_standard_deviation_by_the_config() -> None:
    from sigmapose.learn.training.losses import EQ1_TO_STANDARD_DEVIATION

    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, covariance="depth")).eval()
    tokens, context = torch.randn(3, 26, 16), torch.zeros(3, 12)
    with torch.no_grad():
        raw = phi(tokens, context).relative_tril
        phi.config = dataclasses.replace(phi.config, depth_scale=EQ1_TO_STANDARD_DEVIATION)
        read = phi(tokens, context).relative_tril
    assert torch.allclose(read[..., 2, 2], raw[..., 2, 2] / 2**0.5)
    assert torch.equal(read[..., :2, :], raw[..., :2, :])


@pytest.mark.parametrize("covariance", ["fixed", "depth", "full"])
def test_a_saved_head_comes_back_with_its_covariance_family(tmp_path, covariance):
    torch.manual_seed(3)
    phi = DepthUncertaintyHead(PhiConfig(width=64, blocks=1, covariance=covariance)).eval()
    save_phi(phi, tmp_path / "phi.pt")
    again = load_phi(tmp_path / "phi.pt")
    tokens, context = torch.randn(2, 26, 16), torch.randn(2, 12)
    assert again.config == phi.config
    for a, b in zip(again(tokens, context), phi(tokens, context), strict=True):
        torch.testing.assert_close(a, b)
