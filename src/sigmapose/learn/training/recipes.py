"""Named recipes: plain Python, frozen, one row each in every results table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from sigmapose.errors import InputError
from sigmapose.learn.data.augment import Augmentation
from sigmapose.learn.networks.phi import PhiConfig

DepthLoss = Literal["squared", "eq1", "nll", "beta-nll"]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run."""

    name: str
    phi: PhiConfig = field(default_factory=PhiConfig)
    loss: DepthLoss = "beta-nll"
    beta: float = 0.5
    distance_weight: float = 0.5
    """Weight of the plain distance beside the likelihood; keeps a large sigma from starving the mean."""
    marginal_weight: float = 0.5
    """`gaussian-pose`: weight of the joints' own likelihoods beside that of the whole pose."""
    bend_weight: float = 0.0
    """Weight of the mean distance of knees' and elbows' angles from the true ones, radians. The mean of what
    a straight limb may be is bent, and so is what is learned without it."""
    points_weight: float = 0.3
    visibility_weight: float = 0.05
    stature_weight: float = 0.2
    augmentation: Augmentation = field(default_factory=Augmentation)
    batch: int = 1024
    steps: int = 12_000
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: int = 300
    ema: float = 0.999
    clip_norm: float = 1.0
    members: int = 1
    """Heads trained from as many seeds; more than one answer as an ensemble."""
    seed: int = 0


def fixed_sigma() -> Recipe:
    """Phase 1: one constant sigma, only the mean is learned."""
    return Recipe("fixed-sigma", phi=PhiConfig(covariance="fixed"), loss="squared")


def learned_sigma() -> Recipe:
    """Phase 2: the depth sigma is learned with eq1 as printed; it is read with the factor 1/sqrt(2)."""
    return Recipe("learned-sigma", phi=PhiConfig(covariance="depth"), loss="eq1")


def nll() -> Recipe:
    """As `learned-sigma`, with the Gaussian's true negative log likelihood in place of eq1."""
    return Recipe("nll", phi=PhiConfig(covariance="depth"), loss="nll")


def beta_nll() -> Recipe:
    """As `nll`, with beta-NLL: hard samples keep their say in the mean."""
    return Recipe("beta-nll", phi=PhiConfig(covariance="depth"), loss="beta-nll")


def gaussian3d() -> Recipe:
    """Phase 3: a full 3x3 covariance over (u, v, depth) per joint, beta-NLL."""
    return Recipe("gaussian3d")


def gaussian_pose() -> Recipe:
    """A covariance over the whole pose, 3x3 blocks per joint plus low rank; beta-NLL."""
    return Recipe("gaussian-pose", phi=PhiConfig(rank=8))


def ensemble() -> Recipe:
    """Five `gaussian3d` heads: what the data leave open, and what the members disagree on."""
    return Recipe("ensemble", members=5)


RECIPES: dict[str, Callable[[], Recipe]] = {
    "fixed-sigma": fixed_sigma,
    "learned-sigma": learned_sigma,
    "nll": nll,
    "beta-nll": beta_nll,
    "gaussian3d": gaussian3d,
    "gaussian-pose": gaussian_pose,
    "ensemble": ensemble,
}


def get_recipe(name: str, **changes: object) -> Recipe:
    """Recipe by name with some fields replaced."""
    if name not in RECIPES:
        raise InputError(f"unknown recipe '{name}': choose one of {', '.join(RECIPES)}")
    return replace(RECIPES[name](), **changes)  # type: ignore[arg-type]
