"""ONNX Runtime sessions: crop or keypoints in, a Gaussian in 2.5D out.

Arrays are in the upright crop frame: origin at the crop centre, axes along the picture's, unit one crop
width; depth in crop widths at the root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sigmapose.errors import ModelError
from sigmapose.shapes import Array, Bool, Float, Int

if TYPE_CHECKING:
    import onnxruntime as ort

SIZES_OF_THETA = ("lite", "full", "heavy")
BEST = "best"
"""`heavy`, and MoveNet Thunder as a second opinion in the picture plane."""
MODELS = (*SIZES_OF_THETA, BEST)
DEFAULT_MODEL = "heavy"
LOGIT_CLIP = 8.0


@dataclass(frozen=True, repr=False)
class Prediction25D:
    """Φ's Gaussian for a batch of people, crop widths: places in the crop, depth from the root."""

    points: Float[Array, "batch 26 2"]
    points_cov: Float[Array, "batch 26 2 2"]
    relative: Float[Array, "batch 26 3"]
    relative_cov: Float[Array, "batch 26 3 3"]
    visibility: Float[Array, "batch 26 4"]
    log_stature: Float[Array, "batch 2"]
    """Mean and standard deviation of ln(standing height in crop widths at the root)."""
    relative_factors: Float[Array, "batch 26 3 rank"]
    """U of a covariance blockdiag(D_j) + U U^T over the whole pose, where relative_cov = D_j + U_j U_j^T;
    rank 0 where joints are taken as independent."""

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"Prediction25D({len(self)} people)"

    def take(self, rows: Int[Array, " some"] | slice) -> Prediction25D:
        """Some of the people."""
        return Prediction25D(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def concatenate(cls, parts: Sequence[Prediction25D]) -> Prediction25D:
        """The people of all parts, in order; at least one part, and all with factors of one rank."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})


@dataclass(frozen=True, repr=False)
class Landmarks:
    """Θ's own landmarks in the rotated crop: what follows people, and what peers are compared with."""

    landmarks: Float[Array, "batch 39 5"]
    world: Float[Array, "batch 39 3"]
    heat: Float[Array, "batch 39 3"]
    flag: Float[Array, " batch"]

    @property
    def peak(self) -> Float[Array, " batch"]:
        """Mean heatmap peak of the body's 33 landmarks, the other six being helper points."""
        return self.heat[:, :33, 2].mean(1)

    def take(self, rows: Int[Array, " some"] | slice) -> Landmarks:
        """Some of the crops."""
        return Landmarks(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def concatenate(cls, parts: Sequence[Landmarks]) -> Landmarks:
        """The crops of all parts, in order; at least one part."""
        return cls(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)})


GRAPH_OUTPUTS = ("points", "points_tril", "relative", "relative_tril", "visibility", "log_stature")
"""Outputs of the ONNX files that make a Prediction25D; Cholesky factors are packed lower triangles."""
FACTORS = "factors"
"""An output more where the file's Φ couples the joints."""
PLAUSIBILITY = "plausibility"
"""An output more where the file holds a critic; nothing reads it yet."""
LANDMARK_NAMES = tuple(f.name for f in fields(Landmarks))
PREDICTION_SHAPES = {
    "points": (26, 2), "points_tril": (26, 3), "relative": (26, 3), "relative_tril": (26, 6),
    "visibility": (26, 4), "log_stature": (2,),
}  # fmt: skip
"""Behind the batch."""
IMAGE_SHAPES = PREDICTION_SHAPES | {
    "crops": (256, 256, 3), "rotation": (2,), "context": (12,),
    "landmarks": (39, 5), "world": (39, 3), "heat": (39, 3), "flag": (),
}  # fmt: skip
LIFT_SHAPES = PREDICTION_SHAPES | {"keypoints": (26, 2), "scores": (26,), "present": (26,), "context": (12,)}
FACTOR_SHAPES = {FACTORS: (26, 3, -1)}


def weights_path(name: str) -> Path:
    """File of an embedded network: ``lite``, ``full``, ``heavy``, ``lift``, ``detector``, ``thunder``.

    A folder named by ``$SIGMAPOSE_MODELS`` comes before the package.
    """
    file = f"{name}.onnx"
    folders = [Path(p) for p in (os.environ.get("SIGMAPOSE_MODELS"),) if p]
    folders.append(Path(str(resources.files("sigmapose") / "weights")))
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise ModelError(f"model '{name}' is not installed ({file} not found): reinstall sigmapose")


def networks_of(model: str) -> tuple[str, ...]:
    """The embedded networks that look at people for a model."""
    return ("heavy", "thunder") if model == BEST else (model,)


