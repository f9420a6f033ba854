"""The shipped depth network on people it has never seen: the test subjects' pictures of a set of feature
shards.

python -m sigmapose.learn.heldout --pictures DIR
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from sigmapose.calibrator import Calibrator
from sigmapose.estimate.api import resolve_calibrator
from sigmapose.estimate.network import weights_path
from sigmapose.gaussian import chi2_radius
from sigmapose.learn.augment import picture_batch
from sigmapose.learn.export import load_phi
from sigmapose.learn.losses import solve_lower
from sigmapose.learn.objective import auroc
from sigmapose.learn.phi import ROOT, DepthUncertaintyHead
from sigmapose.learn.samples import Pictures, load_pictures
from sigmapose.skeleton import VISIBILITY

WRONG_MM = 100.0


@dataclass(frozen=True)
class HeldOut:
    """Coverage and accuracy on the test subjects, for every encoder and for bare keypoints."""

    pictures: Path
    """Folder of feature shards."""


def measure(
    phi: DepthUncertaintyHead, calibrator: Calibrator, pictures: Pictures, source: str
) -> dict[str, float]:
    """MPJPE at the true scale, coverage of the calibrated 50/90/95 % regions, by visibility class, and
    AUROC."""
    batch, _ = picture_batch(pictures, source, focal_known=False)
    with torch.no_grad():
        answer = phi(batch.tokens, batch.context)
    joints = np.array([j for j in range(26) if j != ROOT])
    predicted = answer.visibility_logits.argmax(-1).numpy()
    scale = calibrator.scales_for(source).relative[np.arange(26), predicted]
    error = batch.relative - answer.relative
    distance = ((solve_lower(answer.relative_tril, error) ** 2).sum(-1).numpy() / scale)[:, joints]
    error_mm = (error.norm(dim=-1) * batch.mm_per_crop[:, None]).numpy()[:, joints]
    sigma_mm = (torch.linalg.matrix_norm(answer.relative_tril) * batch.mm_per_crop[:, None]).numpy()
    sigma_mm = (sigma_mm * np.sqrt(scale))[:, joints]
    inside = {level: distance < chi2_radius(level, 3) ** 2 for level in (0.5, 0.9, 0.95)}
    truth = batch.visibility.numpy()[:, joints]
    numbers = {"people": float(len(error_mm)), "mpjpe_mm": float(error_mm.mean())}
    numbers |= {f"coverage_{round(100 * level)}": float(hit.mean()) for level, hit in inside.items()}
    numbers |= {
        f"coverage_90_{name}": float(inside[0.9][truth == c].mean()) for c, name in enumerate(VISIBILITY)
    }
    wrong = torch.from_numpy(error_mm > WRONG_MM).flatten()
    numbers["auroc_100mm"] = auroc(torch.from_numpy(sigma_mm).flatten(), wrong)
    return numbers


def main() -> None:
    """Entry point of ``python -m sigmapose.learn.heldout``."""
    import tyro

    options = tyro.cli(HeldOut)
    phi, calibrator = load_phi(weights_path("lift")), resolve_calibrator(None)
    assert calibrator is not None
    pictures = load_pictures(options.pictures, "test")
    for source in (*pictures.tokens, "none"):
        numbers = measure(phi, calibrator, pictures, source)
        sys.stdout.write(f"{source:6s} " + "  ".join(f"{k} {v:.3g}" for k, v in numbers.items()) + "\n")


if __name__ == "__main__":
    main()
