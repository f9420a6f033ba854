"""Make the weights of Θ and of the person detector from the registry packages that carry MediaPipe's models.

The landmark networks are in the npm package `@mediapipe/pose`, the detector in the PyPI package `mediapipe`;
both are Apache-2.0. Each file must have the SHA-256 written below. For every network a torch state
(`.safetensors`, float16 as in the original) and a float32 ONNX file are written.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from torch import nn

from sigmapose.data.shards import PARTIAL
from sigmapose.errors import DataError, ModelError
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import cache_folder
from sigmapose.learn.convert.onnx_rewrite import rewrite
from sigmapose.learn.convert.tflite import Graph, Operator, read_tflite
from sigmapose.learn.networks.blazepose import ARCHITECTURES, EncoderOutput, PoseEncoder, Variant
from sigmapose.learn.networks.blazepose_detector import DETECTOR_SIZE, DetectorOutput, PoseDetectorNet
from sigmapose.writing import whole_file

log = logging.getLogger(__name__)

OPSET = 17
NPM_PACKAGE = "@mediapipe/pose@0.5.1675469404"
WHEEL = "mediapipe==0.10.14"
DETECTOR_FILE = "pose_detection.tflite"
SHA256 = {
    "pose_landmark_lite.tflite": "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61",
    "pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "pose_landmark_heavy.tflite": "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    DETECTOR_FILE: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
}


def landmark_file(variant: Variant) -> str:
    """Name of the original file of one size."""
    return f"pose_landmark_{variant}.tflite"


# ---- weights


def ordered_convolutions(graph: Graph, outputs: tuple[int, ...]) -> list[Operator]:
    """The convolutions that the outputs depend on, each after those it depends on.

    The walk goes back from the outputs in the order given and, where branches meet, along the deepest branch
    first, so the order does not depend on how the file interleaves its branches, and unused branches
    (segmentation) are left out.
    """
    producer = {operator.outputs[0]: operator for operator in graph.operators}
    depth: dict[int, int] = {}
    for operator in graph.operators:
        depth[operator.outputs[0]] = 1 + max((depth.get(i, 0) for i in operator.inputs), default=0)
    seen: set[int] = set()
    found: list[Operator] = []
    pending = [(tensor, False) for tensor in reversed(outputs)]
    while pending:
        tensor, visited = pending.pop()
        operator = producer.get(tensor)
        if operator is None:
            continue
        if visited:
            if operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
                found.append(operator)
        elif tensor not in seen:
            seen.add(tensor)
            pending.append((tensor, True))
            pending += [(i, False) for i in sorted(operator.inputs, key=lambda i: depth.get(i, 0))]
    return found


def load_weights(module: nn.Module, graph: Graph, outputs: tuple[int, ...]) -> None:
    """Copy the graph's weights into the module's convolutions, in order; raises ModelError where the two
    differ."""
    operators = ordered_convolutions(graph, outputs)
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Conv2d)]
    if len(operators) != len(layers):
        raise ModelError(
            f"the TFLite graph has {len(operators)} convolutions, {type(module).__name__} has {len(layers)}"
        )
    for operator, (name, layer) in zip(operators, layers, strict=True):
        kernel, bias = (graph.constant(i).astype(np.float32) for i in operator.inputs[1:3])
        # TFLite stores (out, h, w, in), and (1, h, w, channel) for depthwise filters.
        kernel = kernel.transpose((3, 0, 1, 2) if operator.kind == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2))
        if kernel.shape != tuple(layer.weight.shape) or operator.stride != layer.stride[0]:
            raise ModelError(
                f"{name}: TFLite kernel {kernel.shape} stride {operator.stride}, "
                f"module {tuple(layer.weight.shape)} stride {layer.stride[0]}"
            )
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            assert layer.bias is not None
            layer.bias.copy_(torch.from_numpy(bias))


def load_encoder(source: Path | bytes, variant: Variant) -> PoseEncoder:
    """Θ with the weights of `pose_landmark_<variant>.tflite`, in eval mode."""
    graph = read_tflite(source)
    encoder = PoseEncoder(variant)
    landmarks, flag, _segmentation, heatmap, world = graph.outputs
    load_weights(encoder.network, graph, (heatmap, landmarks, world, flag))
    return encoder.eval()


def load_detector(source: Path | bytes) -> PoseDetectorNet:
    """The person detector with the weights of `pose_detection.tflite`, in eval mode."""
    graph = read_tflite(source)
    detector = PoseDetectorNet()
    boxes, scores = graph.outputs
    load_weights(detector, graph, (scores, boxes))
    return detector.eval()


# ---- ONNX


def export_encoder(encoder: PoseEncoder, path: Path) -> None:
    """float32 ONNX: `crops` (B, 256, 256, 3) to the fields of EncoderOutput, any batch size."""
    _export(encoder, torch.zeros(2, CROP_PX, CROP_PX, 3), "crops", EncoderOutput._fields, path)


def export_detector(detector: PoseDetectorNet, path: Path) -> None:
    """float32 ONNX: `images` (B, 224, 224, 3) in -1..1 to the fields of DetectorOutput, any batch size."""
    _export(detector, torch.zeros(2, DETECTOR_SIZE, DETECTOR_SIZE, 3), "images", DetectorOutput._fields, path)


def _export(module: nn.Module, sample: torch.Tensor, name: str, outputs: tuple[str, ...], path: Path) -> None:
    with warnings.catch_warnings():  # about the exporter's age and its constants
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (sample,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=[name],
            output_names=list(outputs),
            dynamic_axes={axis: {0: "batch"} for axis in (name, *outputs)},
        )
    onnx.save(rewrite(onnx.load(str(path))), str(path))


# ---- packages


def original_models(packages: Path | None) -> dict[str, bytes]:
    """The four model files out of unpacked packages, or fetched once into the user's cache."""
    return find_models([packages]) if packages else cached_models(cache_folder() / "originals")


