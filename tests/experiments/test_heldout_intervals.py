"""From a head to the table of its intervals: an untrained head that couples joints, people who walk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.heldout_intervals import measure, radii_of, table
from sigmapose.calibrate import fit
from sigmapose.learn.data.samples import PictureFeatures
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.stages.fit_calibrator import fit_calibrator
from sigmapose.quantities import KINDS
from taught_samples import ring, walk

pytestmark = pytest.mark.slow


def walkers(count: int) -> PictureFeatures:
    pictures = walk(count, ring(1))
    return replace(pictures, clip=np.array([f"c{k % 20}" for k in range(len(pictures))]))


@pytest.fixture(scope="module")
def head() -> DepthUncertaintyHead:
    torch.manual_seed(0)
    head = DepthUncertaintyHead(PhiConfig(width=32, blocks=1, rank=3, image=False)).eval()
    torch.nn.init.normal_(head.tril.weight, std=0.3)
    return head


def test_a_head_becomes_a_calibrator_and_a_table(
    head: DepthUncertaintyHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "MAX_REACHED", 200)
    pictures = walkers(300)
    rows = np.random.default_rng(0).permutation(len(pictures))
    told, held = pictures.take(rows[:200]), pictures.take(rows[200:])
    calibrator = fit_calibrator({"heavy": head, "none": head}, told, "test", "walkers")
    measured = calibrator.radii["heavy"].quantity_groups
    assert set(measured) <= set(KINDS) and "thigh_length" in measured
    assert measured["thigh_length"].count == 400  # two sides of every other person
    radii = radii_of(head, calibrator, told, "heavy", 120)
    columns = measure(head, calibrator, held, "heavy", radii, limit=80)
    assert list(columns) == ["joint", "joint calibrated", "alone", "alone calibrated"]
    for kind in radii["joint"].radii:
        # one clip of one person: the frames are exchangeable, so measured intervals hold 90 %
        assert columns["joint calibrated"][kind].coverage == pytest.approx(0.9, abs=0.15), kind
    assert columns["joint"]["thigh_length"].width != columns["alone"]["thigh_length"].width
    lines = table(columns).splitlines()
    assert len(lines) == 1 + len(KINDS) and len({len(line) for line in lines}) <= 2
