"""Anybody's poses get error bars that hold on frames never seen, and what does not belong is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sigmapose.calibrate.fit import distances
from sigmapose.calibrate.joint_groups import joint_groups
from sigmapose.calibrate.match import matched, refuse_test
from sigmapose.calibrate.peer import PeerCalibrator, fit_peer
from sigmapose.calibrate.peer_file import load_peer, save_peer
from sigmapose.calibrator import Provenance
from sigmapose.cli import main
from sigmapose.errors import DataError, InputError, SkeletonError
from sigmapose.io.poses_json import read_poses
from sigmapose.io.predictions import Predictions3D
from sigmapose.regions import radius_at
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, COCO_17, joint_map
from walking_person import walking_joints_mm

ORIGIN = Provenance(("renders",), "calibration", (), 0, "", "", "2000-01-01")


def program(frames: int, seed: int, *, sigma: bool = False) -> tuple[Predictions3D, Predictions3D]:
    """A program whose errors are heavy-tailed, worst along depth, and larger where its score is low."""
    rng = np.random.default_rng(seed)
    strides = np.stack([walking_joints_mm(phase) for phase in np.linspace(0, 6.2, 40)])
    truth = strides[rng.integers(40, size=frames)]
    score = rng.uniform(0.05, 1.0, (frames, 26))
    size = 12.0 / score * np.where(np.arange(26) > 6, 1.5, 1.0)
    errors = rng.standard_t(4, (frames, 26, 3)) * [1.0, 1.0, 2.5] * size[..., None]
    ids = tuple(f"clip{k // 5}/{k}" for k in range(frames))
    clips = tuple(f"clip{k // 5}" for k in range(frames))
    told, kind = (size, "sigma_mm") if sigma else (score, "confidence")
    return Predictions3D(ids, clips, BODY_26, truth + errors, told, kind), Predictions3D(
        ids, clips, BODY_26, truth
    )


def fitted(frames: int = 2000, **how: bool) -> PeerCalibrator:
    predictions, truth = program(frames, 0, **how)
    return fit_peer(*matched(predictions, truth), name="other", provenance=ORIGIN)


def coverage(calibrator: PeerCalibrator, level: float, **how: bool) -> dict[str, float]:
    predictions, truth = program(4000, 1, **how)
    poses = calibrator.apply(predictions)
    reached = distances(poses.joints_mm - truth.relative_mm(), poses.cov_mm2)
    inside = reached <= radius_at(level, poses.levels, poses.radii, 3)
    held = {}
    for part, joints in joint_groups(BODY_26).items():
        rows = [BODY_26.index(joint) for joint in joints]
        for b, name in enumerate(calibrator.bins):
            held[f"{part}/{name}"] = float(inside[:, rows][poses.bin[:, rows] == b].mean())
    return held


@pytest.mark.parametrize("sigma", [False, True])
def test_every_group_holds_on_new_frames(sigma: bool) -> None:
    calibrator = fitted(sigma=sigma)
    for level in (0.5, 0.8, 0.9, 0.95):
        held = coverage(calibrator, level, sigma=sigma)
        assert len(held) == 24
        for name, group in calibrator.groups.items():
            spread = np.sqrt(level * (1 - level) * (1 / group.count + 1 / 2500)) + 0.005
            assert abs(held[name] - level) < 4 * spread, name


def test_low_scores_and_depth_get_more() -> None:
    calibrator = fitted()
    joint = BODY_26.index("left_wrist")
    low, high = calibrator.cov_mm2[joint, 0], calibrator.cov_mm2[joint, 2]
    assert np.trace(low) > 2 * np.trace(high)
    assert calibrator.cov_mm2[joint, 0, 2, 2] > 2 * calibrator.cov_mm2[joint, 0, 0, 0]


def test_a_score_that_says_nothing_is_left_out() -> None:
    predictions, truth = program(400, 0)
    constant = replace(predictions, score=np.ones((400, 26)))
    calibrator = fit_peer(*matched(constant, truth), name="x", provenance=ORIGIN)
    assert calibrator.bins == ("any",)


def test_the_file_gives_the_same_error_bars(tmp_path: Path) -> None:
    calibrator = fitted(500)
    save_peer(calibrator, tmp_path / "c.json")
    again = load_peer(tmp_path / "c.json")
    predictions, _ = program(50, 3)
    a, b = calibrator.apply(predictions), again.apply(predictions)
    np.testing.assert_allclose(a.cov_mm2, b.cov_mm2, rtol=1e-3)
    np.testing.assert_array_equal(a.radii, b.radii)
    (tmp_path / "d.json").write_text(
        (tmp_path / "c.json").read_text().replace('"version": 1', '"version": 9')
    )
    with pytest.raises(InputError, match="version 9: fit a new one"):
        load_peer(tmp_path / "d.json")


def test_what_it_was_not_fitted_for_is_refused() -> None:
    calibrator, (predictions, _) = fitted(300), program(10, 1)
    with pytest.raises(InputError, match="fitted with score 'confidence', the predictions have 'none'"):
        calibrator.apply(replace(predictions, score=None, score_kind="none"))
    coco = replace(predictions, skeleton=COCO_17, joints_mm=predictions.joints_mm[:, :17])
    with pytest.raises(SkeletonError, match="fitted on skeleton 'body_26', the predictions have 'coco_17'"):
        calibrator.apply(coco)


def test_truth_comes_in_another_skeleton_and_only_some_frames() -> None:
    predictions, truth = program(400, 0)
    points = joint_map(BODY_26, BLAZEPOSE_33).apply(predictions.joints_mm)[0]
    other = replace(
        predictions,
        skeleton=BLAZEPOSE_33,
        joints_mm=np.nan_to_num(points, nan=9.0),
        score=None,
        score_kind="none",
    )
    chosen, truth_mm = matched(other, truth.take(np.arange(399, 99, -1)))
    assert chosen.ids[0] == "clip79/399" and len(chosen.ids) == 300
    calibrator = fit_peer(chosen, truth_mm, name="x", provenance=ORIGIN)
    assert "left_wrist" in calibrator.joints and "left_thumb" not in calibrator.joints
    assert np.isnan(calibrator.apply(other).cov_mm2[0, BLAZEPOSE_33.index("left_thumb")]).all()


def test_frames_that_do_not_match_are_named() -> None:
    predictions, truth = program(300, 0)
    with pytest.raises(
        DataError, match=r"100 of 300 true frames have no prediction \(clip40/200, clip40/201"
    ):
        matched(predictions.take(np.arange(200)), truth)
    with pytest.raises(DataError, match="needs 100 frames with at least 4 true joints and the hips, got 60"):
        matched(predictions, truth.take(np.arange(60)))


def test_missing_predictions_are_counted() -> None:
    predictions, truth = program(300, 0)
    joints = predictions.joints_mm.copy()
    joints[:7, 3:5] = np.nan
    calibrator = fit_peer(
        *matched(replace(predictions, joints_mm=joints), truth), name="x", provenance=ORIGIN
    )
    assert calibrator.counts["joints_without_prediction"] == 14


@pytest.mark.parametrize(
    ("change", "complaint"),
    [(lambda j: j * 2, r"(1\.9|2\.0)\d times the size of the true ones"),
     (lambda j: j[..., [0, 2, 1]] * [1, 1, -1], "are turned against the truth: one rotation"),
     (lambda j: j * [1, -1, 1], "are mirrored against the truth: one reflection")],
)  # fmt: skip
def test_other_sizes_and_axes_are_refused(change, complaint: str) -> None:
    predictions, truth = program(300, 0)
    relative = change(truth.relative_mm()) + 0.3 * (predictions.joints_mm - truth.joints_mm)
    with pytest.raises(InputError, match=complaint):
        matched(replace(predictions, joints_mm=relative), truth)


def test_test_frames_are_refused_by_name() -> None:
    _, truth = program(5, 0)
    with pytest.raises(DataError, match=r"2 of 5 frames belong to the test split \(clip0/1, clip0/3\)"):
        refuse_test(truth, np.array([False, True, False, True, False]))


def write(path: Path, told: Predictions3D, **more: object) -> Path:
    arrays = {"joints": told.joints_mm, "ids": told.ids, "clips": told.clips, **more}
    np.savez(path, **arrays, **({} if told.score is None else {"scores": told.score}))
    return path


def test_the_command_fits_and_applies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, truth = program(500, 0)
    a = write(tmp_path / "pred.npz", predictions)
    b = write(tmp_path / "truth.npz", truth)
    fit = ["calibrate", "--predictions", str(a), "--truth", str(b), "--out", str(tmp_path / "c.json")]
    assert main([*fit, "--name", "other"]) == 0
    assert "other: 500 frames, 100 clips or blocks, 26 of 26 joints" in capsys.readouterr().out
    apply = ["calibrate", "--predictions", str(a), "--apply", str(tmp_path / "c.json"), "--out"]
    assert main([*apply, str(tmp_path / "o.json")]) == main([*apply, str(tmp_path / "o.npz")]) == 0
    file = read_poses(tmp_path / "o.json")
    pose = next(iter(file)).poses[0]
    with np.load(tmp_path / "o.npz") as arrays:
        np.testing.assert_allclose(pose.cov_mm2, arrays["cov_mm2"][0], rtol=1e-5)
        radius = arrays["radii"][0, 0, list(arrays["levels"]).index(0.9)]
    assert pose.regions.joint_radius(0.9)[0] == radius and file.calibrator == "other"
    capsys.readouterr()
    assert main(fit) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["split", "clip"])
def test_the_command_refuses_test_data(how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictions, truth = program(300, 0)
    clips = ["35/35_08"] * 300 if how == "clip" else list(truth.clips)
    splits = ["test" if how == "split" and k < 3 else "calibration" for k in range(300)]
    a = write(tmp_path / "pred.npz", predictions)
    b = write(tmp_path / "truth.npz", replace(truth, clips=tuple(clips)), split=splits)
    words = ["calibrate", "--predictions", str(a), "--truth", str(b), "--out", str(tmp_path / "c.json")]
    assert main(words) == 2
    count = 300 if how == "clip" else 3
    assert f"{count} of 300 frames belong to the test split" in capsys.readouterr().err
    assert not (tmp_path / "c.json").exists()


def test_a_peers_calibrator_is_none_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_peer(fitted(300), tmp_path / "c.json")
    points = tmp_path / "k.json"
    points.write_text(json.dumps([]))
    with pytest.raises(InputError, match="was fitted for predictions of 'other', not for sigmapose"):
        import sigmapose

        sigmapose.load("lite", calibrator=tmp_path / "c.json")
    assert main(["calibrate", "--out", str(tmp_path / "x.json")]) == 2
    assert "give --predictions and --truth, or --data" in capsys.readouterr().err