def make_encoder(variant: Variant, *, packages: Path | None = None, out: Path | None = None) -> Path:
    """Write one size of MediaPipe's encoder as it was published; returns its path.

    Args:
        packages: MediaPipe's; fetched when left out.
        out: `encoder_<variant>.onnx` in the current folder when left out.

    Raises:
        DataError: the encoder's package cannot be read or fetched.
    """
    target = out or Path(f"encoder_{variant}.onnx")
    encoder = load_encoder(original_models(packages)[landmark_file(variant)], variant)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}{PARTIAL}")
    export_encoder(encoder, partial)
    partial.replace(target)
    return target


def find_models(packages: list[Path]) -> dict[str, bytes]:
    """The four model files, by name, out of folders, `.tgz`, `.whl` or `.tflite` files; checked against
    SHA256.

    Raises DataError for a path that does not exist, a file that is missing everywhere, or one with another
    content.
    """
    found: dict[str, bytes] = {}
    for package in packages:
        for name, data in _members(package):
            found.setdefault(name, data)
    for name, expected in SHA256.items():
        if name not in found:
            raise DataError(
                f"{name} is not in {', '.join(map(str, packages))}: give {NPM_PACKAGE} and {WHEEL}"
            )
        digest = hashlib.sha256(found[name]).hexdigest()
        if digest != expected:
            raise DataError(
                f"{name} has SHA-256 {digest}, expected {expected}: take it from {NPM_PACKAGE} and {WHEEL}"
            )
    return found


def _members(package: Path) -> Iterator[tuple[str, bytes]]:
    if not package.exists():
        raise DataError(f"package not found: {package}")
    if package.is_dir():
        for path in sorted(package.rglob("*.tflite")):
            if path.name in SHA256:
                yield path.name, path.read_bytes()
    elif package.suffix == ".tflite":
        yield package.name, package.read_bytes()
    elif package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                if Path(name).name in SHA256:
                    yield Path(name).name, archive.read(name)
    else:
        with tarfile.open(package) as archive:
            for member in archive:
                content = archive.extractfile(member) if Path(member.name).name in SHA256 else None
                if content is not None:
                    yield Path(member.name).name, content.read()


def fetch_packages(folder: Path) -> list[Path]:
    """Download both packages by name with npm and pip into the folder; DataError when either cannot."""
    folder.mkdir(parents=True, exist_ok=True)
    commands = (
        ["npm", "pack", "--silent", NPM_PACKAGE],
        # The models are the same in every wheel of this version, so one platform serves all.
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
         "--python-version", "3.11", "--platform", "manylinux2014_x86_64", "--dest", ".", WHEEL],
    )  # fmt: skip
    for command in commands:
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise DataError(f"{command[0]} is not installed: install it or give --packages") from error
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or error.stdout).strip().splitlines()[-1:] or ["no message"]
            raise DataError(
                f"{' '.join(command)} failed: {reason[0]}: download it elsewhere and give --packages"
            ) from error
    return [*folder.glob("*.tgz"), *folder.glob("*.whl")]


def cached_models(folder: Path) -> dict[str, bytes]:
    """The four model files out of a folder, fetched into it the first time."""
    if not all((folder / name).exists() for name in SHA256):
        with tempfile.TemporaryDirectory() as temporary:
            models = find_models(fetch_packages(Path(temporary)))
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in models.items():
            with whole_file(folder / name) as partial:
                partial.write_bytes(data)
    return find_models([folder])


def convert(models: dict[str, bytes], out: Path) -> list[Path]:
    """Write torch state and ONNX of the three encoders and the detector; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for variant in ARCHITECTURES:
        encoder = load_encoder(models[landmark_file(variant)], variant)
        written += _save_state(encoder.network, out / f"blazepose_{variant}.safetensors")
        export_encoder(encoder, out / f"encoder_{variant}.onnx")
        written.append(out / f"encoder_{variant}.onnx")
    detector = load_detector(models[DETECTOR_FILE])
    written += _save_state(detector, out / "detector.safetensors")
    export_detector(detector, out / "detector.onnx")
    return [*written, out / "detector.onnx"]


def _save_state(module: nn.Module, path: Path) -> list[Path]:
    # The originals are float16, so nothing is lost.
    save_file({name: value.half().contiguous() for name, value in module.state_dict().items()}, str(path))
    return [path]
