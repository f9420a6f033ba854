"""Image features: sampled where they say, read only where there are any, one reader for each encoder."""

from __future__ import annotations

import math

import pytest
import torch

from sigmapose.errors import ModelError
from sigmapose.estimate.context import CONTEXT_FEATURES, ENCODERS, ENTRIES
from sigmapose.learn.networks.blazepose import FEATURES, sample_features
from sigmapose.learn.networks.linear import cholesky
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead, PhiConfig
from sigmapose.learn.networks.tokens import LOCAL_FEATURES, WHOLE_FEATURES, ImageFeatures, image_evidence
from sigmapose.learn.training.objective import drawn_error

CONFIG = PhiConfig(width=32, blocks=1, rank=3)


def shown(count: int, encoder: str) -> tuple[torch.Tensor, torch.Tensor, ImageFeatures]:
    generator = torch.Generator().manual_seed(5)
    context = torch.zeros(count, CONTEXT_FEATURES)
    context[:, ENTRIES.index(encoder)] = 1
    local, whole = FEATURES[encoder]  # type: ignore[index]
    image = image_evidence(
        6 * torch.rand(count, 39, local, generator=generator),
        6 * torch.rand(count, whole, generator=generator),
        torch.tensor([[1.0, 0.0]] * count),
    )
    return torch.randn(count, 26, 16, generator=generator), context, image


def test_features_are_sampled_where_the_heatmaps_would_peak() -> None:
    """Cell i stands for i / n: a ramp along x has at p the value n (p + 1/2)."""
    ramp = torch.arange(64.0).expand(2, 1, 64, 64)
    points = torch.tensor([[[0.0, 0.0], [-0.25, 0.3], [0.1234, -0.4]]] * 2)
    sampled = sample_features(torch.cat((ramp, ramp.transpose(-1, -2)), 1), points)
    torch.testing.assert_close(sampled, 64 * (points + 0.5), atol=1e-4, rtol=1e-5)
    assert not sample_features(ramp, torch.full((2, 1, 2), 0.9)).any(), "nothing outside the crop"


def test_masked_features_say_nothing() -> None:
    phi = DepthUncertaintyHead(CONFIG).eval()
    tokens, context, image = shown(4, "full")
    none = ImageFeatures(image.local * 9, image.whole * 9, image.rotation, torch.zeros(4))
    for a, b in zip(phi(tokens, context, none), phi(tokens, context), strict=True):
        assert torch.equal(a, b)
    assert not torch.allclose(phi(tokens, context, image).relative, phi(tokens, context).relative)


@pytest.mark.parametrize("encoder", ["lite", "full", "heavy"])
def test_a_network_for_one_encoder_answers_as_the_whole_one(encoder: str) -> None:
    phi = DepthUncertaintyHead(CONFIG).eval()
    given = shown(3, encoder)
    for a, b in zip(phi(*given), phi.only(encoder)(*given), strict=True):
        torch.testing.assert_close(a, b)
    assert len(phi.readers) == 3 and len(phi.only(encoder).readers) == 1


def test_rows_of_different_encoders_go_to_their_readers() -> None:
    phi = DepthUncertaintyHead(CONFIG).eval()
    parts = [shown(2, name) for name in ENCODERS[1:]]
    tokens, context = (torch.cat([p[k] for p in parts]) for k in (0, 1))
    image = ImageFeatures(*(torch.cat(values) for values in zip(*(p[2] for p in parts), strict=True)))
    assert image.local.shape[-1] == LOCAL_FEATURES and image.whole.shape[-1] == WHOLE_FEATURES
    together = phi(tokens, context, image).relative
    torch.testing.assert_close(together, torch.cat([phi(*p).relative for p in parts]))


def test_blocks_of_the_pose_covariance_are_those_of_the_joints() -> None:
    phi = DepthUncertaintyHead(CONFIG).eval()
    answer = phi(*shown(3, "heavy"))
    own = answer.own_tril @ answer.own_tril.mT
    whole = answer.relative_tril @ answer.relative_tril.mT
    torch.testing.assert_close(whole, own + answer.factors @ answer.factors.mT, atol=1e-6, rtol=1e-4)
    assert answer.factors.shape == (3, 26, 3, 3) and not answer.factors[:, ROOT].any()
    assert DepthUncertaintyHead(PhiConfig(width=8, blocks=1))(*shown(2, "lite")).factors.shape[-1] == 0


def test_a_taught_target_scatters_by_the_teachers_covariance() -> None:
    torch.manual_seed(0)
    root = torch.tril(torch.rand(3, 3)) + torch.eye(3)
    teacher = (root @ root.mT).expand(40_000, 1, 3, 3).clone()
    teacher[::2] = 0
    drawn = drawn_error(teacher)[:, 0]
    assert not drawn[::2].any()
    torch.testing.assert_close(drawn[1::2].T @ drawn[1::2] / 20_000, root @ root.mT, atol=0.06, rtol=0.03)
    assert not drawn_error(torch.zeros(2, 4, 3, 3)).any()
    assert math.isclose(float(cholesky(torch.zeros(1, 1), 0.5)), 0.5)


def test_a_student_of_a_noisy_teacher_learns_its_own_doubt_and_not_the_teachers() -> None:
    """Targets scatter by the student's 0.3 and the teacher's 0.4: what is learned is 0.3."""
    from sigmapose.learn.training import losses

    torch.manual_seed(0)
    apart = 0.3 * torch.randn(20_000, 1, 3)
    log_sigma = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.Adam([log_sigma], lr=0.05)
    for _ in range(150):
        tril = torch.exp(log_sigma) * torch.eye(3).expand(20_000, 1, 3, 3)
        target = apart + drawn_error(0.16 * torch.eye(3).expand(20_000, 1, 3, 3))
        loss = losses.nll(target, tril).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert abs(float(log_sigma.detach().exp()) - 0.5) < 0.01


def test_weights_of_an_earlier_network_are_taken_over() -> None:
    torch.manual_seed(1)
    earlier = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, image=False)).eval()
    torch.nn.init.normal_(earlier.mean.weight, std=0.2)
    later = DepthUncertaintyHead(CONFIG).eval()
    later.adopt(earlier)
    given = shown(3, "full")
    torch.testing.assert_close(later(*given).relative, earlier(*given[:2]).relative)
    with pytest.raises(ModelError, match="network 32 wide fits one 48 wide: start from another"):
        DepthUncertaintyHead(PhiConfig(width=48, blocks=2)).adopt(
            DepthUncertaintyHead(PhiConfig(width=32, blocks=1, image=False))
        )
