"""Does a small transformer over joint tokens lift better than the residual network, at equal time?

Both heads have the same inputs, outputs, losses and data: bare keypoints as detectors make them, of bodies
before cameras. Validation: bodies of the validation subjects with the same noise, those of `everyday` and of
`anything` apart, and, where there are features, what an encoder saw of validation renders. The head is
exported for `bench real-val`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from sigmapose.data.splits import Split
from sigmapose.estimate.context import CONTEXT_FEATURES
from sigmapose.learn.convert.onnx_export import export_lift_model
from sigmapose.learn.data.augment import Augmentation, BatchSource
from sigmapose.learn.data.samples import ANSWERED_FLAG, load_pictures
from sigmapose.learn.data.sources import EVERYDAY_SHARE, bodies_before_cameras
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.networks.tokens import JOINTS, TOKEN_FEATURES
from sigmapose.learn.stages.head import validation_batches
from sigmapose.learn.stages.weights import as_stored
from sigmapose.learn.training.loop import train
from sigmapose.learn.training.recipes import Recipe, get_recipe

VALIDATION_BODIES = 4000


@dataclass(frozen=True)
class JointTransformer:
    """One head trained on bare keypoints."""

    bodies: Path
    """Corpus of posed bodies."""
    out: Path
    """Folder for checkpoint, log.csv and lift.onnx; resumes."""
    head: Literal["residual", "transformer"] = "transformer"
    width: int = 96
    """Of a token of the transformer, or of the residual network."""
    layers: int = 3
    steps: int = 2_500
    batch: int = 512
    learning_rate: float = 1e-3
    features: Path | None = None
    """Feature shards of rendered people: a quarter of every batch, and validation."""
    seed: int = 1
    everyday: float = EVERYDAY_SHARE
    """Share of the bodies that stand before cameras as people are filmed; the rest is `anything`."""
    bend: float = 0.0
    """`Recipe.bend_weight`."""


class JointTokens(nn.Module):
    """The flat input of Φ to a token of every joint and one of the context, flat again."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.joint = nn.Linear(TOKEN_FEATURES, width)
        self.context = nn.Linear(CONTEXT_FEATURES, width)
        self.place = nn.Parameter(0.1 * torch.randn(JOINTS + 1, width))

    def forward(self, seen: Tensor) -> Tensor:
        joints, context = seen.split((JOINTS * TOKEN_FEATURES, CONTEXT_FEATURES), dim=1)
        tokens = self.joint(joints.unflatten(1, (JOINTS, TOKEN_FEATURES)))
        return (torch.cat((tokens, self.context(context)[:, None]), dim=1) + self.place).flatten(1)


class Attention(nn.Module):
    """Pre-norm self-attention and a feed-forward layer (Vaswani et al. 2017, arXiv:1706.03762)."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked = nn.Linear(width, 3 * width)
        self.told = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.asked(self.before(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        x = x + self.told(mixed.transpose(1, 2).flatten(2))
        return x + self.feed(self.between(x))


class Trunk(nn.Module):
    """Layers of attention over flat tokens."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(*(Attention(width) for _ in range(layers)), nn.LayerNorm(width))

    def forward(self, embedded: Tensor) -> Tensor:
        return self.layers(embedded.unflatten(1, (JOINTS + 1, self.width))).flatten(1)


class OfEveryJoint(nn.Module):
    """One linear layer for the tokens of all joints, with a bias of each joint's own."""

    def __init__(self, width: int, outputs: int, spread: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(width, outputs, bias=False)
        self.bias = nn.Parameter(spread * torch.randn(JOINTS, outputs))
        nn.init.normal_(self.linear.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.unflatten(1, (JOINTS + 1, self.width))[:, :JOINTS]
        return (self.linear(tokens) + self.bias).flatten(1)


class OfTheContext(nn.Module):
    """A linear layer for the token of the context."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.width = width
        self.linear = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return self.linear(features.unflatten(1, (JOINTS + 1, self.width))[:, JOINTS])


class TransformerHead(DepthUncertaintyHead):
    """Φ with attention between joints in the place of residual blocks."""

    def __init__(self, config: PhiConfig) -> None:
        super().__init__(replace(config, width=8, blocks=0))
        width = config.width
        self.embed = JointTokens(width)  # type: ignore[assignment]
        self.blocks = nn.Sequential(Trunk(width, config.blocks))
        self.norm = nn.Identity()  # type: ignore[assignment]
        self.mean = OfEveryJoint(width, 3)  # type: ignore[assignment]
        self.tril = OfEveryJoint(width, 9)  # type: ignore[assignment]
        self.factors = OfEveryJoint(width, 3 * config.rank, spread=0.5)  # type: ignore[assignment]
        self.visibility = OfEveryJoint(width, 4)  # type: ignore[assignment]
        self.stature = OfTheContext(width, 2)  # type: ignore[assignment]


def recipe_of(options: JointTransformer) -> Recipe:
    """`gaussian-pose` without a picture."""
    augmentation = Augmentation(bare_joints=0.75, forget_picture=1.0)
    recipe = get_recipe("gaussian-pose", seed=options.seed, augmentation=augmentation, batch=options.batch)
    phi = replace(recipe.phi, image=False, width=options.width, blocks=options.layers)
    rate = options.learning_rate
    return replace(recipe, steps=options.steps, learning_rate=rate, phi=phi, bend_weight=options.bend)


def compare(options: JointTransformer) -> None:
    """Train, or go on, and write lift.onnx; the curve is in log.csv."""
    torch.set_num_threads(1)
    recipe = recipe_of(options)
    pictures = None
    if options.features is not None:
        pictures = replace(load_pictures(options.features / Split.TRAIN, Split.TRAIN), image={})
    bodies = bodies_before_cameras(options.bodies, Split.TRAIN, everyday_share=options.everyday)
    source = BatchSource.create(pictures, bodies, recipe.augmentation)
    validation = {
        name: BatchSource.create(
            None,
            bodies_before_cameras(options.bodies, Split.VAL, everyday_share=share),
            replace(recipe.augmentation, focal_known=0.0),
        ).draw(np.random.default_rng(0), VALIDATION_BODIES)
        for name, share in (("everyday", 1.0), ("anything", 0.0))
    }
    if options.features is not None:
        seen = load_pictures(options.features / Split.VAL, Split.VAL, least_flag=ANSWERED_FLAG)
        validation["renders"] = validation_batches(seen)["none"]
    network = TransformerHead if options.head == "transformer" else DepthUncertaintyHead
    head = as_stored(train(recipe, source, validation, options.out, network=network))
    assert isinstance(head, DepthUncertaintyHead)
    export_lift_model(head, options.out / "lift.onnx")
    weights = sum(p.numel() for p in head.parameters())
    sys.stdout.write(f"{options.head}: {weights / 1e6:.2f} M weights, wrote {options.out / 'lift.onnx'}\n")
