"""`sigmapose evaluate`: anybody's files against the truth, and everything that may be wrong with them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shard_samples import noisy_person
from sigmapose.data.shards import write_shard
from sigmapose.evaluate.frames import Scored, cluster_ids
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.score import score
from sigmapose.io.poses_json import PosesWriter
from sigmapose.pose import Frame
from sigmapose.skeleton import BODY_26, COCO_17
from walking_person import walking_joints_mm, walking_pose

FRAMES, ROOT = 120, BODY_26.index("mid_hip")
CLIPS = [f"walk{k // 20}" for k in range(FRAMES)]
IDS = [f"{clip}/{k % 20}" for k, clip in enumerate(CLIPS)]


def walk_mm(frames: int = FRAMES) -> np.ndarray:
    return np.stack([walking_joints_mm(0.21 * k, heading_deg=3.0 * k) for k in range(frames)])


def guess(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions that err as their covariances say; one person and some joints not found."""
    rng = np.random.default_rng(seed)
    sigma = 30 * rng.lognormal(0, 0.4, (FRAMES, 26))
    cov = np.square(sigma)[..., None, None] * np.diag([1.0, 1.0, 4.0])
    error = rng.normal(size=(FRAMES, 26, 3)) * np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    error[:, ROOT] = 0
    predicted = walk_mm() + error
    predicted[11] = np.nan
    predicted[20:30, 3] = np.nan
    return predicted, cov


def npz(path: Path, joints: np.ndarray, rows: slice = slice(None), **more: Any) -> Path:
    told = {"ids": np.array(IDS), "clips": np.array(CLIPS), "joints": joints}
    whole = {"skeleton": np.array("body_26")} | {k: np.array(v) for k, v in more.items() if k == "skeleton"}
    np.savez(path, **{k: v[rows] for k, v in (told | more).items() if k != "skeleton"}, **whole)
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return npz(tmp_path / "truth.npz", walk_mm())


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    joints, cov = guess()
    return npz(tmp_path / "mine.npz", joints, cov_mm2=cov)


def numbers(path: Path, method: str) -> dict[str, Any]:
    return json.loads(path.read_text())["methods"][method]


def test_the_numbers_are_those_of_the_metrics(run, truth: Path, mine: Path, tmp_path: Path) -> None:
    done = run("evaluate", mine, truth, "--json", tmp_path / "e.json")
    assert done.code == 0, done.err
    joints, cov = guess()
    cov[:, ROOT] = np.nan
    frames = Scored(joints, walk_mm(), cluster_ids(CLIPS), cov_mm2=cov)
    expected = score(frames, layout_of(BODY_26), samples=0)
    found = numbers(tmp_path / "e.json", "mine")
    assert set(expected) <= set(found) and len(expected) > 40
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    low, high = found["coverage_90_ci"]
    assert low < found["coverage_90"] < high and 0.85 < found["coverage_90"] < 0.93
    assert found["missed_rate"] == pytest.approx((26 + 10) / (26 * FRAMES))
    assert "36 of 3120 joints not found, counted as failures (nobody in 1 frames)" in done.out
    assert "MPJPE mm" in done.out and f"{found['mpjpe_mm']:.1f}" in done.out


def test_the_page_holds_the_same_numbers(run, truth: Path, mine: Path, tmp_path: Path) -> None:
    assert (
        run("evaluate", mine, truth, "--json", tmp_path / "e.json", "--report", tmp_path / "e.html").code == 0
    )
    page = (tmp_path / "e.html").read_text()
    start = page.index('id="card">') + len('id="card">')
    assert json.loads(page[start : page.index("</script>", start)]) == json.loads(
        (tmp_path / "e.json").read_text()
    )


def test_formats_units_and_names_of_frames_make_no_difference(
    run, truth: Path, mine: Path, tmp_path: Path
) -> None:
    joints, _ = guess()
    rows = ["clip,frame,joint,x,y,z"]
    for k, name in enumerate(IDS):
        clip, _, frame = name.partition("/")
        for j, joint in enumerate(BODY_26.joints):
            cells = ["" if np.isnan(v) else f"{v / 1000:.7f}" for v in joints[k, j]]
            rows.append(",".join([clip, f"{int(frame):06d}", joint, *cells]))
    (tmp_path / "metres.csv").write_text("\n".join(rows))
    done = run("evaluate", mine, truth, "--beside", tmp_path / "metres.csv", "--json", tmp_path / "e.json")
    assert done.code == 0, done.err
    a, b = (numbers(tmp_path / "e.json", name) for name in ("mine", "metres"))
    assert a["mpjpe_mm"] == pytest.approx(b["mpjpe_mm"], abs=1e-3)
    assert "nll" in a and "nll" not in b
    assert "metres.csv is in m: made millimetres" in done.out and "metres states no uncertainty" in done.out


