"""What is scored: a method's predictions beside the truth. Camera axes (x right, y down, z forward), mm.

`Predictions` and `Truth` speak of the same frames and of the joints of one layout; files of named frames and
other skeletons are brought to that by `sigmapose.evaluate.evaluation`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sigmapose.data.sample import Picture
from sigmapose.errors import InputError
from sigmapose.evaluate.checks import check_covariances, check_units
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.pose_metrics import finite_joints
from sigmapose.quantities import JOINTS_OF
from sigmapose.shapes import Array, Bool, Float, Int

LEVELS = (0.5, 0.8, 0.9, 0.95)


def cluster_ids(names: Iterable[str]) -> Int[Array, " n"]:
    """A number per frame from the name of its clip or person; the same in every process and on every
    machine."""
    known: dict[str, int] = {}

    def number(name: str) -> int:
        if name not in known:
            digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
            known[name] = int.from_bytes(digest, "little", signed=True)
        return known[name]

    return np.array([number(name) for name in names], np.int64)


@dataclass(frozen=True, repr=False, eq=False)
class Truth:
    """n frames that all methods of a protocol are judged on; joints in the order of its layout."""

    ids: Sequence[str]
    joints_mm: Float[Array, "n j 3"]
    """Camera axes, any origin."""
    clusters: Sequence[str]
    """Name of the block, clip or person of every frame: what intervals resample."""
    used: Bool[Array, "n j"] | None = None
    """Joints to compare; None: those whose truth is finite."""
    visibility: Int[Array, "n j"] | None = None
    root_mm: Float[Array, "n 3"] | None = None
    tilt_deg: Float[Array, " n"] | None = None
    strata: Sequence[str] | None = None
    """Name of the camera or action of every frame: averages are the mean over these."""
    clips: Sequence[str] | None = None
    frames: Int[Array, " n"] | None = None
    """With `clips`, for motion: a clip must be whole."""
    rate_hz: float | None = None
    points_px: Float[Array, "n j 2"] | None = None
    """Where the joints are in the pictures below."""
    picture: Callable[[int], Picture | None] | None = None
    """The picture of a frame, by its row."""

    def __post_init__(self) -> None:
        rows = {"ids": self.ids, "clusters": self.clusters, "strata": self.strata, "clips": self.clips}
        wrong = {name: len(v) for name, v in rows.items() if v is not None and len(v) != len(self.joints_mm)}
        if wrong:
            raise InputError(
                f"truth of {len(self.joints_mm)} frames with {wrong}: give one name for every frame"
            )

    def __repr__(self) -> str:
        return f"Truth(frames={self.joints_mm.shape[0]}, joints={self.joints_mm.shape[1]})"


@dataclass(frozen=True, repr=False, eq=False)
class Predictions:
    """What one method says of the same frames. A person or joint that was not found is NaN."""

    joints_mm: Float[Array, "n j 3"]
    """Camera axes, any origin."""
    cov_mm2: Float[Array, "n j 3 3"] | None = None
    """Of the root-relative joints."""
    radius2: Mapping[float, Float[Array, "n j"]] | None = None
    """Squared Mahalanobis radius of the stated regions by level; None: those of Gaussians."""
    doubt: Float[Array, "n j"] | None = None
    """Grows with uncertainty; None: sigma."""
    confident: Bool[Array, "n j"] | None = None
    """Joints the method vouches for; None: those whose 90 % region reaches at most 100 mm."""
    visibility: Int[Array, "n j"] | None = None
    """The class the method takes to be the most probable (index of skeleton.VISIBILITY), -1 unknown."""
    intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """90 % intervals by quantity (`quantities.INTERVAL_NAMES`); NaN where nobody was found."""
    joint_intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """The same as if joints erred independently."""
    fps: float | None = None

    def __repr__(self) -> str:
        return f"Predictions({self.joints_mm.shape}, covariance={self.cov_mm2 is not None})"


def with_constant_sigma(predictions: Predictions, sigma_mm: float) -> Predictions:
    """The same means with one isotropic sigma for every joint of every frame: the baseline to beat."""
    shape = predictions.joints_mm.shape[:-1]
    cov = np.broadcast_to(sigma_mm**2 * np.eye(3), (*shape, 3, 3))
    return Predictions(
        predictions.joints_mm, cov_mm2=cov, visibility=predictions.visibility, fps=predictions.fps
    )


@dataclass(frozen=True, repr=False, eq=False)
class Scored:
    """Frames of one method, n of them, with their truth; optional facts make further metrics possible.

    A joint that was not found is NaN in `predicted_mm`: it counts as a failure. A joint that nobody knows the
    truth of is not `used`: it plays no part.
    """

    predicted_mm: Float[Array, "n j 3"]
    """Any origin; metrics are relative to the root of the layout."""
    truth_mm: Float[Array, "n j 3"]
    """Any origin."""
    cluster: Int[Array, " n"]
    """Clip or person of every frame (see `cluster_ids`): what intervals resample."""
    used: Bool[Array, "n j"] | None = None
    """Joints to compare; None: those whose truth is finite."""
    cov_mm2: Float[Array, "n j 3 3"] | None = None
    """Of the root-relative joints; NaN where a joint has none."""
    radius2: Mapping[float, Float[Array, "n j"]] | None = None
    """Squared Mahalanobis radius of the region stated at each of LEVELS or some of them; None: the
    chi-square(3) quantiles. A conformal calibrator states its own; infinity is the whole space."""
    doubt: Float[Array, "n j"] | None = None
    """Any number that grows with uncertainty, for ranking; None: sqrt(trace cov / 3)."""
    confident: Bool[Array, "n j"] | None = None
    """Joints the method vouches for; None: those whose 90 % region reaches no farther than tau."""
    visibility: Int[Array, "n j"] | None = None
    """Index of skeleton.VISIBILITY, -1 unknown."""
    predicted_visibility: Int[Array, "n j"] | None = None
    """The class the method itself takes to be the most probable, -1 where it says none."""
    intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """Low and high ends of 90 % intervals by quantity (`quantities.INTERVAL_NAMES`); NaN where not found."""
    joint_intervals: Mapping[str, Float[Array, "n 2"]] | None = None
    """The same as if joints erred independently of each other."""
    root_mm: Float[Array, "n 3"] | None = None
    """True root in the camera frame, for the viewing ray and the distance; NaN unknown."""
    tilt_deg: Float[Array, " n"] | None = None
    """Pitch of the camera, positive looking down; NaN unknown."""
    clip: Int[Array, " n"] | None = None
    """With `frame`: frames of one clip, numbered; for motion. A clip must be whole in one update."""
    frame: Int[Array, " n"] | None = None
    rate_hz: float | None = None
    """Frames per second of the video: motion is then in mm/s^2, else in mm/frame^2."""
    stratum: Int[Array, " n"] | None = None
    """Camera or sequence: averages are the mean over strata, and clusters are drawn within their stratum."""

    def __post_init__(self) -> None:
        if self.truth_mm.ndim != 3 or self.truth_mm.shape[2] != 3:
            raise InputError(f"truth must be (frames, joints, 3), got {self.truth_mm.shape}")
        n, j = self.truth_mm.shape[:2]
        if n == 0:
            raise InputError("no frames to score: give at least one")
        wanted = {"predicted_mm": (n, j, 3), "cov_mm2": (n, j, 3, 3), "root_mm": (n, 3)}
        wanted |= dict.fromkeys(("used", "doubt", "confident", "visibility", "predicted_visibility"), (n, j))
        wanted |= dict.fromkeys(("cluster", "tilt_deg", "clip", "frame", "stratum"), (n,))
        arrays = {name: getattr(self, name) for name in wanted}
        arrays |= {f"radius2[{level}]": r for level, r in (self.radius2 or {}).items()}
        for name, array in arrays.items():
            shape = wanted.get(name, (n, j))
            if array is not None and array.shape != shape:
                raise InputError(f"{name} must have shape {shape} to fit the truth, got {array.shape}")
        for name, told in (*(self.intervals or {}).items(), *(self.joint_intervals or {}).items()):
            if name not in JOINTS_OF or told.shape != (n, 2):
                raise InputError(
                    f"intervals of {name!r} with shape {told.shape}: give (frames, 2) of one of the "
                    f"quantities {', '.join(JOINTS_OF)}"
                )
        if self.radius2 is not None and not {0.9} <= set(self.radius2) <= set(LEVELS):
            raise InputError(f"radius2 needs level 0.9 and takes {LEVELS}, got {tuple(self.radius2)}")
        if (self.clip is None) != (self.frame is None):
            raise InputError("motion needs clip and frame together: give both or neither")

    @classmethod
    def of(cls, predictions: Predictions, truth: Truth, layout: Layout, method: str) -> Scored:
        """One method's frames beside the truth, row by row.

        Raises:
            InputError: frames or joints do not match: which side has how many.
        """
        want, got = truth.joints_mm.shape, predictions.joints_mm.shape
        for axis, what in enumerate(("frames", "joints")):
            if len(got) != 3 or got[axis] != want[axis]:
                have = got[axis] if len(got) == 3 else f"shape {got}"
                raise InputError(
                    f"{method}: predictions have {have} {what}, the truth {want[axis]}: give every frame of "
                    f"the truth, with NaN joints where nobody was found, and its {len(layout.joints)} joints"
                )
        said = {
            name: getattr(predictions, name)
            for name in ("cov_mm2", "radius2", "doubt", "confident", "intervals", "joint_intervals")
        }
        return cls(
            predictions.joints_mm, truth.joints_mm, cluster_ids(truth.clusters), used=truth.used,
            visibility=truth.visibility, predicted_visibility=predictions.visibility, root_mm=truth.root_mm,
            tilt_deg=truth.tilt_deg, clip=None if truth.clips is None else cluster_ids(truth.clips),
            frame=truth.frames, rate_hz=truth.rate_hz,
            stratum=None if truth.strata is None else cluster_ids(truth.strata), **said,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Scored(frames={self.truth_mm.shape[0]}, joints={self.truth_mm.shape[1]})"

    def __len__(self) -> int:
        return len(self.truth_mm)

    def used_joints(self) -> Bool[Array, "n j"]:
        """`used`, or where the truth is finite."""
        known = finite_joints(self.truth_mm)
        return known if self.used is None else self.used

    def check(self, layout: Layout) -> None:
        """Refuse what cannot be scored honestly.

        Raises:
            InputError: joints do not fit the layout, truth is missing for a used joint or for the root, units
                are mixed, or covariances are not symmetric and positive definite: which and how many.
        """
        joints = self.truth_mm.shape[1]
        if joints != len(layout.joints):
            raise InputError(
                f"frames have {joints} joints, the layout {len(layout.joints)}: match them first"
            )
        used, known = self.used_joints(), finite_joints(self.truth_mm)
        lost = used & ~known
        if lost.any():
            frame, joint = (int(k[0]) for k in np.nonzero(lost))
            raise InputError(
                f"{int(lost.sum())} used joints have no truth, first {layout.joints[joint]!r} of frame "
                f"{frame}: leave them out of `used`"
            )
        rootless = used.any(1) & ~known[:, list(layout.root)].all(1)
        if rootless.any():
            raise InputError(
                f"{int(rootless.sum())} frames have no true root, first frame {int(np.argmax(rootless))}: "
                "leave their joints out of `used`"
            )
        some = slice(None, None, max(1, len(self) // 4096))
        predicted, truth = (self.relative(p[some], layout) for p in (self.predicted_mm, self.truth_mm))
        check_units(predicted, truth, used[some])
        if self.cov_mm2 is not None:
            check_covariances(self.cov_mm2, layout.joints)

    @staticmethod
    def relative(joints_mm: Float[Array, "n j 3"], layout: Layout) -> Float[Array, "n j 3"]:
        """Joints relative to the mean of the root joints."""
        return joints_mm - joints_mm[:, list(layout.root)].mean(1, keepdims=True)
