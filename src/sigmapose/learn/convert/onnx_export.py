"""Networks to ONNX: one file for picture to Gaussian, one for keypoints to Gaussian."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sigmapose.estimate.context import CONTEXT_FEATURES
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import (
    CONFIG_KEY,
    CRITIC_KEY,
    DEPTH_SCALE_KEY,
    ENCODER_KEY,
    FACTORS,
    GRAPH_OUTPUTS,
    LANDMARK_NAMES,
    PLAUSIBILITY,
    TRAINED_KEY,
    weights_path,
)
from sigmapose.learn.convert.convert_blazepose import (
    landmark_file,
    load_encoder,
    original_models,
)
from sigmapose.learn.convert.onnx_load import encoder_in, load_phi
from sigmapose.learn.convert.onnx_rewrite import rewrite
from sigmapose.learn.convert.onnx_store import store_float16
from sigmapose.learn.networks.blazepose import PoseEncoder, Variant
from sigmapose.learn.networks.critic import PoseCritic
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.judged_head import JudgedHead
from sigmapose.learn.networks.phi import Gaussian25D
from sigmapose.learn.networks.tokens import (
    JOINTS,
    TOKEN_FEATURES,
    EncoderStatistics,
    ImageFeatures,
    encoder_tokens,
    image_evidence,
)

OPSET = 17


def judged_arrays(
    phi: Head, critic: PoseCritic | None, tokens: Tensor, context: Tensor, image: ImageFeatures | None = None
) -> tuple[Tensor, ...]:
    """The tensors of the exported graphs, in the order of `answer_names`."""
    if critic is None:
        return answer_arrays(phi(tokens, context, image))
    answer, plausibility = JudgedHead(phi, critic).judge(tokens, context, image)
    return (*answer_arrays(answer), plausibility)


def answer_arrays(answer: Gaussian25D) -> tuple[Tensor, ...]:
    """Those of an answer alone."""
    return (
        answer.points,
        _packed(answer.points_tril),
        answer.relative,
        _packed(answer.relative_tril),
        answer.visibility_logits.softmax(-1),
        answer.log_stature,
        *((answer.factors,) if answer.factors.shape[-1] else ()),
    )


def answer_names(phi: Head, critic: PoseCritic | None = None) -> tuple[str, ...]:
    """Their names."""
    coupled = isinstance(phi, EnsembleHead) or phi.config.rank > 0
    more = (FACTORS,) * coupled + (PLAUSIBILITY,) * (critic is not None)
    return (*GRAPH_OUTPUTS, *more)


def _packed(tril: Tensor) -> Tensor:
    """Lower triangle row by row; the product with its transpose is cheaper outside of the graph."""
    size = int(tril.shape[-1])
    kept = [i * size + j for i in range(size) for j in range(i + 1)]
    return tril.reshape(-1, JOINTS, size * size)[..., kept]


class ImageModel(nn.Module):
    """Θ then Φ: crops, crop rotation and context to the Gaussian and the encoder's own landmarks; under a
    critic, plausibilities too."""

    def __init__(self, encoder: PoseEncoder, phi: Head, critic: PoseCritic | None = None) -> None:
        super().__init__()
        self.encoder, self.phi, self.critic = encoder, phi.only(encoder.variant), critic

    def forward(self, crops: Tensor, rotation: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        seen = self.encoder(crops)
        tokens = encoder_tokens(
            EncoderStatistics(seen.landmarks, seen.world, seen.spread, seen.heat), rotation
        )
        image = image_evidence(seen.local, seen.whole, rotation)._replace(mask=None)
        return (
            *judged_arrays(self.phi, self.critic, tokens, context, image),
            seen.landmarks,
            seen.world,
            seen.heat,
            seen.flag,
        )


class LiftModel(nn.Module):
    """Φ alone, or under a critic; scores arrive as clipped logits, absent joints with mask 0."""

    def __init__(self, phi: Head, critic: PoseCritic | None = None) -> None:
        super().__init__()
        self.phi, self.critic = phi, critic

    def forward(
        self, keypoints: Tensor, scores: Tensor, present: Tensor, context: Tensor
    ) -> tuple[Tensor, ...]:
        tokens = torch.cat(
            (keypoints * present[..., None], present[..., None], (scores * present)[..., None]), dim=-1
        )
        tokens = nn.functional.pad(tokens, (0, TOKEN_FEATURES - tokens.shape[-1]))
        return judged_arrays(self.phi, self.critic, tokens, context)


def save_phi(phi: Head, path: Path) -> None:
    """Weights and configuration in one file, for `load_phi`."""
    members = len(phi.members) if isinstance(phi, EnsembleHead) else 1
    torch.save({"config": asdict(phi.config), "members": members, "weights": phi.state_dict()}, path)


def make_model(
    variant: Variant, *, phi: Path | None = None, packages: Path | None = None, out: Path | None = None
) -> Path:
    """Put one size of MediaPipe's encoder and a Φ into an ONNX file, or what ships; returns its path.

    Args:
        phi: an earlier phi.pt, or a file with one; None for what ships of that size, whose encoder may
            have been trained further.
        packages: MediaPipe's; fetched when left out.

    Raises:
        DataError: the encoder's package cannot be read or fetched. ModelError: ``phi`` is not a checkpoint.
    """
    target, trained = out or Path(f"{variant}.onnx"), False
    if phi is None:
        shipped = weights_path(variant)
        encoder, head, trained = (
            encoder_in(shipped, variant),
            load_phi(shipped),
            TRAINED_KEY in told_by(shipped),
        )
    else:
        head = load_phi(phi)  # first: a wrong file is said before anything is fetched
        encoder = load_encoder(original_models(packages)[landmark_file(variant)], variant)
    export_image_model(encoder, head, target)
    label_model(target, variant, head, trained=trained)
    return target


def label_model(path: Path, variant: Variant, phi: Head, *, trained: bool) -> None:
    """Say what is inside; ``trained``: the encoder is no longer as MediaPipe published it."""
    facts = {ENCODER_KEY: variant, DEPTH_SCALE_KEY: str(phi.config.depth_scale)}
    label(path, facts | ({TRAINED_KEY: "1"} if trained else {}))


def told_by(path: Path) -> dict[str, str]:
    """An ONNX file's metadata."""
    return {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}