def test_scores_and_sigmas_are_judged_for_what_they_are(run, truth: Path, tmp_path: Path) -> None:
    joints, cov = guess()
    sigma = np.sqrt(np.trace(cov, axis1=-2, axis2=-1) / 3)
    npz(tmp_path / "score.npz", joints, scores=1 / (1 + sigma / 100))
    npz(tmp_path / "sigma.npz", joints, sigma=sigma)
    npz(tmp_path / "same.npz", joints, scores=np.ones_like(sigma))
    beside = [tmp_path / "sigma.npz", tmp_path / "same.npz"]
    assert (
        run(
            "evaluate", tmp_path / "score.npz", truth, "--beside", *beside, "--json", tmp_path / "e.json"
        ).code
        == 0
    )
    scored, sure, same = (numbers(tmp_path / "e.json", name) for name in ("score", "sigma", "same"))
    assert scored["ause"] == pytest.approx(sure["ause"], rel=1e-4) and "coverage_90" not in scored
    assert 0.8 < sure["coverage_90"] < 0.95
    assert "ause" not in same and same["mpjpe_mm"] == pytest.approx(scored["mpjpe_mm"])


def test_our_own_poses(run, tmp_path: Path) -> None:
    with PosesWriter(tmp_path / "poses.json") as writer, PosesWriter(tmp_path / "two.json") as two:
        for k in range(60):
            pose = walking_pose(0.2 * k)
            writer.write(
                Frame(k, k / 30, (pose,) if k else (), "a.mp4") if k else Frame(1000, 9, (pose,), "a.mp4")
            )
            two.write(Frame(k, k / 30, (pose, replace(pose, track=1)), "a.mp4"))
    moved = np.stack([walking_pose(0.2 * k).joints_mm for k in range(60)])
    np.savez(tmp_path / "truth.npz", joints=moved, frames=np.array([1000, *range(1, 60)]), skeleton="body_26")
    done = run("evaluate", tmp_path / "poses.json", tmp_path / "truth.npz", "--json", tmp_path / "e.json")
    assert done.code == 0, done.err
    found = numbers(tmp_path / "e.json", "poses")
    assert found["mpjpe_mm"] < 0.01 and found["coverage_50"] == 1.0
    line = run("evaluate", tmp_path / "two.json", tmp_path / "truth.npz").refusal()
    assert "has 2 people (tracks 0, 1): choose one with --track" in line
    np.savez(tmp_path / "all.npz", joints=moved, frames=np.arange(60), skeleton="body_26")
    assert run("evaluate", tmp_path / "two.json", tmp_path / "all.npz", "--track", 1).code == 0


def test_a_data_set_brings_pictures_and_visibility(run, tmp_path: Path) -> None:
    people = [
        replace(
            noisy_person(k),
            joints_mm=walk_mm(8)[k] + [0, 0, 3000.0],
            points_px=walk_mm(8)[k][:, :2] / 5 + 320,
        )
        for k in range(8)
    ]
    (tmp_path / "shards").mkdir()
    write_shard(tmp_path / "shards" / "a.tar", people)
    np.savez(
        tmp_path / "mine.npz",
        ids=np.array([p.id for p in people]),
        joints=walk_mm(8) * 1.1,
        skeleton="body_26",
    )
    report = tmp_path / "e.html"
    done = run("evaluate", tmp_path / "mine.npz", f"synth:{tmp_path / 'shards'}", "--report", report)
    assert done.code == 0, done.err
    assert "synth:shards is of the train split: these are no test numbers" in done.out
    assert "data:image/jpeg;base64," in report.read_text()
    line = run("evaluate", tmp_path / "mine.npz", f"synth:{tmp_path / 'shards'}", "--split", "test").refusal()
    assert "test" in line


@pytest.mark.parametrize("matching", ["truth", "common"])
def test_what_one_side_lacks_is_counted_or_left_out_as_asked(
    run, matching: str, truth: Path, tmp_path: Path
) -> None:
    joints, _ = guess()
    coco = [BODY_26.index(name) for name in COCO_17.joints]
    np.savez(
        tmp_path / "coco.npz", ids=np.array([*IDS[:-20], "other/1"]), joints=joints[: FRAMES - 19, coco],
        skeleton="coco_17",
    )  # fmt: skip
    line = run("evaluate", tmp_path / "coco.npz", truth).refusal()
    assert "the predictions lack 20 of 120 frames (walk5/0, walk5/1, walk5/2 and 17 more)" in line
    assert "the truth lacks 1 of 101 frames (other/1)" in line and "--matching" in line
    done = run(
        "evaluate", tmp_path / "coco.npz", truth, "--matching", matching, "--json", tmp_path / "e.json"
    )
    assert done.code == 0, done.err
    assert "lacks 20 of 120 true frames" in done.out and "head_top, left_big_toe" in done.out
    found, told = numbers(tmp_path / "e.json", "coco"), json.loads((tmp_path / "e.json").read_text())["truth"]
    missed = 1 - (26 - 7) * 100 / (26 * FRAMES)
    if matching == "truth":
        assert told["frames"] == FRAMES and found["missed_rate"] > missed
    else:
        assert told["frames"] == 100 and "head_top" not in told["joints"] and found["missed_rate"] < 0.02


