"""Golden tensors: what the shipped networks said about one real crop and one set of keypoints when they
were made."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from sigmapose.estimate.context import CONTEXT_FEATURES
from sigmapose.estimate.network import ImageNetwork, LiftNetwork, Prediction25D
from sigmapose.estimate.thunder import Keypoints, Thunder
from sigmapose.shapes import Array, UInt8

GOLDEN_MODELS = ("lite", "full", "heavy")


def lift_inputs() -> tuple[Array, Array, Array, Array]:
    """Keypoints of two made-up people, some joints missing."""
    rng = np.random.default_rng(7)
    points = rng.uniform(-0.4, 0.4, (2, 26, 2))
    present = rng.random((2, 26)) > 0.2
    return points, rng.uniform(0.1, 0.95, (2, 26)), present, np.zeros((2, CONTEXT_FEATURES), np.float32)


def image_inputs(crop: UInt8[Array, "256 256 3"]) -> tuple[Array, Array, Array]:
    """The crop upright and mirrored, with a context of zeros."""
    crops = np.stack((crop, crop[:, ::-1])).astype(np.float32) / 255
    return (
        crops,
        np.tile(np.array([1.0, 0.0], np.float32), (2, 1)),
        np.zeros((2, CONTEXT_FEATURES), np.float32),
    )


def answers(crop: UInt8[Array, "256 256 3"]) -> dict[str, Array]:
    """Everything the installed networks say about the golden inputs, by ``model/field``."""
    said = {"lift": LiftNetwork(threads=1)(*lift_inputs())}
    said |= {model: ImageNetwork(model, threads=1)(*image_inputs(crop))[0] for model in GOLDEN_MODELS}
    crops, rotation, _ = image_inputs(crop)
    seen = Thunder(threads=1)(crops, rotation)
    return {
        f"{model}/{f.name}": getattr(answer, f.name)
        for model, answer in said.items()
        for f in fields(Prediction25D)
    } | {f"thunder/{f.name}": getattr(seen, f.name) for f in fields(Keypoints)}


def write_golden(crop: UInt8[Array, "256 256 3"], path: Path) -> None:
    """Store the crop and the answers of the installed networks."""
    np.savez_compressed(path, crop=crop, **answers(crop))  # type: ignore[arg-type]
