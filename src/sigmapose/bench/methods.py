"""Our own rows of a scorecard: which models are run, and what they are told.

`sigmapose` is what ships, told nothing but the picture, one look at everybody, every frame by itself;
`sigmapose/smoothed` are the same poses smoothed in time, where a protocol has films; `sigmapose/camera` is
told the camera; `sigmapose/2-looks` averages each picture with its mirror image;
`sigmapose/<model>` are other sizes; `sigmapose/<name>` are exported networks of a folder, each

- with its own calibrator where `<name>.json` lies beside `<name>.onnx`, and then also `sigmapose/<name>/raw`;
- and `sigmapose/<name>/eq1-raw` where its depth sigma was learned with eq1: read without the factor 1/sqrt(2)
  that makes it a standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.bench.stated_quantities import intervals_of
from sigmapose.calibrator import Calibrator
from sigmapose.errors import DataError
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.network import ImageNetwork, Landmarks, Prediction25D, networks_of, weights_path
from sigmapose.evaluate.frames import LEVELS, Predictions
from sigmapose.gaussian import chi2_radius
from sigmapose.pose import Pose
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import BODY_26, VISIBILITY, JointMap, Skeleton

PROCEDURAL = "procedural"
"""Subject of poses that nobody moved: their splits are by pose, not by subject."""
NOT_HEADS = ("detector", "lift", "encoder_")


@dataclass(frozen=True)
class Method:
    """A row: how to make the estimator, and what it is told."""

    name: str
    make: Callable[[], Estimator]
    told_camera: bool = False


def own_methods(models: Sequence[str], heads: Path | None = None, looks: int = 1) -> list[Method]:
    """All our rows; the first model is the row `sigmapose`, and `sigmapose/2-looks` where `looks` is 2.

    Raises:
        DataError: the folder of heads holds no network.
        ModelError: a model that is not installed.
    """
    import sigmapose

    rows = []
    for k, model in enumerate(models):
        for network in networks_of(model):
            weights_path(network)
        make = _loader(sigmapose.load, model)
        rows.append(Method("sigmapose" if k == 0 else f"sigmapose/{model}", make))
        if k == 0:
            rows.append(Method("sigmapose/camera", make, told_camera=True))
        if k == 0 and looks == 2:
            rows.append(Method("sigmapose/2-looks", _loader(sigmapose.load, model, looks=2)))
    return rows + (head_methods(heads) if heads is not None else [])


def _loader(
    load: Callable[..., Estimator], model: str | Path, calibrator: Any = None, looks: int = 1
) -> Callable[[], Estimator]:
    return lambda: load(model, calibrator=calibrator, people=1, looks=looks)


def head_methods(folder: Path) -> list[Method]:
    """Rows of the exported networks in a folder.

    Raises:
        DataError: no such folder, or no network in it.
    """
    import sigmapose

    files = [f for f in sorted(folder.glob("*.onnx")) if not f.stem.startswith(NOT_HEADS)]
    if not files:
        raise DataError(
            f"no networks (*.onnx) in '{folder}': make them with "
            "sigmapose export --phi CHECKPOINT --out DIR/NAME.onnx"
        )
    rows = []
    for file in files:
        name, calibrator = f"sigmapose/{file.stem}", file.with_suffix(".json")
        own = calibrator.is_file()
        rows.append(Method(name, _loader(sigmapose.load, file, calibrator if own else "none")))
        if own:
            rows.append(Method(f"{name}/raw", _loader(sigmapose.load, file, "none")))
        if ImageNetwork(file).depth_scale != 1.0:
            rows.append(Method(f"{name}/eq1-raw", _eq1_loader(file)))
    return rows


def _eq1_loader(file: Path) -> Callable[[], Estimator]:
    import sigmapose

    def make() -> Estimator:
        estimator = sigmapose.load(file, calibrator="none", people=1)
        estimator.network = UncorrectedDepth(estimator.network)
        return estimator

    return make


class UncorrectedDepth(ImageNetwork):
    """A network of the `depth` family whose depth sigma is read as eq1 taught it.

    In that family u, v and depth are independent and the file multiplies the depth sigma alone, so that
    dividing the depth variance undoes it.
    """

    def __init__(self, network: ImageNetwork) -> None:
        self.network, self.model, self.depth_scale = network, network.model, 1.0
        self.session = network.session

    def __call__(
        self,
        crops: Float[Array, "batch 256 256 3"],
        rotation: Float[Array, "batch 2"],
        context: Float[Array, "batch 12"],
    ) -> tuple[Prediction25D, Landmarks]:
        prediction, landmarks = self.network(crops, rotation, context)
        cov = prediction.relative_cov.copy()
        cov[..., 2, 2] /= self.network.depth_scale**2
        return replace(prediction, relative_cov=cov), landmarks


def from_poses(
    poses: Sequence[Pose | None], to: JointMap, fps: float | None = None, *, intervals: bool = False
) -> Predictions:
    """Poses as the predictions of the joints a protocol compares; None is a person who was not found.

    A joint that is the mean of several is taken as the mean of independent ones; its squared radius and its
    visibility are the means of theirs. `intervals`: of angles and lengths as well, some milliseconds a pose.
    """
    own, alone = intervals_of(poses, to.target.joints) if intervals else (None, None)
    joints, shape = len(to.target), (len(poses), len(BODY_26))
    mean, cov = np.full((*shape, 3), np.nan), np.full((*shape, 3, 3), np.nan)
    radius2 = {level: np.full(shape, chi2_radius(level, 3) ** 2) for level in LEVELS}
    seen = np.full((*shape, len(VISIBILITY)), np.nan)
    for row, pose in enumerate(poses):
        if pose is None:
            continue
        mean[row], cov[row], seen[row] = pose.joints_mm, pose.cov_mm2, pose.visibility
        for level in LEVELS if pose.regions is not None else ():
            assert pose.regions is not None
            radius2[level][row] = pose.regions.joint_radius(level) ** 2
    return Predictions(
        joints_mm=to.apply(mean)[0].reshape(len(poses), joints, 3),
        cov_mm2=to.apply_covariance(cov),
        radius2={level: r @ to.weights.T for level, r in radius2.items()},
        visibility=_most_probable(to.apply(seen)[0].reshape(len(poses), joints, len(VISIBILITY))),
        intervals=own,
        joint_intervals=alone,
        fps=fps,
    )


def _most_probable(visibility: Float[Array, "n j 4"]) -> Int[Array, "n j"]:
    """Class of every joint; -1 where the method says none."""
    said = np.asarray(np.isfinite(visibility).all(-1))
    return np.where(said, np.where(said[..., None], visibility, 0.0).argmax(-1), -1)


def chosen_joints(skeleton: Skeleton, joints: Sequence[str]) -> JointMap:
    """Some joints of a skeleton, in the order given, as a map."""
    weights = np.zeros((len(joints), len(skeleton)))
    for row, joint in enumerate(joints):
        weights[row, skeleton.index(joint)] = 1.0
    target = Skeleton(
        f"{len(joints)} joints of {skeleton.name}", tuple(joints), (), None, tuple(range(len(joints)))
    )
    return JointMap(skeleton, target, weights, ("exact",) * len(joints))


def refuse_test_calibrators(methods: Iterable[Method], test: Iterable[str]) -> None:
    """Calibrators that saw test people void every number.

    Raises:
        DataError: a calibrator says it was fitted on the test split, or on a subject of this protocol.
    """
    subjects = set(test) - {PROCEDURAL}
    for method in methods:
        calibrator = method.make().calibrator
        if calibrator is not None:
            refuse_test_calibrator(calibrator, subjects, method.name)


def refuse_test_calibrator(calibrator: Calibrator, subjects: set[str], method: str) -> None:
    """See `refuse_test_calibrators`; a calibrator without provenance cannot be checked and is let through."""
    told = calibrator.provenance
    if told is None:
        return
    both = sorted(subjects & set(told.subjects))
    if told.split == "test" or both:
        what = f"on subjects {', '.join(both)}, who are tested here" if both else "on the test split"
        raise DataError(
            f"{method}: calibrator '{calibrator.name}' was fitted {what}: fit it on the calibration split"
        )