def test_a_peers_calibrator_makes_its_error_bars_hold(run, truth: Path, tmp_path: Path) -> None:
    joints, _ = guess()
    half = FRAMES // 2
    assert half < 100, "calibration needs 100 frames: the fit below takes clips 0 to 4"
    first, last = slice(0, 100), slice(100, FRAMES)
    npz(tmp_path / "seen.npz", joints, first)
    npz(tmp_path / "seen_truth.npz", walk_mm(), first)
    npz(tmp_path / "new.npz", joints, last)
    npz(tmp_path / "new_truth.npz", walk_mm(), last)
    cal = tmp_path / "cal.json"
    fit = run(
        "calibrate",
        "--predictions",
        tmp_path / "seen.npz",
        "--truth",
        tmp_path / "seen_truth.npz",
        "--out",
        cal,
    )
    assert fit.code == 0, fit.err
    done = run(
        "evaluate",
        tmp_path / "new.npz",
        tmp_path / "new_truth.npz",
        "--calibrator",
        cal,
        "--json",
        tmp_path / "e.json",
    )
    assert done.code == 0, done.err
    assert 0.82 < numbers(tmp_path / "e.json", "new")["coverage_90"] < 0.97
    line = run("evaluate", tmp_path / "seen.npz", tmp_path / "seen_truth.npz", "--calibrator", cal).refusal()
    assert "was fitted on 5 clips of seen_truth.npz (walk0, walk1, walk2)" in line


def _broken(kind: str, joints: np.ndarray, cov: np.ndarray) -> dict[str, Any]:
    if kind == "singular":
        cov[3, 7] = np.diag([1.0, 1.0, 0.0])
    if kind == "lopsided":
        cov[3, 7, 0, 1] += 400
    if kind == "mixed":
        joints[40:60] /= 1000
    if kind == "shape":
        return {"joints": joints, "cov_mm2": cov[:, :5]}
    if kind == "inches":
        return {"joints": joints / 25.4}
    return {"joints": joints, "cov_mm2": cov}


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (
            "singular",
            "broken: 1 of 3120 covariances are not positive definite, first joint 'left_elbow' of frame 3",
        ),
        ("lopsided", "broken: 1 of 3120 covariances are not symmetric, first joint 'left_elbow' of frame 3"),
        ("mixed", "units are mixed: in 20 of 120 frames (walk2/0, walk2/1, walk2/2 and 17 more)"),
        ("inches", "broken: its people, read in cm, have 0.40 times the size of the true ones"),
        ("shape", "'cov_mm2' must have shape (120, 26, 3, 3), got (120, 5, 3, 3)"),
    ],
)
def test_broken_numbers_are_refused_in_one_line(
    run, kind: str, complaint: str, truth: Path, tmp_path: Path
) -> None:
    joints, cov = guess()
    npz(tmp_path / "broken.npz", **_broken(kind, joints, cov))
    assert complaint in run("evaluate", tmp_path / "broken.npz", truth).refusal()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("none.npz", "truth.npz"), "none.npz: no such file"),
        (("mine.npz", "none.csv"), "none.csv: no such file"),
        (("text.csv", "truth.npz"), "text.csv: no column 'frame'"),
        (("text.json", "truth.npz"), "text.json: is not JSON"),
        (("other.npz", "truth.npz"), "none of its 120 frames (a0, a1, a2 and 117 more) is among the 120"),
        (("mine.npz", "truth.npz", "--fps", "0"), "--fps 0: give the frames per second"),
        (("mine.npz", "truth.npz", "--split", "test"), "only data sets (NAME:PATH) have splits"),
        (("mine.npz", "truth.npz", "--beside", "mine.npz"), "several predictions are called mine"),
        (("mine.npz", "truth.npz", "--json", "no/such/e.json"), "e.json: cannot be written"),
        (("mine.npz", "truth.npz", "--report", "no/such/e.html"), "e.html: cannot be written"),
        (("mine.npz", "truth.npz", "--calibrator", "text.json"), "text.json"),
    ],
)
def test_what_else_is_wrong_is_said_in_one_line(
    run,
    words: tuple[str, ...],
    complaint: str,
    truth: Path,
    mine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.csv").write_text("hello\nworld\n")
    Path("text.json").write_text("{not json")
    np.savez(
        "other.npz", ids=np.array([f"a{k}" for k in range(FRAMES)]), joints=walk_mm(), skeleton="body_26"
    )
    assert complaint in run("evaluate", *words).refusal()
