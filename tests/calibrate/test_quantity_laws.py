"""Laws of angles fitted on some people hold what they promise on others, and conditionally too."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.calibrate.conformal import LEVELS
from sigmapose.calibrate.quantity_laws import fit_laws, regress, stated_and_true
from sigmapose.calibrator import Calibrator
from sigmapose.errors import InputError
from sigmapose.io.poses_json import PosesWriter, Source, read_poses
from sigmapose.kinematics import DEFINITIONS
from sigmapose.pose import Frame
from sigmapose.quantities import QuantityRadii, UncertainJoints, joint_covariance
from sigmapose.quantity_intervals import FEATURES, draws_of, lawful_draws, stated_intervals
from sigmapose.quantity_law import FittedLaw, QuantityLaw
from sigmapose.skeleton import BODY_26
from walking_person import walking_joints_mm, walking_pose

SHIPPED = Path(str(resources.files("sigmapose") / "weights/calibrator.json"))


def people(count: int, seed: int) -> tuple[UncertainJoints, np.ndarray]:
    """Predictions and truth; everybody's depth is said to be twice as uncertain as it is, but for people
    whose joints are hidden, where it is half as uncertain as it is."""
    rng = np.random.default_rng(seed)
    truth = np.stack([walking_joints_mm(phase) for phase in rng.uniform(0, 6.28, count)])
    factors = rng.normal(0, 10, (count, 26, 3, 3)) + np.diag([15.0, 15.0, 40.0])
    cov = factors @ np.swapaxes(factors, -1, -2) + 10.0**2 * np.eye(3)
    hidden = rng.random(count) < 0.5
    size = np.where(hidden, 2.0, 0.5)[:, None, None]
    root = np.linalg.cholesky(joint_covariance(cov, factors))
    error = (root @ rng.normal(size=(count, 78, 1))).reshape(count, 26, 3) * size
    visible = np.repeat(np.where(hidden, 0.1, 0.9)[:, None], 26, axis=1)
    law = UncertainJoints(BODY_26, truth + error, cov, factors, (), np.zeros((count, 26, 0)), visible)
    return law, truth


def fitted(count: int = 400, seed: int = 1) -> dict[str, FittedLaw]:
    law, truth = people(count, seed)
    return fit_laws(stated_and_true(law, truth), np.arange(count), LEVELS)


@pytest.mark.slow
def test_intervals_hold_new_people_seen_and_hidden_and_are_as_narrow_as_each_allows() -> None:
    laws = fitted()
    assert set(laws) >= {"knee_flexion", "hip_flexion", "ankle_dorsiflexion", "trunk_flexion", "knee_angle"}
    assert laws["knee_flexion"].count == 800 and laws["trunk_flexion"].frames == 400
    measured = QuantityRadii(LEVELS, {}, {kind: f.law for kind, f in laws.items()})
    new, truth = people(400, 2)
    assert new.visible is not None
    hidden = new.visible[:, 0] < 0.5
    noise = np.zeros((18, 1))
    for name in ("left_knee_flexion", "right_hip_flexion", "left_ankle_dorsiflexion", "left_hip_abduction"):
        definition = DEFINITIONS[name]
        true = definition.of(truth[:, [BODY_26.index(j) for j in definition.joints], :, None])[..., 0]
        low, high, centre = stated_intervals(definition, new, noise, 0.9, measured)
        holds = (low <= true) & (true <= high)
        assert ((low <= centre) & (centre <= high)).all()
        for part in (hidden, ~hidden):
            assert holds[part].mean() == pytest.approx(0.9, abs=0.07), name  # 3.3 binomial errors of 200
        assert np.median((high - low)[hidden]) > 2 * np.median((high - low)[~hidden]), name


def test_a_regression_finds_shift_and_spread() -> None:
    rng = np.random.default_rng(0)
    known = np.stack((np.ones(6000), rng.uniform(-1, 1, 6000)), axis=1)
    error = known @ [0.4, -0.8] + np.exp(known @ [0.1, 0.7]) * rng.normal(size=6000)
    shift, spread = regress(known, error)
    assert shift == pytest.approx([0.4, -0.8], abs=0.05)
    assert spread[1] == pytest.approx(0.7, abs=0.1)


def test_too_few_people_and_people_of_one_clip_have_no_law() -> None:
    law, truth = people(120, 3)
    told = stated_and_true(law, truth)
    assert not fit_laws(told, np.zeros(120, int), LEVELS)
    assert not fit_laws(told, np.arange(120), LEVELS, min_count=1000)
    truth = np.where(np.arange(26)[:, None] == BODY_26.index("left_knee"), np.nan, truth)
    laws = fit_laws(stated_and_true(law, truth), np.arange(120), (0.5, 0.9), min_count=100)
    assert laws["knee_flexion"].count == 120  # the right knees


@lru_cache(maxsize=1)
def some_laws() -> dict[str, FittedLaw]:
    law, truth = people(120, 5)
    return fit_laws(stated_and_true(law, truth), np.arange(120), LEVELS, min_count=100)


def with_laws(path: Path) -> Path:
    shipped, laws = Calibrator.load(SHIPPED), some_laws()
    laws = {kind: fitted for kind, fitted in laws.items() if "knee" in kind or "ankle" in kind}
    radii = {source: replace(r, quantity_laws=laws) for source, r in shipped.radii.items()}
    replace(shipped, radii=radii).save(path)
    return path


def test_a_law_travels_with_calibrator_pose_and_file(tmp_path: Path) -> None:
    file = with_laws(tmp_path / "c.json")
    Calibrator.load(file).save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == file.read_text()
    pose = sigmapose.lift_batch(walking_pose().points_px[None], skeleton="body_26", calibrator=file)[0]
    assert pose.quantities is not None and "ankle_dorsiflexion" in pose.quantities.laws
    without = replace(pose, quantities=replace(pose.quantities, laws={}))
    assert pose.interval("left_ankle_dorsiflexion") != without.interval("left_ankle_dorsiflexion")
    place = tmp_path / "poses.json"
    with PosesWriter(place) as writer:
        writer.add_source(Source("", pose.camera, 30.0))
        writer.write(Frame(0, 0.0, (pose,)))
    (frame,) = read_poses(place)
    assert frame.poses[0].quantities == pose.quantities
    measured = sigmapose.measure(place, "ankle").of("left_ankle_dorsiflexion")
    assert measured.calibrated
    told = pose.interval("left_ankle_dorsiflexion")
    assert (measured.low[0], measured.high[0]) == pytest.approx((told.low, told.high), abs=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda law: law["shift"].pop(), "shift of the law"),
        (lambda law: law["low"].__setitem__(0, 5.0), "ends must not come closer"),
        (lambda law: law["spread"].__setitem__(0, 1e9), "spread of the law"),
        (lambda law: law.pop("high"), "high"),
    ],
)
def test_a_damaged_law_is_one_line(tmp_path: Path, change, message: str) -> None:
    content = json.loads(with_laws(tmp_path / "c.json").read_text())
    change(content["sources"]["heavy"]["quantity_laws"]["knee_flexion"])
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        Calibrator.load(tmp_path / "bad.json")


def test_a_law_of_no_quantity_is_refused(tmp_path: Path) -> None:
    content = json.loads(with_laws(tmp_path / "c.json").read_text())
    laws = content["sources"]["heavy"]["quantity_laws"]
    laws["knee_flexoin"] = laws["knee_flexion"]
    (tmp_path / "bad.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="knee_flexoin"):
        Calibrator.load(tmp_path / "bad.json")


def test_a_joint_that_is_missing_has_no_interval() -> None:
    law, _ = people(3, 7)
    joints = law.joints_mm.copy()
    joints[0, BODY_26.index("left_knee")] = np.nan
    joints[1, BODY_26.index("left_knee")] = joints[1, BODY_26.index("left_ankle")] = 0.0
    zeros = tuple(np.zeros(len(FEATURES)).tolist())
    measured = QuantityRadii((0.9,), {}, {"knee_flexion": QuantityLaw(zeros, zeros, (-1.0,), (1.0,))})
    some = replace(law, joints_mm=joints)
    low, high, _ = stated_intervals(DEFINITIONS["left_knee_flexion"], some, np.zeros((18, 1)), 0.9, measured)
    assert np.isnan(low[:2]).all() and np.isnan(high[:2]).all() and np.isfinite(low[2])


def test_draws_of_a_law_have_its_quantiles_in_the_order_they_were_in() -> None:
    law, _ = people(2, 8)
    measured = QuantityRadii(LEVELS, {}, {k: f.law for k, f in some_laws().items()})
    definition = DEFINITIONS["left_hip_flexion"]
    values = draws_of(definition, law, np.random.default_rng(1).standard_normal((18, 4096)))
    moved = lawful_draws(definition, law, values, measured)
    low, high, centre = stated_intervals(definition, law, np.zeros((18, 1)), 0.9, measured)
    for k in range(2):
        assert (np.diff(moved[k][np.argsort(values[k])]) >= -1e-9).all()
        ends = np.quantile(moved[k], (0.05, 0.95))
        assert min(ends[0], centre[k]) == pytest.approx(low[k], abs=0.3)
        assert max(ends[1], centre[k]) == pytest.approx(high[k], abs=0.3)
    assert lawful_draws(definition, law, values, None) is values
