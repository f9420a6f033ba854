"""What an ensemble leaves open: what its members say is uncertain, and what they disagree on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from experiments.study.data import of_view
from experiments.study.run import heads_file
from experiments.study.study_plan import Study
from sigmapose.errors import InputError
from sigmapose.learn.convert.onnx_load import load_phi
from sigmapose.learn.data.augment import picture_batch
from sigmapose.learn.data.samples import ANSWERED_FLAG, PictureFeatures, load_pictures
from sigmapose.learn.networks.ensemble import EnsembleHead
from sigmapose.learn.networks.phi import ROOT, DepthUncertaintyHead
from sigmapose.skeleton import VISIBILITY

ROWS = 1024


def parts(study: Study) -> str:
    """A table of the trained ensemble's aleatoric and epistemic sigma on the test people.

    Raises:
        InputError: the ensemble is not trained yet. DataError: no features of the test split.
    """
    heads = heads_file(study.out, "ensemble")
    if not heads.exists():
        raise InputError(f"no ensemble in '{study.out}': train it first, with the study `phases`")
    folders = [study.out / "runs" / name for name in json.loads(heads.read_text())["heads"]]
    ensemble = EnsembleHead([_member(folder) for folder in folders]).eval()
    pictures = load_pictures(of_view(study.features, "test"), "test", least_flag=ANSWERED_FLAG)
    return table(sigmas(ensemble, pictures, study.encoder))


def _member(folder: Path) -> DepthUncertaintyHead:
    head = load_phi(folder / "phi.pt")
    assert isinstance(head, DepthUncertaintyHead)
    return head


def sigmas(ensemble: EnsembleHead, pictures: PictureFeatures, encoder: str) -> dict[str, tuple[float, ...]]:
    """By true visibility class, and for `all`: number of joints, mean error, mean aleatoric, epistemic and
    whole sigma (root of the covariance's trace), mm at the true scale, root left out."""
    batch, _ = picture_batch(pictures, encoder, focal_known=False)
    others = [j for j in range(batch.points.shape[1]) if j != ROOT]
    found = []
    for first in range(0, len(batch.tokens), ROWS):
        rows = slice(first, first + ROWS)
        image = batch.image.take(rows)
        shown = (batch.tokens[rows], batch.context[rows], image)
        with torch.no_grad():
            own, between = ensemble.parts(*shown)
            error = (batch.relative[rows] - ensemble(*shown).relative).norm(dim=-1)
        roots = [torch.sqrt(cov.diagonal(dim1=-2, dim2=-1).sum(-1)) for cov in (own, between, own + between)]
        found.append(torch.stack((error, *roots), -1) * batch.mm_per_crop[rows, None, None])
    values = torch.cat(found)[:, others].numpy()
    seen = batch.visibility[:, others].numpy()
    chosen = {name: seen == c for c, name in enumerate(VISIBILITY)} | {"all": np.ones_like(seen, bool)}
    return {
        name: (float(where.sum()), *values[where].mean(0).tolist())
        for name, where in chosen.items()
        if where.any()
    }


def table(found: dict[str, tuple[float, ...]]) -> str:
    """As Markdown."""
    lines = [
        "| true class | joints | error mm | aleatoric sigma mm | epistemic sigma mm | together mm |",
        "|---|---|---|---|---|---|",
    ]
    for name, (count, *values) in found.items():
        cells = " | ".join(f"{value:.1f}" for value in values)
        lines.append(f"| {name.replace('_', ' ')} | {count:.0f} | {cells} |")
    return "\n".join(lines) + "\n"