def cache_folder() -> Path:
    """Where downloads and rendered pictures are kept: ``$XDG_CACHE_HOME/sigmapose`` or
    ``~/.cache/sigmapose``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sigmapose"


def default_threads(model: str | None = None) -> int:
    """Half of the processors, since decoding, drawing and writing want the other half; all for ``heavy``
    and ``best``.

    Measured on two: ``full`` 50 frames/s with one thread, 48 with two; ``heavy`` 16 and 21.
    """
    processors = os.cpu_count() or 2
    return processors if model in ("heavy", BEST) else max(1, processors // 2)


def open_session(
    path: Path, *, threads: int | None = None, device: str = "cpu", name: str = "network"
) -> ort.InferenceSession:
    """ONNX Runtime session on ``cpu`` or ``cuda``; ModelError, with that name for the file, when the file or
    the device is not usable."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or default_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda"):
        if "CUDAExecutionProvider" not in ort.get_available_providers():
            raise ModelError("device 'cuda' is not available: install onnxruntime-gpu, or use --device cpu")
        providers.insert(0, "CUDAExecutionProvider")
    elif device != "cpu":
        raise ModelError(f"unknown device '{device}': use cpu or cuda")
    try:
        return ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises its own untyped errors
        told = " ".join(str(error).split())[:200]
        raise ModelError(
            f"cannot load the {name} '{path}': {told}: give a file of `sigmapose export`"
        ) from error


