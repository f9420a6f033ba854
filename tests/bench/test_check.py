"""Claims that are checked, the registry of protocols, and the rows that exported networks become."""

from __future__ import annotations

import json
import math
import re
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import pytest

import sigmapose
from sigmapose.bench import protocols
from sigmapose.bench.check import Claim, read_claims, verdicts
from sigmapose.bench.methods import from_poses, head_methods, own_methods, refuse_test_calibrator
from sigmapose.bench.pose2sim_runs import run as run_pose2sim
from sigmapose.calibrator import Calibrator, Provenance
from sigmapose.camera import Camera
from sigmapose.errors import DataError, InputError, ModelError
from sigmapose.estimate.crop import Crop
from sigmapose.estimate.network import DEPTH_SCALE_KEY, ENCODER_KEY
from sigmapose.evaluate.metric_names import METRICS
from sigmapose.evaluate.paired import MEANINGS
from sigmapose.report.scorecard import Scorecard
from sigmapose.skeleton import BODY_26, H36M_17, VISIBILITY, joint_map

CARD = Scorecard(
    "pose2sim@2", "abc", "cpu",
    {"sigmapose": {"mpjpe_mm": 100.0, "mpjpe_mm_ci": [95.0, 105.5], "coverage_90": 0.88},
     "blazepose-heavy": {"mpjpe_mm": 125.0}},
    severities={"0.4": {"sigmapose": {"mpjpe_mm": 150.0}}},
)  # fmt: skip


def claims_file(folder: Path, **content: object) -> Path:
    file = folder / "expectations.json"
    file.write_text(json.dumps({"format": "sigmapose/expectations", "version": 1} | content))
    return file


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (dict(metric="mpjpe_mm", at_most=100.0), None),
        (dict(metric="mpjpe_mm", at_most=99.0), r"sigmapose is 100 \[95, 105\.5\], expected at most 99$"),
        (dict(metric="mpjpe_mm", at_most=99.0, tolerance=1.0), None),
        (dict(metric="mpjpe_mm", at_most=0.8, times="blazepose-heavy"), None),
        (dict(metric="mpjpe_mm", at_most=0.75, times="blazepose-heavy"), r"expected at most 93\.75"),
        (dict(metric="mpjpe_mm", at_most=0.75, times="blazepose-full"), r"no mpjpe_mm of blazepose-full"),
        (dict(metric="coverage_90", at_least=0.87, at_most=0.93), None),
        (dict(metric="coverage_90", at_least=0.9, tolerance=0.01), r"is 0\.88, expected at least 0\.9 \(tol"),
        (dict(metric="auroc_100mm", at_least=0.7), r"no auroc_100mm of sigmapose in this run"),
        (dict(metric="mpjpe_mm", at_most=140.0, severity=0.4), r"at severity 0\.4 is 150, expected at most"),
        (dict(metric="mpjpe_mm", at_most=140.0, severity=0.6), r"no mpjpe_mm of sigmapose in this run"),
    ],
)  # fmt: skip
def test_a_claim_holds_or_says_why_not(claim: dict, why: str | None) -> None:
    (found,) = verdicts(CARD, [Claim("it is good", "sigmapose", **claim)])
    assert found.holds == (why is None)
    assert found.text.startswith("it is good: ") and re.search(why or "of sigmapose is ", found.text)


def test_a_claim_may_be_about_every_variant_of_a_protocol(tmp_path: Path) -> None:
    claim = {"claim": "c", "method": "sigmapose", "metric": "mpjpe_mm", "at_most": 1.0}
    file = claims_file(tmp_path, protocols={"synth-occ@1*": [claim], "pose2sim@2": [claim, claim]})
    for name in ("synth-occ@1", "synth-occ@1, motion capture, 1024 people"):
        assert len(read_claims(file, name)) == 1
    with pytest.raises(InputError, match=r"says nothing about synth-occ@2, only about synth-occ@1\*, pose"):
        read_claims(file, "synth-occ@2")


def test_expectations_are_read_by_protocol(tmp_path: Path) -> None:
    claim = {"claim": "c", "method": "sigmapose", "metric": "mpjpe_mm", "at_most": 1.0}
    file = claims_file(tmp_path, protocols={"pose2sim@2": [claim, claim]})
    assert read_claims(file, "pose2sim@2") == [Claim("c", "sigmapose", "mpjpe_mm", at_most=1.0)] * 2
    with pytest.raises(InputError, match=r"says nothing about pose2sim@2 \(first 25 frames\), only about"):
        read_claims(file, "pose2sim@2 (first 25 frames)")
    with pytest.raises(InputError, match="cannot read expectations"):
        read_claims(tmp_path / "none.json", "pose2sim@2")
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(InputError, match="is no sigmapose/expectations file"):
        read_claims(tmp_path / "other.json", "pose2sim@2")
    with pytest.raises(InputError, match="malformed claim about pose2sim@2"):
        read_claims(claims_file(tmp_path, protocols={"pose2sim@2": [{"clam": 1}]}), "pose2sim@2")
    with pytest.raises(InputError, match="neither at_least nor at_most"):
        Claim("c", "sigmapose", "mpjpe_mm")


def test_what_the_repository_claims_can_be_read(repository: Path) -> None:
    for name in ("expectations.json", "targets.json"):
        file = repository / "benchmarks" / name
        for key in json.loads(file.read_text())["protocols"]:
            protocol = key.removesuffix("*")
            assert protocols.get_protocol(protocol).full_name == protocol
            for claim in read_claims(file, protocol):
                known = METRICS | MEANINGS
                assert claim.metric in known, claim.metric