def label(path: Path, facts: dict[str, str]) -> None:
    """Add to an ONNX file's metadata, which `ImageNetwork` and `load_phi` read."""
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, told_by(path) | facts)
    onnx.save(model, str(path))


def export_image_model(encoder: PoseEncoder, phi: Head, out: Path, critic: PoseCritic | None = None) -> None:
    """Write ``crops, rotation, context`` -> Gaussian, landmarks, world, heat, flag; float16 weights,
    float32 arithmetic. Under a critic, plausibilities too."""
    example = (
        torch.rand(2, CROP_PX, CROP_PX, 3),
        torch.tensor([[1.0, 0.0]] * 2),
        torch.zeros(2, CONTEXT_FEATURES),
    )
    _export(
        ImageModel(encoder, phi, critic),
        example,
        ("crops", "rotation", "context"),
        (*answer_names(phi, critic), *LANDMARK_NAMES),
        out,
    )
    _label_config(phi, critic, out)


def export_lift_model(phi: Head, out: Path, critic: PoseCritic | None = None) -> None:
    """Write ``keypoints, scores, present, context`` -> Gaussian; float16 weights, float32 arithmetic. Under a
    critic, plausibilities too."""
    example = (
        torch.randn(2, JOINTS, 2) * 0.2,
        torch.zeros(2, JOINTS),
        torch.ones(2, JOINTS),
        torch.zeros(2, CONTEXT_FEATURES),
    )
    inputs, outputs = ("keypoints", "scores", "present", "context"), answer_names(phi, critic)
    _export(LiftModel(phi, critic), example, inputs, outputs, out)
    _label_config(phi, critic, out)


def _label_config(phi: Head, critic: PoseCritic | None, out: Path) -> None:
    members = len(phi.members) if isinstance(phi, EnsembleHead) else 1
    facts = {CONFIG_KEY: json.dumps({**asdict(phi.config), "members": members})}
    if critic is not None:
        facts[CRITIC_KEY] = json.dumps(asdict(critic.config))
    label(out, facts)


def _export(
    model: nn.Module,
    example: tuple[Tensor, ...],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    out: Path,
) -> None:
    model = model.eval()
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = out.with_suffix(".float32.onnx")
    axes = {name: {0: "batch"} for name in (*inputs, *outputs)}
    with torch.no_grad(), warnings.catch_warnings():
        # Index tables are constants on purpose; strided slices and the exporter's own age do not matter.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            example,
            str(whole),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    store_float16(rewrite(onnx.load(str(whole))), out)
    whole.unlink()