def check_shapes(session: ort.InferenceSession, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """ModelError unless what a file takes and gives is float32 and of these shapes, the batch and sizes that
    it leaves open aside; names that are not in `shapes` do not matter.

    Args:
        shapes: behind the batch, by name; -1 for any size.
    """
    puts = {put.name: put for put in (*session.get_inputs(), *session.get_outputs())}
    for name, expected in shapes.items():
        put = puts.get(name)
        if put is None:
            raise ModelError(f"'{path}' lacks '{name}': make it again with `sigmapose export`, or reinstall")
        sizes = put.shape[1:]
        fits = len(sizes) == len(expected) and all(
            -1 in (wanted, size) or size == wanted
            for size, wanted in zip((n if isinstance(n, int) else -1 for n in sizes), expected, strict=True)
        )
        if not fits or put.type != "tensor(float)":
            told = ", ".join(str(size)[:20] for size in put.shape)
            wanted = ", ".join("any" if n < 0 else str(n) for n in expected)
            raise ModelError(
                f"'{path}' has '{name}' of shape [{told}], {put.type}, expected [batch"
                f"{', ' if wanted else ''}{wanted}], tensor(float): make it again with `sigmapose export`"
            )


GRAPH_INPUTS = ("crops", "rotation", "context")
ENCODER_KEY, DEPTH_SCALE_KEY = "sigmapose.encoder", "sigmapose.depth_scale"
"""Entries of an exported file's metadata: the size of Θ in it, and `PhiConfig.depth_scale`."""
TRAINED_KEY = "sigmapose.encoder_trained"
"""Is there where Θ is no longer as MediaPipe published it."""
CONFIG_KEY = "sigmapose.phi"
"""Configuration of the Φ inside, JSON."""
CRITIC_KEY = "sigmapose.critic"
"""Configuration of the critic inside, JSON; absent where there is none."""


class ImageNetwork:
    """Θ and Φ together: crops of people to Gaussians.

    `model` is the size of Θ: what calibrators and the context of a crop know a network by.
    """

    def __init__(
        self, model: str | Path = DEFAULT_MODEL, *, threads: int | None = None, device: str = "cpu"
    ) -> None:
        named = str(model) in SIZES_OF_THETA
        if not named and Path(model).suffix != ".onnx":
            raise ModelError(
                f"unknown model '{model}': choose one of {', '.join(MODELS)}, or the .onnx file of one"
            )
        path = weights_path(str(model)) if named else Path(model)
        if not path.is_file():
            raise ModelError(f"no network at '{path}': make one with: sigmapose export --out {path}")
        self.session = open_session(path, threads=threads or default_threads(str(model)), device=device)
        given = {put.name for put in (*self.session.get_inputs(), *self.session.get_outputs())}
        if not given.issuperset(GRAPH_INPUTS):
            raise ModelError(
                f"'{path}' is another kind of network (its inputs are not {', '.join(GRAPH_INPUTS)}): "
                "give a file of `sigmapose export`"
            )
        told = self.session.get_modelmeta().custom_metadata_map
        self.model = str(model) if named else _encoder_of(path, told)
        self.depth_scale = _depth_scale(path, told)
        """1/sqrt(2) where the file's depth sigma is eq1's, corrected; 1 otherwise."""
        self._outputs = prediction_outputs(self.session)
        missing = {*GRAPH_INPUTS, *GRAPH_OUTPUTS, *LANDMARK_NAMES} - given
        if missing:
            raise ModelError(
                f"'{path}' was made by another version (it lacks {', '.join(sorted(missing))}): "
                f"make it again with: sigmapose export --model {self.model}"
            )
        check_shapes(self.session, path, IMAGE_SHAPES | (FACTOR_SHAPES if FACTORS in given else {}))

    def __call__(
        self,
        crops: Float[Array, "batch 256 256 3"],
        rotation: Float[Array, "batch 2"],
        context: Float[Array, "batch 12"],
    ) -> tuple[Prediction25D, Landmarks]:
        """``crops`` in 0..1, ``rotation`` = (cos, sin) of each crop's angle."""
        feed = {"crops": crops, "rotation": rotation.astype(np.float32), "context": context}
        values = [np.asarray(v) for v in self.session.run((*self._outputs, *LANDMARK_NAMES), feed)]
        count = len(self._outputs)
        return _prediction(values[:count]), Landmarks(*values[count:])


def _depth_scale(path: Path, told: Mapping[str, str]) -> float:
    try:
        scale = float(told.get(DEPTH_SCALE_KEY, 1.0))
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1:
        raise ModelError(
            f"'{path}' says {told[DEPTH_SCALE_KEY][:40]!r} of its depth scale: make it again with "
            "`sigmapose export`"
        )
    return scale


def _encoder_of(path: Path, told: Mapping[str, str]) -> str:
    """Size of the encoder inside a file: what it says, else the last word of its name (`run7-heavy.onnx`)."""
    found = told.get(ENCODER_KEY, path.stem.rpartition("-")[2])
    if found not in SIZES_OF_THETA:
        raise ModelError(
            f"'{path}' does not say which encoder it holds: make it with `sigmapose export`, or let its name "
            f"end in -{', -'.join(SIZES_OF_THETA)}"
        )
    return found


class LiftNetwork:
    """Φ alone: 2D keypoints to Gaussians."""

    def __init__(self, *, threads: int | None = None, device: str = "cpu") -> None:
        path = weights_path("lift")
        self.session = open_session(path, threads=threads, device=device)
        self._outputs = prediction_outputs(self.session)
        check_shapes(self.session, path, LIFT_SHAPES | (FACTOR_SHAPES if FACTORS in self._outputs else {}))

    def __call__(
        self,
        points: Float[Array, "batch 26 2"],
        scores: Float[Array, "batch 26"],
        present: Bool[Array, "batch 26"],
        context: Float[Array, "batch 12"],
    ) -> Prediction25D:
        """Points in the upright crop frame; absent joints are masked whatever their value.

        A NaN score says that the detector gives none.
        """
        feed = {
            "keypoints": np.where(present[..., None], points, 0.0).astype(np.float32),
            "scores": _score_logit(np.where(present, scores, np.nan)),
            "present": present.astype(np.float32),
            "context": context,
        }
        return _prediction([np.asarray(v) for v in self.session.run(self._outputs, feed)])


def prediction_outputs(session: ort.InferenceSession) -> tuple[str, ...]:
    """Which outputs of a file make a Prediction25D."""
    coupled = FACTORS in {output.name for output in session.get_outputs()}
    return (*GRAPH_OUTPUTS, FACTORS) if coupled else GRAPH_OUTPUTS


def _prediction(values: Sequence[Array]) -> Prediction25D:
    points, points_tril, relative, relative_tril, visibility, log_stature, *factors = values
    return Prediction25D(
        points=points,
        points_cov=_product(points_tril, 2),
        relative=relative,
        relative_cov=_product(relative_tril, 3),
        visibility=visibility,
        log_stature=log_stature,
        relative_factors=factors[0] if factors else np.zeros((*relative.shape, 0), relative.dtype),
    )


def _product(packed: Float[Array, "*batch entry"], size: int) -> Float[Array, "*batch dim dim"]:
    """L L^T of packed lower triangles, entry by entry: one pass over the batch each."""
    row = {(i, j): i * (i + 1) // 2 + j for i in range(size) for j in range(i + 1)}
    entries = np.moveaxis(packed, -1, 0)
    cov = np.empty((*packed.shape[:-1], size, size), dtype=np.float64)
    for i in range(size):
        for j in range(i + 1):
            cov[..., i, j] = cov[..., j, i] = sum(
                entries[row[i, k]] * entries[row[j, k]] for k in range(j + 1)
            )
    return cov


def _score_logit(scores: Array) -> Array:
    p = np.clip(scores, 1e-4, 1 - 1e-4)
    return np.nan_to_num((np.log(p) - np.log1p(-p)) / LOGIT_CLIP, nan=0.0).astype(np.float32)
