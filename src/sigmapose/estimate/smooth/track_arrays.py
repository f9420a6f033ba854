"""One person through consecutive frames as arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from sigmapose.pose import Pose
from sigmapose.regions import Regions
from sigmapose.shapes import Array, Bool, Float


@dataclass(frozen=True, repr=False)
class TrackArrays:
    """Frames of one person, times rising."""

    times_s: Float[Array, " time"]
    joints_mm: Float[Array, "time joint 3"]
    cov_mm2: Float[Array, "time joint 3 3"]
    factors_mm: Float[Array, "time joint 3 rank"]
    points_px: Float[Array, "time joint 2"]
    cov_px2: Float[Array, "time joint 2 2"]
    visibility: Float[Array, "time joint 4"]
    root_mm: Float[Array, "time 3"]
    root_cov_mm2: Float[Array, "time 3 3"]
    predicted: Bool[Array, " time"]
    """Frames in which the person is not seen."""

    def __len__(self) -> int:
        return len(self.times_s)

    def take(self, rows: slice) -> TrackArrays:
        """Some of the frames."""
        return TrackArrays(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __repr__(self) -> str:
        return f"TrackArrays({len(self)} frames)"


def stack(poses: Sequence[Pose], times_s: Sequence[float]) -> TrackArrays:
    """Poses of one person. Factors are filled up with zeros in front where another frame has more: the last
    one is the scale."""
    joints = len(poses[0].skeleton)
    factors = [np.zeros((joints, 3, 0)) if p.factors_mm is None else p.factors_mm for p in poses]
    rank = max(f.shape[-1] for f in factors)
    return TrackArrays(
        times_s=np.array(times_s, np.float64),
        joints_mm=np.stack([p.joints_mm for p in poses]),
        cov_mm2=np.stack([p.cov_mm2 for p in poses]),
        factors_mm=np.stack([np.pad(f, ((0, 0), (0, 0), (rank - f.shape[-1], 0))) for f in factors]),
        points_px=np.stack([p.points_px for p in poses]),
        cov_px2=np.stack([p.cov_px2 for p in poses]),
        visibility=np.stack([p.visibility for p in poses]),
        root_mm=np.stack([p.root_mm for p in poses]),
        root_cov_mm2=np.stack([p.root_cov_mm2 for p in poses]),
        predicted=np.array([p.predicted for p in poses]),
    )


def put_back(pose: Pose, smoothed: TrackArrays, t: int, regions: Regions | None) -> Pose:
    """The pose of a frame with what its neighbours know; what the frame alone said is its `raw`."""
    return replace(
        pose,
        joints_mm=smoothed.joints_mm[t],
        cov_mm2=smoothed.cov_mm2[t],
        factors_mm=smoothed.factors_mm[t],
        points_px=smoothed.points_px[t],
        cov_px2=smoothed.cov_px2[t],
        visibility=smoothed.visibility[t],
        root_mm=smoothed.root_mm[t],
        root_cov_mm2=smoothed.root_cov_mm2[t],
        regions=regions,
        raw=pose,
    )
