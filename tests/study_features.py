"""Features of pictures that nobody rendered, and bodies, in the folders that a study reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.learn.data.features import OUTPUTS
from sigmapose.learn.networks.blazepose import FEATURES
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.networks.tokens import BLAZEPOSE_TO_TOKEN

FOCAL_PX, SIZE_PX = 900.0, 400.0
SUBJECTS = tuple("aabbbbcccccccccccccc")
"""Of twenty people in a row: two, four and fourteen."""


def people(rng: np.random.Generator, count: int) -> np.ndarray:
    """Joints before a camera, mm; the trunk upright, everything else at random around it."""
    joints = rng.normal(0, [200, 400, 200], (count, 26, 3))
    joints[:, ROOT] = 0
    return joints + np.array([0.0, 0, 3000])


def write_features(folder: Path, split: str, count: int, *, view: str = "", annotated: bool = True) -> None:
    """One shard: an encoder that is right about every joint but for noise, of people of three subjects."""
    rng = np.random.default_rng([ord(c) for c in split])
    joints = people(rng, count)
    points = joints[..., :2] / joints[..., 2:] * FOCAL_PX + [640, 360]
    crop = np.column_stack((points.mean(1), np.full(count, SIZE_PX), rng.normal(0, 0.1, count)))
    unknown = 1.0 if annotated else np.nan
    hidden = (rng.random((count, 26)) < 0.2) & (np.arange(count) % 2 == 0)[:, None]
    shard = {
        "joints_camera_mm": joints * unknown,
        "points_px": points * unknown,
        "visibility": np.where(hidden & (view == ""), 2, 0 if annotated else -1).astype(np.int8),
        "stature_mm": np.full(count, 1700.0) * unknown,
        "occluded_fraction": np.where(hidden.any(1) & (view == ""), 0.3, 0.0),
        "intrinsics": np.tile([FOCAL_PX, FOCAL_PX, 640, 360], (count, 1)),
        "image_size": np.tile([1280.0, 720.0], (count, 1)),
        "crop": crop,
        "split": np.full(count, split),
        "subject": np.array([SUBJECTS[i % len(SUBJECTS)] for i in range(count)]),
        "clip": np.array([f"clip{i // 10}" for i in range(count)]),
        "id": np.array([f"{split}-{i:04d}" for i in range(count)]),
    }
    shard = {k: v.astype(np.float32) if v.dtype == np.float64 else v for k, v in shard.items()}
    for name, (local, whole) in FEATURES.items():
        shard |= _seen(rng, joints, points, crop, name, local, whole)
    (folder / f"{split}{view}").mkdir(parents=True)
    np.savez(folder / f"{split}{view}" / "shard_000000.npz", **shard)


def _seen(rng, joints, points, crop, name: str, local: int, whole: int) -> dict[str, np.ndarray]:
    count, out = len(joints), {}
    for key, shape in OUTPUTS.items():
        out[f"{key}_{name}"] = rng.uniform(0.1, 0.9, (count, *shape)).astype(np.float32)
    source, joint = (list(side) for side in zip(*BLAZEPOSE_TO_TOKEN, strict=True))
    turned = (points - crop[:, None, :2]) / SIZE_PX
    cos, sin = np.cos(-crop[:, 3])[:, None], np.sin(-crop[:, 3])[:, None]
    turned = np.stack(
        (cos * turned[..., 0] - sin * turned[..., 1], sin * turned[..., 0] + cos * turned[..., 1]), -1
    )
    noise = rng.normal(0, 0.01, (count, len(joint), 2))
    out[f"landmarks_{name}"][:, source, :2] = turned[:, joint] + noise
    out[f"world_{name}"][:, source] = (joints[:, joint] - joints[:, ROOT, None]) / 1000
    spread = out[f"spread_{name}"]
    spread[..., 0], spread[..., 1], spread[..., 2] = 1e-3, 0.0, 1e-3
    out[f"local_{name}"] = rng.random((count, 39, local)).astype(np.float16)
    out[f"whole_{name}"] = rng.random((count, whole)).astype(np.float16)
    out[f"has_{name}"] = np.ones(count, dtype=bool)
    return out


def write_bodies(folder: Path, count: int = 60) -> None:
    """A body corpus; a is 1,500 mm tall, b 1,600, c 1,700."""
    rng, subjects = np.random.default_rng(5), [SUBJECTS[i % len(SUBJECTS)] for i in range(count)]
    folder.mkdir(parents=True)
    np.savez(
        folder / "bodies_0000.npz",
        joints_mm=(people(rng, count) - [0, 0, 3000]).astype(np.float32),
        stature_mm=np.array([1500.0 + 100 * "abc".index(s) for s in subjects], np.float32),
        clip=np.full(count, "clip"),
        subject=np.array(subjects),
        split=np.full(count, "train"),
    )
