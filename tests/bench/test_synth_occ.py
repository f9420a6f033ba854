"""Rendered people at several severities: the same people, exact truth, kept in the cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sigmapose.bench import synth_occ
from sigmapose.bench.crops import crop_of_joints, look_at
from sigmapose.bench.options import Options
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.report.scorecard import card_of
from sigmapose.skeleton import BODY_26, H36M_17
from sigmapose.synth.distributions import EVERYDAY


def test_a_crop_from_joints_holds_the_person_with_the_shoulders_up() -> None:
    points = np.full((26, 2), np.nan)
    standing = {"left_hip": (110, 100), "right_hip": (90, 100), "head_top": (100, 5)}
    standing |= {"left_shoulder": (115, 40), "right_shoulder": (85, 40)}
    standing |= {"left_ankle": (110, 200), "right_ankle": (90, 200)}
    for name, at in standing.items():
        points[BODY_26.index(name)] = at
    crop = crop_of_joints(points, BODY_26.joints)
    assert crop.center_px == (100.0, 100.0) and crop.angle_rad == pytest.approx(0.0)
    inside = crop.to_crop(points[np.isfinite(points).all(-1)])
    assert np.abs(inside).max() < 0.5 and np.abs(inside).max() > 0.3
    turned = points @ np.array([[0.0, 1.0], [-1.0, 0.0]])  # a quarter turn: the head points to the right
    lying = crop_of_joints(turned, BODY_26.joints)
    assert lying.angle_rad == pytest.approx(np.pi / 2)
    np.testing.assert_allclose(lying.to_crop(turned), crop.to_crop(points), atol=1e-9)
    with pytest.raises(DataError, match="both hips"):
        crop_of_joints(np.full((17, 2), np.nan), H36M_17.joints)


@pytest.mark.slow
def test_the_same_people_at_every_severity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(synth_occ, "QUICK_PEOPLE", 6)
    monkeypatch.setattr(synth_occ, "QUICK_BODIES", 96)
    results = synth_occ.run(Options(quick=True))
    folder = synth_occ.prepare(Options(quick=True))
    stamps = {file: file.stat().st_mtime_ns for file in folder.rglob("*.tar")}
    clean, hidden = (synth_occ.people(folder, s, Options(quick=True)) for s in (0.0, 0.4))
    assert {
        file: file.stat().st_mtime_ns for file in folder.rglob("*.tar")
    } == stamps  # nothing is made twice
    assert len(clean) == len(hidden) == 6
    for a, b in zip(clean, hidden, strict=True):
        assert a.split == b.split == Split.TEST
        np.testing.assert_array_equal(a.joints_mm, b.joints_mm)
        np.testing.assert_array_equal(a.crop, b.crop)
        assert a.facts["body"] == b.facts["body"] and a.facts["occluded_fraction"] < 0.02
        pixels, crop = look_at(a)
        assert pixels.shape == (256, 256, 3) and pixels.min() >= 0 and 0.1 < pixels.max() <= 1
        truth = a.points_in_picture(256)
        np.testing.assert_allclose((crop.to_crop(a.points_px) + 0.5) * 256 - 0.5, truth)
    assert 0.25 < np.median([s.facts["occluded_fraction"] for s in hidden]) < 0.55
    everyday = synth_occ.people(folder, 0.0, Options(quick=True), "everyday")
    assert all(s.facts["people"] == "everyday" for s in everyday)
    assert {s.clip for s in everyday} <= {f"procedural/{name}" for name, _ in EVERYDAY.families or ()}
    assert results.severities == (0.0, 0.4) and results.protocol == "synth-occ@1 (first 6 people)"
    assert {"sigmapose", "blazepose-full", "constant-sigma"} <= set(results.methods)
    for method in results.methods.values():
        assert method.scores.counts["joints"] == 6 * len(synth_occ.JOINTS)
    assert results.growth["sigmapose"].error > 1.0 and results.growth["sigmapose"].sigma > 1.0
    assert "object_occluded" in card_of(results).visibility["sigmapose"]
    assert results.methods["sigmapose"].worst[0].picture.read().shape == (256, 256, 3)
    assert "procedural poses" in str(results.statement["people"])
