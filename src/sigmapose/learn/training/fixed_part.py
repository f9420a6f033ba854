"""What does not change while Θ is trained, computed by ONNX Runtime in the processes that read pictures.

The frozen stages and what the original encoder says of a picture depend on the picture alone. ONNX Runtime
computes both in half the time torch takes for them on a CPU, and beside the process that trains.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from sigmapose.data.shards import PARTIAL
from sigmapose.estimate.crop import CROP_PX
from sigmapose.learn.networks.blazepose import EncoderOutput, PoseEncoder
from sigmapose.shapes import Array, UInt8


@dataclass(frozen=True)
class Fixed:
    """Of one batch of pictures."""

    begun: tuple[Tensor, ...]
    """What the frozen stages give; the stem's own output, which nothing reads, is empty."""
    original: EncoderOutput

    def to(self, device: torch.device) -> Fixed:
        return Fixed(
            tuple(part.to(device) for part in self.begun),
            EncoderOutput(*(x.to(device) for x in self.original)),
        )


@dataclass(frozen=True)
class FixedPart:
    """The file that computes it; can be sent to other processes."""

    path: Path
    threads: int = 1

    def __call__(self, crops: UInt8[Array, "b 256 256 3"]) -> Fixed:
        count = len(EncoderOutput._fields)
        outputs = _session(self).run(None, {"crops": crops.astype(np.float32) / 255})
        said, begun = (tuple(map(torch.from_numpy, part)) for part in (outputs[:count], outputs[count:]))
        laid = [part.contiguous(memory_format=torch.channels_last) for part in begun]
        return Fixed((torch.empty(0), *laid) if laid else (), EncoderOutput(*said))


def export_fixed_part(original: PoseEncoder, frozen: int, path: Path, threads: int = 1) -> FixedPart:
    """The original encoder as ONNX that also gives what its first ``frozen`` stages do (0: nothing more)."""
    names = [*EncoderOutput._fields, *(f"stage{k}" for k in range(frozen))]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}{PARTIAL}")
    with warnings.catch_warnings():  # about the exporter's age
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Both(original, frozen).eval(), (torch.zeros(2, CROP_PX, CROP_PX, 3),), str(partial),
            dynamo=False, opset_version=17, input_names=["crops"], output_names=names,
            dynamic_axes={name: {0: "batch"} for name in ("crops", *names)},
        )  # fmt: skip
    partial.replace(path)
    return FixedPart(path, threads)


class _Both(nn.Module):
    def __init__(self, encoder: PoseEncoder, frozen: int) -> None:
        super().__init__()
        self.encoder, self.frozen = encoder, frozen

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        begun = self.encoder.begin(crops, self.frozen)
        return (*self.encoder.finish(begun), *begun[1:])


@functools.cache
def _session(part: FixedPart) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = part.threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(part.path), options, ["CPUExecutionProvider"])
