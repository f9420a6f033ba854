"""Body corpora as an endless supply of people before random cameras."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.learn.data.samples import IGNORE, TRUNCATED, ViewLabels
from sigmapose.learn.networks.phi import ROOT
from sigmapose.synth.distributions import ANYTHING, EVERYDAY, Distribution
from sigmapose.synth.render.cameras import sample_views

EVERYDAY_SHARE = 0.75
"""Of the people to learn from; the rest is `anything`."""


def bodies_before_cameras(
    corpus: Path,
    split: str,
    subjects: Collection[str] | None = None,
    everyday_share: float = EVERYDAY_SHARE,
) -> Callable[[np.random.Generator, int], ViewLabels]:
    """A sampler of views of one split's bodies, or of those of some subjects; joints outside the picture are
    labelled truncated. A share is drawn from `EVERYDAY`, the rest from `ANYTHING`.

    Raises:
        DataError: no bodies.
    """
    shards = sorted(corpus.glob("*.npz"))
    if not shards:
        raise DataError(f"no body shards (*.npz) in '{corpus}': make them with sigmapose.synth.people.bodies")
    joints, statures, clips = [], [], []
    for shard in shards:
        with np.load(shard, allow_pickle=False) as data:
            keep = data["split"].astype(str) == split
            if subjects is not None:
                keep &= np.isin(data["subject"].astype(str), list(subjects))
            joints.append(data["joints_mm"][keep].astype(np.float32))
            statures.append(data["stature_mm"][keep].astype(np.float64))
            clips.append(data["clip"][keep].astype(str))
    joints_mm, stature_mm = np.concatenate(joints), np.concatenate(statures)
    if not len(joints_mm):
        raise DataError(
            f"no '{split}' bodies{'' if subjects is None else ' of these subjects'} in '{corpus}'"
        )

    clip = np.concatenate(clips)
    everyday = EVERYDAY.rows(joints_mm, clip)
    share = everyday_share if len(everyday) else 0.0

    def draw(rng: np.random.Generator, count: int) -> ViewLabels:
        parts = int(rng.binomial(count, share))
        usual = before_cameras(rng, EVERYDAY, everyday[rng.integers(0, max(len(everyday), 1), parts)])
        rest = before_cameras(rng, ANYTHING, rng.integers(0, len(joints_mm), count - parts))
        return ViewLabels(
            **{
                f.name: np.concatenate([getattr(v, f.name) for v in (usual, rest)])
                for f in fields(ViewLabels)
            }
        )

    def before_cameras(rng: np.random.Generator, people: Distribution, rows: np.ndarray) -> ViewLabels:
        seen = sample_views(rng, joints_mm[rows], people.view)
        depth = seen.joints_camera_mm[..., 2]
        return ViewLabels(
            points_px=seen.points_px,
            depth_mm=depth - depth[:, ROOT : ROOT + 1],
            root_depth_mm=depth[:, ROOT],
            stature_mm=stature_mm[rows],
            focal_px=seen.focal_px,
            principal_px=seen.principal_px,
            image_size=seen.image_size.astype(np.float64),
            visibility=np.where(seen.inside(), IGNORE, TRUNCATED),
        )

    return draw
