"""Θ on a backbone of timm: it says what BlazePose says, learns, and is exported with Φ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import ModelError
from sigmapose.learn.convert.onnx_export import answer_names, export_image_model
from sigmapose.learn.networks.backbones import TimmEncoder
from sigmapose.learn.networks.blazepose import EncoderOutput, PoseEncoder
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.training.end_to_end import FineTuning, PoseSystem, SystemBatch, system_loss
from sigmapose.learn.training.picture_batches import PictureSet, StepSampler
from tiny_system import tiny_recipe, write_people

pytestmark = pytest.mark.filterwarnings("ignore:.*torchvision.*")


@pytest.fixture(scope="module")
def encoder() -> TimmEncoder:
    torch.manual_seed(0)
    return TimmEncoder("mobilenetv3_small_050")


def test_it_says_what_blazepose_says(encoder: TimmEncoder) -> None:
    crops = torch.rand(2, 256, 256, 3)
    with torch.no_grad():
        ours, theirs = encoder.eval()(crops), PoseEncoder("full")(crops)
    for name, mine, original in zip(EncoderOutput._fields, ours, theirs, strict=True):
        assert mine.shape == original.shape, name
        assert torch.isfinite(mine).all(), name
    assert (ours.spread[..., 0] > 0).all() and (ours.spread[..., 2] > 0).all()
    assert (ours.local >= 0).all() and (ours.local <= 6).all()


def test_one_step_moves_every_weight_towards_less_loss(encoder: TimmEncoder, tmp_path: Path) -> None:
    shards = ShardLibrary(write_people(tmp_path / "shards", shards=1), "train")
    pictures = PictureSet(shards, encoders=["full"], seed=0, augmentation=None)
    batch = SystemBatch(pictures[next(iter(StepSampler(4, 0, 1)))], None)
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, dropout=0.0, image_dropout=0.0))
    system, tuning = PoseSystem({"full": encoder.train()}, phi), FineTuning(anchor_weight=0.0)
    optimiser = torch.optim.Adam(system.parameters(), lr=1e-3)
    losses = []
    for _ in range(4):
        loss, parts = system_loss(tiny_recipe(), tuning, system.encoders, system, batch)
        optimiser.zero_grad()
        loss.backward()
        losses.append(parts["loss"])
        still = [n for n, p in encoder.backbone.named_parameters() if p.grad is None or not p.grad.any()]
        assert not still
        optimiser.step()
    assert losses[-1] < losses[0]


def test_it_is_exported_with_phi(encoder: TimmEncoder, tmp_path: Path) -> None:
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1)).eval()
    export_image_model(encoder.eval(), phi, tmp_path / "model.onnx")
    session = ort.InferenceSession(str(tmp_path / "model.onnx"))
    crops = np.random.default_rng(0).random((3, 256, 256, 3), dtype=np.float32)
    context = np.zeros((3, 12), np.float32)
    feed = {"crops": crops, "rotation": np.tile(np.array([[1, 0]], np.float32), (3, 1)), "context": context}
    answers = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
    assert set(answer_names(phi)) <= set(answers)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(crops))
    # the file holds float16 weights
    np.testing.assert_allclose(answers["landmarks"], expected.landmarks.numpy(), atol=5e-3)
    assert answers["relative"].shape == (3, 26, 3)


def test_errors_name_the_model() -> None:
    with pytest.raises(ModelError, match=r"has no model 'resnet1': choose one of timm\.list_models"):
        TimmEncoder("resnet1")
