"""Networks as torch modules again, from exported ONNX files and from checkpoints of Φ."""

from __future__ import annotations

import json
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import onnx
import torch
from torch import Tensor

from sigmapose.errors import ModelError
from sigmapose.estimate.network import CONFIG_KEY, CRITIC_KEY
from sigmapose.learn.networks.blazepose import ARCHITECTURES, PoseEncoder, Variant
from sigmapose.learn.networks.critic import CriticConfig, PoseCritic
from sigmapose.learn.networks.ensemble import EnsembleHead, Head
from sigmapose.learn.networks.judged_head import AnyHead, JudgedHead
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.reading import guarded

_REMEDY = "give weights/phi.pt of a training run, or a network that `sigmapose export` made"
_CRITIC_REMEDY = "give a critic.pt of `python -m experiments critic-train`, or an exported network with one"
READERS = "readers."
"""Begins the names of the weights that read one encoder's image features."""


def load_phi(path: Path) -> Head:
    """Φ in evaluation mode from a checkpoint (``phi.pt``), from an exported ``lift.onnx``, or from an image
    model.

    Image models of several sizes may share one Φ; each file then holds what reads its own encoder's features,
    and the rest is taken from the files beside it. A Φ of one size alone reads no other encoder's features.

    Raises:
        ModelError: the file holds no Φ of the size it states.
    """
    if not path.is_file():
        raise ModelError(f"no such checkpoint: '{path}'")
    with guarded(path, _REMEDY, ModelError):
        return _phi(*(_exported(path) if path.suffix == ".onnx" else _checkpoint(path)), path)


def _checkpoint(path: Path) -> tuple[PhiConfig, int, dict[str, Tensor]]:
    """Configuration, number of members and weights of the Φ in a ``phi.pt``."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ModelError(f"{path}: is no checkpoint of PyTorch: {_REMEDY}") from error
    config, members = PhiConfig(image=False), 1
    if "config" in stored:
        config, members = PhiConfig(**stored["config"]), stored.get("members", 1)
        stored = stored["weights"]
    return config, members, {name: value.float() for name, value in stored.items()}


def _phi(config: PhiConfig, members: int, state: dict[str, Tensor], path: Path) -> Head:
    heads = [DepthUncertaintyHead(config) for _ in range(members)]
    if members == 1:
        for variant in [
            v for v in heads[0].readers if not any(n.startswith(f"{READERS}{v}.") for n in state)
        ]:
            del heads[0].readers[variant]
    phi = heads[0] if members == 1 else EnsembleHead(heads)
    try:
        phi.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: holds no depth-and-uncertainty network of its stated size: {_REMEDY}"
        ) from error
    return phi.eval()


def encoder_in(path: Path, variant: Variant) -> PoseEncoder:
    """Θ of an exported image model, in evaluation mode.

    Raises:
        ModelError: the file holds no encoder of that size.
    """
    encoder = PoseEncoder(variant)
    state = _weights(onnx.load(str(path)), "encoder.") if path.is_file() else {}
    try:
        encoder.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"'{path}' does not hold an encoder of size '{variant}'") from error
    return encoder.eval()


def load_critic(path: Path) -> PoseCritic | None:
    """The critic of a ``critic.pt`` or of an exported file, in evaluation mode; None where that has none.

    Raises:
        ModelError: the file holds no critic of the size it states.
    """
    if not path.is_file():
        raise ModelError(f"no such critic: '{path}'")
    with guarded(path, _CRITIC_REMEDY, ModelError):
        if path.suffix == ".onnx":
            model = onnx.load(str(path))
            told = {entry.key: entry.value for entry in model.metadata_props}
            if CRITIC_KEY not in told:
                return None
            config, state = json.loads(told[CRITIC_KEY]), _weights(model, "critic.")
        else:
            stored = torch.load(path, map_location="cpu", weights_only=True)
            config, state = stored["config"], stored["weights"]
        critic = PoseCritic(CriticConfig(**config))
        try:
            critic.load_state_dict(state)
        except RuntimeError as error:
            raise ModelError(f"{path}: holds no critic of its stated size: {_CRITIC_REMEDY}") from error
        return critic.eval()


def load_judged(path: Path) -> AnyHead:
    """Φ of a file, under its critic where it has one: what the file's covariances are.

    Raises:
        ModelError: as `load_phi` and `load_critic`.
    """
    phi = load_phi(path)
    critic = load_critic(path) if path.suffix == ".onnx" else None
    return phi if critic is None else JudgedHead(phi, critic).eval()


def _exported(path: Path) -> tuple[PhiConfig, int, dict[str, Tensor]]:
    """Configuration, number of members and weights of the Φ in an ONNX file and, where they are of the same
    Φ, the files beside it."""
    model = onnx.load(str(path))
    told = {entry.key: entry.value for entry in model.metadata_props}
    facts = json.loads(told.get(CONFIG_KEY, '{"image": false}'))
    members, config = facts.pop("members", 1), PhiConfig(**facts)
    state = _phi_weights(model)
    if config.image:
        for variant in ARCHITECTURES:
            if (beside := path.with_name(f"{variant}.onnx")).is_file() and beside != path:
                other = _phi_weights(onnx.load(str(beside)))
                if all(torch.equal(other[n], v) for n, v in state.items() if n in other):
                    state |= other
    return config, members, state


def _phi_weights(model: onnx.ModelProto) -> dict[str, Tensor]:
    state = _weights(model, "phi.")
    for name in [n for n in state if n.endswith("mean.bias")]:
        # The exporter stores equal tensors once; these two start equal and have equal gradients.
        state.setdefault(name.replace("mean.bias", "shortcut.bias"), state[name])
    return state


def _weights(model: onnx.ModelProto, part: str) -> dict[str, Tensor]:
    arrays = {i.name.removesuffix(".float16"): onnx.numpy_helper.to_array(i) for i in model.graph.initializer}
    return {
        name.removeprefix(part): torch.from_numpy(array.astype(np.float32))
        for name, array in arrays.items()
        if name.startswith(part)
    }