def test_protocols_by_name_and_version() -> None:
    assert protocols.get_protocol("pose2sim").full_name == protocols.get_protocol("pose2sim@2").full_name
    with pytest.raises(
        DataError, match=r"unknown benchmark 'pose3sim': choose from pose2sim, pose2sim-occ, synth"
    ):
        protocols.get_protocol("pose3sim")
    with pytest.raises(DataError, match=r"'pose2sim@1' is not in this release, which has pose2sim@2"):
        protocols.get_protocol("pose2sim@1")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network as if eq1 had taught it, with and without a calibrator."""
    folder = tmp_path_factory.mktemp("heads")
    weights = Path(str(resources.files("sigmapose") / "weights"))
    model = onnx.load(str(weights / "full.onnx"))
    onnx.helper.set_model_props(model, {ENCODER_KEY: "full", DEPTH_SCALE_KEY: str(1 / math.sqrt(2))})
    onnx.save(model, str(folder / "learned-sigma.onnx"))
    shutil.copy(weights / "full.onnx", folder / "beta-nll-full.onnx")
    shutil.copy(weights / "calibrator.json", folder / "beta-nll-full.json")
    return folder


def look(method) -> sigmapose.Pose:
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 1, (1, 256, 256, 3)).astype(np.float32)
    poses, landmarks = method.make().in_crops(
        pixels, [Crop((320.0, 240.0), 400.0)], [Camera.default(640, 480)]
    )
    assert landmarks.landmarks.shape == (1, 39, 5)
    return poses[0]


def test_exported_networks_are_rows(heads: Path) -> None:
    rows = {m.name: m for m in head_methods(heads)}
    assert list(rows) == [
        "sigmapose/beta-nll-full", "sigmapose/beta-nll-full/raw", "sigmapose/learned-sigma",
        "sigmapose/learned-sigma/eq1-raw",
    ]  # fmt: skip
    ships = look(own_methods(("full",))[0])
    calibrated, raw, corrected, eq1 = (look(m) for m in rows.values())
    np.testing.assert_array_equal(calibrated.cov_mm2, ships.cov_mm2)
    assert raw.calibration == corrected.calibration == eq1.calibration == "none"
    np.testing.assert_array_equal(raw.joints_mm, eq1.joints_mm)
    # only the variance along one direction, the ray, differs
    others = [k for k in range(len(BODY_26)) if k != BODY_26.root]
    more = np.linalg.eigvalsh(eq1.cov_mm2 - corrected.cov_mm2)[others]
    assert (more[:, 2] > 100).all() and (np.abs(more[:, :2]) < 1e-3 * more[:, 2:]).all()


def test_networks_that_cannot_be_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no networks \(\*\.onnx\) in .*sigmapose export --phi CHECKPOINT"):
        head_methods(tmp_path)
    silent = onnx.load(str(resources.files("sigmapose") / "weights" / "full.onnx"))
    del silent.metadata_props[:]
    onnx.save(silent, str(tmp_path / "mine.onnx"))
    with pytest.raises(ModelError, match="does not say which encoder it holds"):
        head_methods(tmp_path)
    with pytest.raises(ModelError, match="no network at"):
        sigmapose.load(tmp_path / "absent.onnx")
    with pytest.raises(ModelError, match="unknown model 'huge'"):
        sigmapose.load("huge")


def calibrator(split: str, *subjects: str) -> Calibrator:
    told = Provenance(("x",), split, subjects, 3, "", "", "2026-01-01")
    return Calibrator("mine", BODY_26.name, "x", {}, {}, {}, told)


def test_calibrators_that_saw_the_test_are_refused() -> None:
    with pytest.raises(
        DataError, match="calibrator 'mine' was fitted on the test split: fit it on the calib"
    ):
        refuse_test_calibrator(calibrator("test", "08"), {"35"}, "sigmapose")
    with pytest.raises(DataError, match="was fitted on subjects 35, who are tested here"):
        refuse_test_calibrator(calibrator("calibration", "08", "35"), {"35", "02"}, "sigmapose")
    refuse_test_calibrator(calibrator("calibration", "08"), {"35"}, "sigmapose")


def test_nobody_found_and_joints_of_another_skeleton(heads: Path) -> None:
    pose = look(own_methods(("full",))[0])
    found = from_poses([None, pose], joint_map(BODY_26, H36M_17), fps=3.0)
    assert np.isnan(found.joints_mm[0]).all() and np.isnan(found.cov_mm2[0]).all()
    knee, ours = H36M_17.index("left_knee"), BODY_26.index("left_knee")
    np.testing.assert_allclose(found.joints_mm[1, knee], pose.joints_mm[ours])
    np.testing.assert_allclose(found.cov_mm2[1, knee], pose.cov_mm2[ours])
    for level, radius2 in found.radius2.items():
        assert radius2[1, knee] == pytest.approx(pose.regions.joint_radius(level)[ours] ** 2)
    assert found.fps == 3.0
    assert found.visibility is not None and (found.visibility[0] == -1).all()
    assert found.visibility[1, knee] == pose.visibility[ours].argmax() < len(VISIBILITY)


def test_without_the_package_or_the_network_pose2sim_says_what_to_do(tmp_path: Path) -> None:
    from sigmapose.bench.options import Options

    with pytest.raises(DataError, match="no Demo_SinglePerson"):
        run_pose2sim(Options(source=tmp_path))
