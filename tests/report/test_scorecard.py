"""The judge of all protocols, and the JSON contract of a scorecard."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from sigmapose.bench.pose2sim import JOINTS, LAYOUT
from sigmapose.data.sample import Picture
from sigmapose.errors import InputError
from sigmapose.evaluate.frames import Predictions, Truth, with_constant_sigma
from sigmapose.evaluate.judge import Judge
from sigmapose.report.scorecard import Scorecard, card_of

CAMERAS, FRAMES, BLOCK = 3, 60, 10
SIGMA_MM = np.array([20.0, 35.0, 60.0])
CONTRACT = {
    "mpjpe_mm", "pa_mpjpe_mm", "mpjae_deg", "nll", "crps_mm", "coverage_50", "coverage_90", "coverage_95",
    "worst_group_coverage_90", "volume_90_mm3", "ause", "auroc_100mm", "false_positive_rate", "fps",
}  # fmt: skip


def world(seed: int = 8, blur: float = 1.0) -> tuple[Truth, Predictions]:
    """Truth, and predictions whose stated covariance is the one their errors are drawn from."""
    rng = np.random.default_rng(seed)
    n = CAMERAS * FRAMES
    people = np.random.default_rng(8)
    joints = people.normal(0, 350, (n, 12, 3))
    scale = blur * people.uniform(0.5, 2.0, (n, 12))
    scale[:, 7] = scale[:, 6]
    sigma = scale[..., None] * SIGMA_MM
    errors = sigma * rng.normal(size=joints.shape)
    errors[:, 7] = -errors[:, 6]  # relative to their own middle, the hips err in opposite ways
    used = np.ones((n, 12), bool)
    used[3:6, 4] = False
    truth = np.where(used[..., None], joints, np.nan)
    camera, frame = np.repeat(np.arange(CAMERAS), FRAMES), np.tile(np.arange(FRAMES), CAMERAS)
    names = [f"cam{c:02d}" for c in camera]
    return (
        Truth(
            ids=[f"{c}/{f}" for c, f in zip(names, frame, strict=True)], joints_mm=truth,
            clusters=[f"{c}/{f // BLOCK}" for c, f in zip(names, frame, strict=True)],
            used=used, strata=names,
            picture=lambda row: Picture.of_video("clip.mp4", row),
        ),
        Predictions(joints + errors, sigma[..., None] ** 2 * np.eye(3), fps=60.0),
    )  # fmt: skip


def judged(truth: Truth, **methods: Predictions):
    judge = Judge(LAYOUT, samples=100, min_group=200)
    judge.add(truth, methods)
    return judge.results("test@1", "a test")


def test_every_metric_of_the_contract_is_there_with_its_interval() -> None:
    truth, ours = world()
    result = judged(truth, ours=ours).methods["ours"]
    numbers = result.numbers()
    assert set(numbers) >= CONTRACT
    for name in CONTRACT - {"fps"}:
        low, high = numbers[f"{name}_ci"]
        assert low <= numbers[name] <= high, name
    assert numbers["fps"] == pytest.approx(60.0)
    assert list(result.strata) == ["cam00", "cam01", "cam02"]
    each = [numbers["mpjpe_mm"] for numbers in result.strata.values()]
    assert np.mean(each) == pytest.approx(numbers["mpjpe_mm"])


def test_true_gaussians_get_true_coverage() -> None:
    truth, ours = world()
    found = judged(truth, ours=ours).methods["ours"]
    for level in (0.5, 0.9, 0.95):
        assert found.get(f"coverage_{round(100 * level)}") == pytest.approx(level, abs=0.03)
    assert found.scores.metrics["auroc_100mm"] > 0.7


def test_a_constant_sigma_ranks_nothing() -> None:
    truth, ours = world()
    found = judged(truth, ours=ours, constant=with_constant_sigma(ours, 60.0)).methods
    learned, constant = found["ours"].scores.metrics, found["constant"].scores.metrics
    assert constant["auroc_100mm"] == 0.5
    assert constant["mpjpe_mm"] == pytest.approx(learned["mpjpe_mm"])
    assert constant["crps_mm"] > learned["crps_mm"] and constant["nll"] > learned["nll"]


def test_regions_of_a_conformal_calibrator_are_the_ones_that_are_judged() -> None:
    """Radii that hold everything, or nothing, beside the same covariance."""
    truth, ours = world()
    shape = ours.joints_mm.shape[:-1]
    wide, none = (
        replace(ours, radius2={level: np.full(shape, r) for level in (0.5, 0.8, 0.9, 0.95)})
        for r in (1e4, 1e-9)
    )
    found = judged(truth, gaussian=ours, wide=wide, none=none).methods
    assert found["wide"].get("coverage_90") == 1.0 and found["none"].get("coverage_90") < 0.01
    assert found["wide"].get("confident_rate") == 0.0
    assert found["wide"].get("nll") == pytest.approx(found["gaussian"].get("nll"))
    gaussian = {level: np.full(shape, stats.chi2.ppf(level, 3)) for level in (0.5, 0.8, 0.9, 0.95)}
    same = judged(truth, m=replace(ours, radius2=gaussian)).methods["m"]
    assert same.get("coverage_90") == pytest.approx(found["gaussian"].get("coverage_90"))


def test_a_missed_person_costs() -> None:
    """Leaving a person out may improve no number that has to do with error or coverage."""
    truth, ours = world()
    lost = replace(ours, joints_mm=ours.joints_mm.copy())
    lost.joints_mm[70:80] = np.nan
    found = judged(truth, before=ours, after=lost).methods
    before, after = found["before"].scores.metrics, found["after"].scores.metrics
    assert after["missed_rate"] == pytest.approx(10 / (CAMERAS * FRAMES), rel=0.02)
    assert after["mpjpe_mm"] > before["mpjpe_mm"] + 15
    assert after["pa_mpjpe_mm"] > before["pa_mpjpe_mm"] + 15
    assert after["coverage_90"] < before["coverage_90"] - 0.04


def test_the_peers_confidence_is_what_it_says() -> None:
    truth, ours = world()
    sure = np.ones(truth.joints_mm.shape[:-1], bool)
    peer = Predictions(ours.joints_mm, doubt=np.ones(sure.shape), confident=sure)
    numbers = judged(truth, peer=peer).methods["peer"].scores.metrics
    assert numbers["vouched_when_wrong_rate"] == 1.0
    assert numbers["false_positive_rate"] == pytest.approx(numbers["wrong_rate"], abs=0.01)
    assert "coverage_90" not in numbers and "nll" not in numbers


def test_frames_and_joints_that_do_not_match_are_counted() -> None:
    truth, ours = world()
    judge = Judge(LAYOUT)
    with pytest.raises(InputError, match=r"theirs: predictions have 179 frames, the truth 180: give every"):
        judge.add(truth, {"theirs": Predictions(ours.joints_mm[1:])})
    with pytest.raises(InputError, match=r"theirs: predictions have 11 joints, the truth 12"):
        judge.add(truth, {"theirs": Predictions(ours.joints_mm[:, 1:])})
    with pytest.raises(InputError, match=r"truth of 180 frames with \{'clusters': 3\}"):
        replace(truth, clusters=["a", "b", "c"])
    judge = Judge(LAYOUT)
    judge.add(truth, {"ours": ours, "theirs": ours})
    with pytest.raises(InputError, match=r"methods differ between frames of one severity \(theirs\)"):
        judge.add(truth, {"ours": ours})


def test_frames_may_come_in_parts() -> None:
    truth, ours = world()
    whole = judged(truth, ours=ours).methods["ours"]
    judge = Judge(LAYOUT, samples=100, min_group=200)
    for camera in range(CAMERAS):
        rows = slice(camera * FRAMES, (camera + 1) * FRAMES)
        names = {k: getattr(truth, k)[rows] for k in ("ids", "clusters", "strata", "joints_mm", "used")}
        part = replace(ours, joints_mm=ours.joints_mm[rows], cov_mm2=ours.cov_mm2[rows])
        judge.add(replace(truth, **names), {"ours": part})
    parts = judge.results("test@1", "a test").methods["ours"]
    assert parts.scores.metrics == pytest.approx(whole.scores.metrics)
    assert [j.error_mm for j in parts.joints] == pytest.approx([j.error_mm for j in whole.joints])
    assert [w.id for w in parts.worst] == [w.id for w in whole.worst]


def severities() -> Judge:
    judge = Judge(LAYOUT, samples=100, min_group=200)
    for severity, blur in ((0.0, 1.0), (0.2, 1.2), (0.4, 1.5)):
        truth, ours = world(seed=int(100 * severity) + 1, blur=blur)
        visibility = np.where(np.arange(12) < 6, 2 if severity else 0, 0) * np.ones((len(truth.ids), 1), int)
        judge.add(
            replace(truth, visibility=visibility),
            {"ours": ours, "flat": Predictions(ours.joints_mm)},
            severity,
        )
        judge.note(severity, hidden=severity / 2)
    return judge


def test_growth_is_that_of_the_errors_drawn() -> None:
    results = severities().results("test-occ@1", "a test")
    growth = results.growth["ours"]
    assert growth.sigma == pytest.approx(1.5) and growth.error == pytest.approx(1.5, rel=0.05)
    assert 1.3 < growth.error_ci[0] < growth.error < growth.error_ci[1] < 1.7
    assert results.growth["flat"].sigma is None
    (_, clean), (_, little), (_, much) = results.by_severity("ours", "mpjpe_mm")
    assert clean < little < much and results.by_severity("flat", "sigma_mm") == ()
    both = results.methods["ours"].scores.metrics["mpjpe_mm"]
    assert both == pytest.approx((little + much) / 2)  # the clean control stands apart


def test_joints_and_worst_frames() -> None:
    truth, ours = world()
    broken = replace(ours, joints_mm=ours.joints_mm.copy())
    broken.joints_mm[[40, 41, 100], 2] += 3000.0
    result = judged(truth, m=broken).methods["m"]
    worst = {joint.name: joint.error_mm for joint in result.joints}
    assert max(worst, key=worst.get) == JOINTS[2]
    by_error = [w for w in result.worst if w.kind == "error"]
    assert {w.id.partition("/")[0] for w in by_error[:2]} == {"cam00", "cam01"}
    blocks = {(camera, int(frame) // BLOCK) for camera, _, frame in (w.id.partition("/") for w in by_error)}
    assert len(blocks) == len(by_error)  # neighbouring frames look alike: one of a block is enough
    first = by_error[0]
    assert first.joint_error_mm[2] > 3000 and first.picture.frame in (40, 41, 100)
    assert first.truth_mm[list(LAYOUT.root)].mean(0) == pytest.approx(np.zeros(3), abs=1e-6)
    fooled = [w for w in result.worst if w.kind == "overconfident"]
    assert all(w.overconfident > 0 for w in fooled)


def test_json_is_the_contract_and_holds_no_nan() -> None:
    card = card_of(
        severities().results("test-occ@1", "a test", statement={"gate": "20 px"}, notes=["a note"])
    )
    read = json.loads(card.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
    assert {"protocol", "commit", "device", "methods"} <= set(read)
    assert set(read["severities"]) == {"0", "0.2", "0.4"}
    classes = read["visibility"]["ours"]
    assert set(classes) == {"visible", "object_occluded"} and classes["visible"][
        "coverage_90"
    ] == pytest.approx(0.9, abs=0.04)
    for metrics in [
        *read["methods"].values(),
        *(m for by in read["severities"].values() for m in by.values()),
    ]:
        for name, value in metrics.items():
            if name.endswith("_ci"):
                assert len(value) == 2 and name.removesuffix("_ci") in metrics
            else:
                assert isinstance(value, float | int)


def test_the_table_shows_methods_severities_classes_joints_truth_and_notes() -> None:
    card = card_of(
        severities().results("test-occ@1", "a test", statement={"gate": "20 px"}, notes=["not found"])
    )
    table = card.table()
    row = next(line for line in table.splitlines() if line.startswith("flat"))
    assert row.split()[1] == f"{card.methods['flat']['mpjpe_mm']:.1f}"
    for text in (
        "40 %",
        "error x",
        "object_occluded",
        "worst joints",
        "gate: 20 px",
        "note: not found",
        "MPJPE mm",
    ):
        assert text in table


def test_a_card_with_nan_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        Scorecard("p", "c", "d", {"m": {"mpjpe_mm": float("nan")}}).to_json()


def test_nothing_judged_is_an_error() -> None:
    with pytest.raises(InputError, match="no frames were judged"):
        Judge(LAYOUT).results("test@1", "a test")


def test_joint_order() -> None:
    assert JOINTS[6:8] == ("left_hip", "right_hip") and len(JOINTS) == 12 and LAYOUT.root == (6, 7)
