"""An ensemble answers with the moments of the mixture of its members."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sigmapose.errors import ModelError
from sigmapose.learn.convert.onnx_export import export_lift_model
from sigmapose.learn.networks.ensemble import EnsembleHead
from sigmapose.learn.networks.linear import cholesky
from sigmapose.learn.networks.phi import SIGMA_FLOOR, DepthUncertaintyHead, PhiConfig

CONFIG = PhiConfig(width=48, blocks=1)


def members(count: int) -> list[DepthUncertaintyHead]:
    heads = []
    for seed in range(count):
        torch.manual_seed(seed)
        head = DepthUncertaintyHead(CONFIG).eval()
        torch.nn.init.normal_(head.mean.weight, std=0.2)
        torch.nn.init.normal_(head.tril.weight, std=0.1)
        heads.append(head)
    return heads


def evidence(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    return torch.randn(count, 26, 16, generator=generator), torch.randn(count, 12, generator=generator)


def test_equal_members_are_one_member():
    head = members(1)[0]
    one, many = head(*evidence(3)), EnsembleHead([head, head, head])(*evidence(3))
    for a, b in zip(one[:4], many[:4], strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(one.visibility_logits.softmax(-1), many.visibility_logits.softmax(-1))


def test_moments_are_those_of_samples_from_the_members():
    heads, shown = members(5), evidence(2)
    answer = EnsembleHead(heads)(*shown)
    rng, draws = np.random.default_rng(0), []
    for head in heads:
        own = head(*shown)
        noise = torch.from_numpy(rng.standard_normal((40_000, 2, 26, 3, 1)).astype(np.float32))
        draws.append(own.relative + (own.relative_tril @ noise)[..., 0])
    sample = torch.cat(draws)
    mean = sample.mean(0)
    centred = sample - mean
    cov = torch.einsum("nbji,nbjk->bjik", centred, centred) / len(sample)
    told = answer.relative_tril @ answer.relative_tril.mT
    assert (answer.relative - mean).abs().max() < 0.01 * centred.std()
    assert (
        (told - cov).abs().amax((-1, -2)) / cov.diagonal(dim1=-1, dim2=-2).amax(-1).clamp_min(1e-4)
    ).max() < 0.03


def test_disagreement_is_epistemic_and_the_parts_add_up():
    heads, shown = members(4), evidence(2)
    ensemble = EnsembleHead(heads)
    aleatoric, epistemic = ensemble.parts(*shown)
    total = ensemble(*shown).relative_tril
    torch.testing.assert_close(total @ total.mT, aleatoric + epistemic, atol=2e-6, rtol=1e-3)
    alike = EnsembleHead([heads[0], heads[0]]).parts(*shown)[1]
    assert alike.abs().max() < 1e-10 < epistemic.abs().max()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_exported_ensemble_answers_as_the_torch_one(tmp_path):
    import onnxruntime

    ensemble = EnsembleHead(members(3)).eval()
    export_lift_model(ensemble, tmp_path / "lift.onnx")
    rng = np.random.default_rng(4)
    points = rng.normal(0, 0.2, (2, 26, 2)).astype(np.float32)
    scores, present = np.zeros((2, 26), np.float32), np.ones((2, 26), np.float32)
    context = rng.normal(size=(2, 12)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(tmp_path / "lift.onnx"))
    feed = {"keypoints": points, "scores": scores, "present": present, "context": context}
    found = session.run(["relative"], feed)[0]
    parts = [points, present[..., None], scores[..., None], np.zeros((2, 26, 12), np.float32)]
    told = ensemble(torch.from_numpy(np.concatenate(parts, -1)), torch.from_numpy(context)).relative
    np.testing.assert_allclose(found, told.detach().numpy(), atol=2e-3)


def test_cholesky_is_numpys():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(7, 3, 3))
    cov = root @ np.swapaxes(root, -1, -2) + 0.1 * np.eye(3)
    root = cholesky(torch.from_numpy(cov), SIGMA_FLOOR)
    np.testing.assert_allclose(root, np.linalg.cholesky(cov), atol=1e-12)


def test_an_ensemble_needs_members_of_one_kind():
    with pytest.raises(ModelError, match="at least two"):
        EnsembleHead(members(1))
    with pytest.raises(ModelError, match="one configuration"):
        EnsembleHead([*members(1), DepthUncertaintyHead(PhiConfig(width=32, blocks=1))])
