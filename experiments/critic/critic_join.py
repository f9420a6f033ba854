"""Join a critic to networks: the same Θ and Φ, exported with it. Any Φ can be given any critic; it should be
the one that was trained on its answers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch

from experiments.critic.critic_data import heads, pictures
from sigmapose.data.splits import Split
from sigmapose.errors import InputError
from sigmapose.estimate.network import DEPTH_SCALE_KEY, ENCODER_KEY, TRAINED_KEY, weights_path
from sigmapose.learn.convert.onnx_export import export_image_model, export_lift_model, label
from sigmapose.learn.convert.onnx_load import encoder_in, load_critic, load_phi
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.networks.blazepose import ARCHITECTURES, Variant
from sigmapose.learn.networks.critic import PoseCritic
from sigmapose.learn.training.critic_calibration import calibrate_critic
from sigmapose.learn.training.critic_loop import answered


@dataclass(frozen=True)
class JoinCritic:
    """Networks under a critic."""

    critic: Path
    """critic.pt of `critic-train`."""
    out: Path
    """Folder for lite.onnx, full.onnx, heavy.onnx and lift.onnx; set SIGMAPOSE_MODELS to use them."""
    calibration: Path
    """Feature shards of the calibration subjects, on whom plausibilities and inflation are fitted."""
    models: Path | None = None
    """Folder of the networks; else those that ship."""


def main(options: JoinCritic) -> None:
    """Calibrate the critic, and export; the calibrator of the regions is to be fitted anew afterwards."""
    torch.set_num_threads(1)
    critic = load_critic(options.critic)
    if critic is None:
        raise InputError(f"{options.critic} holds no critic: give the critic.pt of `critic-train`")
    calibrate(critic, options.calibration, options.models)
    for name in (*ARCHITECTURES, "lift"):
        source = options.models / f"{name}.onnx" if options.models else weights_path(name)
        if source.is_file():
            join(source, critic, options.out / f"{name}.onnx")
            sys.stdout.write(f"wrote {options.out / name}.onnx\n")


def calibrate(critic: PoseCritic, features: Path, models: Path | None) -> None:
    """Fit what its logits mean for every evidence source, on the calibration subjects."""
    phi, seen = heads(models), pictures(features, Split.CALIBRATION)
    sources = (*seen.tokens, "none")
    batches = {name: picture_batch(seen, name, focal_known=False)[0] for name in sources}
    calibrate_critic(critic, {name: answered(phi, b) for name, b in batches.items() if len(b.tokens)})
    np.set_printoptions(precision=3, suppress=True)
    sys.stdout.write(f"calibration (none, lite, full, heavy):\n{critic.calibration.numpy()}\n")


def join(network: Path, critic: PoseCritic, out: Path) -> None:
    """One exported network again, under the critic; rounded to float16 as files hold it."""
    told = {entry.key: entry.value for entry in onnx.load(str(network)).metadata_props}
    phi = load_phi(network)
    sizes: dict[str, Variant] = {name: name for name in ARCHITECTURES}
    named = told.get(ENCODER_KEY, network.stem)
    if named in sizes:
        export_image_model(encoder_in(network, sizes[named]), phi, out, critic)
    else:
        export_lift_model(phi, out, critic)
    label(out, {key: told[key] for key in (ENCODER_KEY, DEPTH_SCALE_KEY, TRAINED_KEY) if key in told})
