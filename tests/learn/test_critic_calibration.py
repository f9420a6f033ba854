"""Calibration of the critic: it recovers what was put in, and leaves a right covariance alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from sigmapose.estimate.context import ENCODER_ENTRIES
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.onnx_export import export_lift_model
from sigmapose.learn.convert.onnx_load import load_critic, load_judged, load_phi
from sigmapose.learn.networks.critic import CriticConfig, PoseCritic, spread_mm
from sigmapose.learn.networks.judged_head import JudgedHead, believed
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead, Gaussian25D, PhiConfig
from sigmapose.learn.training.critic_calibration import calibrate_critic, fit_inflation, fit_logits
from sigmapose.learn.training.critic_loop import AnsweredPeople

SIGMA = 0.03
"""Crop widths."""


def _people(count: int, believable: torch.Tensor, generator: torch.Generator) -> AnsweredPeople:
    """Everybody is said to be known to `SIGMA`; those who are not believable are ten times further off."""
    own = (SIGMA * torch.eye(3)).expand(count, 26, 3, 3).contiguous()
    answer = Gaussian25D(
        torch.zeros(count, 26, 2),
        (SIGMA * torch.eye(2)).expand(count, 26, 2, 2).contiguous(),
        torch.zeros(count, 26, 3),
        own,
        torch.zeros(count, 26, 4),
        torch.tensor([[math.log(1690 / 2500), 0.05]]).repeat(count, 1),
        torch.zeros(count, 26, 3, 0),
        own,
    )
    factor = torch.where(believable, 1.0, 10.0)
    off = factor[..., None] * SIGMA * torch.randn(count, 26, 3, generator=generator)
    off[:, ROOT] = 0
    tokens = torch.zeros(count, 26, 16)
    tokens[..., 3] = believable.float()  # the score tells
    context = torch.zeros(count, 12)
    context[:, -1] = 1
    return AnsweredPeople(tokens, context, answer, off, torch.zeros(count, 2), torch.full((count,), 2500.0))


def test_logits_are_calibrated_as_they_were_bent() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2.0 * torch.randn(40_000, generator=generator, dtype=torch.float64)
    right = torch.rand(40_000, generator=generator, dtype=torch.float64) < torch.sigmoid(0.5 * logits + 1.0)
    scale, offset = fit_logits(logits, right)
    assert scale == pytest.approx(0.5, abs=0.02) and offset == pytest.approx(1.0, abs=0.03)


def test_a_covariance_that_is_right_is_left_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = 2.0 * torch.randn(20_000, generator=generator, dtype=torch.float64)
    spread = torch.randn(20_000, generator=generator, dtype=torch.float64)
    squared = (torch.randn(20_000, 3, generator=generator, dtype=torch.float64) ** 2).sum(-1)
    strength, offset, slope = fit_inflation(logits, spread, squared)
    grown = strength * torch.nn.functional.softplus(offset + slope * spread - logits)
    assert float(grown.mean()) < 0.02


def test_covariances_grow_where_the_critic_is_right_to_doubt() -> None:
    generator = torch.Generator().manual_seed(2)
    believable = torch.rand(400, 26, generator=generator) < 0.7
    people = _people(400, believable, generator)
    torch.manual_seed(0)
    blind = CriticConfig(width=16, blocks=1, directions=False, angles=False, handedness=False)
    critic = PoseCritic(blind).eval()
    of_a_joint = (critic.embed.in_features - 2 - 12) // 26
    with torch.no_grad():  # a critic that reads the scores
        critic.answer.weight.zero_()
        for joint in range(26):
            critic.shortcut.weight[1 + joint, joint * of_a_joint + 1] = 6.0
            critic.answer.bias[1 + joint] = -3.0
    calibrate_critic(critic, {"heavy": people})
    with torch.no_grad():
        logits = critic(people.tokens, people.context, people.answer).joints
    inflated, plausibility = believed(critic.calibration, people.context, people.answer, logits)
    others = [joint for joint in range(26) if joint != ROOT]
    factor = torch.exp(spread_mm(inflated) - spread_mm(people.answer))[:, others]
    assert 0.9 < float(factor[believable[:, others]].median()) < 1.3
    assert 7 < float(factor[~believable[:, others]].median()) < 13
    wrong = (people.relative.norm(dim=-1) * 2500 > 100)[:, others]
    for group in (believable[:, others], ~believable[:, others]):
        said = 1 - float(plausibility[:, others][group].mean())
        assert said == pytest.approx(float(wrong[group].float().mean()), abs=0.03)
    assert bool((plausibility[:, ROOT] == 1).all())


def test_an_uncalibrated_critic_changes_no_covariance() -> None:
    torch.manual_seed(0)
    phi = DepthUncertaintyHead(PhiConfig(width=16, blocks=1, image=False, rank=2)).eval()
    judged = JudgedHead(phi, PoseCritic(CriticConfig(width=16, blocks=1))).eval()
    tokens, context = torch.randn(3, 26, 16), torch.zeros(3, 12)
    with torch.no_grad():
        for own, under_critic in zip(phi(tokens, context), judged(tokens, context), strict=True):
            torch.testing.assert_close(own, under_critic)
        plausibility = judged.judge(tokens, context)[1]
    assert bool(((plausibility >= 0) & (plausibility <= 1)).all())


def test_a_network_exported_under_a_critic_says_what_the_modules_say(tmp_path: Path) -> None:
    torch.manual_seed(3)
    phi = DepthUncertaintyHead(PhiConfig(width=16, blocks=1, image=False, rank=2)).eval()
    critic = PoseCritic(CriticConfig(width=16, blocks=1))
    critic.calibration[:] = torch.tensor([0.7, 0.1, 0.2, 0.3, -0.5])
    with torch.no_grad():
        for parameter in (*critic.parameters(), *phi.parameters()):
            nn.init.normal_(parameter, std=0.05)
            parameter.copy_(parameter.half().float())
    critic.eval()
    export_lift_model(phi, tmp_path / "lift.onnx", critic)
    points, scores = torch.randn(3, 26, 2) * 0.2, torch.randn(3, 26)
    context = torch.zeros(3, 12)
    context[:, ENCODER_ENTRIES.start] = 1
    session = ort.InferenceSession(str(tmp_path / "lift.onnx"), providers=["CPUExecutionProvider"])
    feed = {"keypoints": points, "scores": scores, "present": torch.ones(3, 26), "context": context}
    got = session.run(
        ["relative", "factors", "plausibility"], {name: value.numpy() for name, value in feed.items()}
    )
    tokens = torch.cat((points, torch.ones(3, 26, 1), scores[..., None], torch.zeros(3, 26, 12)), dim=-1)
    with torch.no_grad():
        want, plausibility = JudgedHead(phi, critic).judge(tokens, context)
    for a, b in zip(got, (want.relative, want.factors, plausibility), strict=True):
        np.testing.assert_allclose(a, b.numpy(), atol=1e-4)
    assert float(plausibility.std()) > 0.01
    again = load_critic(tmp_path / "lift.onnx")
    assert again is not None
    for name, value in critic.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, msg=name)
    judged = load_judged(tmp_path / "lift.onnx")
    with torch.no_grad():
        torch.testing.assert_close(judged(tokens, context).factors, want.factors)
    for name, value in load_phi(tmp_path / "lift.onnx").state_dict().items():
        torch.testing.assert_close(value, phi.state_dict()[name], msg=name)


def test_networks_without_a_critic_have_none() -> None:
    assert load_critic(weights_path("detector")) is None
