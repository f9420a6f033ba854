"""Accumulation that may be split over processes: update, merge, and plain arrays in between.

Averages are kept as sums per cluster, exact and small; rankings and group coverage need every judged joint,
kept as 40 bytes each (104 MB per 100,000 frames of 26 joints). Two halves merged equal the whole, in any
order. For `all_gather`, send `state()` of every process (arrays of different length: pad, or gather objects)
and put it together with `Tally.from_state` and `merge`. Motion needs whole clips in one update.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sigmapose.errors import InputError
from sigmapose.evaluate import pose_metrics
from sigmapose.evaluate.angle_bias import BIAS_BINS
from sigmapose.evaluate.calibration import ECE_BINS, Factor, cell_codes
from sigmapose.evaluate.frames import LEVELS, Scored
from sigmapose.evaluate.layout import Layout
from sigmapose.evaluate.measured import Measured, measure
from sigmapose.evaluate.stated_intervals import KINDS
from sigmapose.shapes import Array, Float, Int
from sigmapose.skeleton import VISIBILITY

WRONG_MM = (50.0, 100.0, 150.0)
"""A joint farther than this from the truth is wrong."""
TILT_EDGES_DEG = (-30.0, -10.0, 10.0, 30.0)
DISTANCE_EDGES_MM = (2000.0, 4000.0, 8000.0)
TILTS = ("tilt below -30 deg", "tilt -30..-10", "tilt -10..10", "tilt 10..30", "tilt above 30 deg")
DISTANCES = ("nearer than 2 m", "2..4 m", "4..8 m", "farther than 8 m")

COLUMN_MEANS = {
    "mpjpe_mm": "error_mm", "n_mpjpe_mm": "scaled_error_mm", "pa_mpjpe_mm": "aligned_error_mm",
    "mpjae_deg": "angle_error_deg", "segment_angle_deg": "segment_error_deg",
    "bone_length_error_mm": "bone_error_mm", "acceleration_error": "acceleration_error", "jitter": "jitter",
    "true_jitter": "true_jitter", "missed_rate": "missed", "unstated_rate": "unstated", "nll": "nll",
    "crps_x_mm": "crps_x_mm", "crps_y_mm": "crps_y_mm", "crps_z_mm": "crps_z_mm",
    "crps_ray_mm": "crps_ray_mm", "energy_score_mm": "energy_mm", "energy_score_pose_mm": "energy_pose_mm",
    "volume_90_mm3": "volume_90_mm3", "radius_90_mm": "radius_90_mm", "sigma_mm": "sigma_mm",
    "distance2_over_3": "distance2",
    **{f"coverage_{round(100 * level)}": f"inside_{round(100 * level)}" for level in LEVELS},
    "coverage_90_found": "inside_90_found",
    **{name: name for name in BIAS_BINS},
    **{
        f"{prefix}interval_{what}90_{kind}{unit}": f"{prefix}interval_{column}{kind}"
        for prefix in ("", "joint_")
        for kind, suffix in KINDS.items()
        for what, column, unit in (("coverage_", "", ""), ("width_", "width_", f"_{suffix}"))
    },
}  # fmt: skip
"""Metrics that are the mean of one column of `measure`."""
_PIT_SUMS = tuple(f"pit_axes_{k}" for k in range(ECE_BINS))
_RATE_SUMS = tuple(
    f"{what}_{tau:.0f}"
    for tau in WRONG_MM
    for what in ("judged", "wrong", "asked", "asked_wrong", "sure", "sure_wrong")
)
SUMS = (
    *(f"{part}:{name}" for name in COLUMN_MEANS for part in ("sum", "count")),
    "sum:pck_150mm", "sum:auc_150mm", *_RATE_SUMS, *_PIT_SUMS,
)  # fmt: skip
_ROWS = {
    "error_mm": np.float32, "doubt": np.float32, "pit": np.float32,
    "error_x_mm": np.float32, "error_y_mm": np.float32, "error_z_mm": np.float32,
    "volume_90_mm3": np.float32, "joint": np.uint16, "predicted": np.int8,
    "cell": np.int32, "inside": np.uint8, "row_cluster": np.int32,
}  # fmt: skip
_VECTORS = ("error_x_mm", "error_y_mm", "error_z_mm")
_CLUSTERS = {"cluster": np.int64, "stratum": np.int64, "sums": np.float64, "frames": np.int64}


def factors_of(layout: Layout) -> tuple[Factor, ...]:
    """Joint group, visibility class, camera tilt, distance."""
    return (
        Factor("joints", tuple(layout.groups)),
        Factor("visibility", VISIBILITY),
        Factor("tilt", TILTS),
        Factor("distance", DISTANCES),
    )


def predicted_factors(layout: Layout) -> tuple[Factor, ...]:
    """Joint group, and the visibility class the method itself states."""
    return Factor("joints", tuple(layout.groups)), Factor("predicted visibility", VISIBILITY)


def column(name: str) -> int:
    """Place of a sum in `SUMS`."""
    return SUMS.index(name)


@dataclass(repr=False, eq=False)
class Tally:
    """What has been seen so far of one method on one layout."""

    layout: Layout
    rate_hz: float | None = None
    parts: list[dict[str, np.ndarray]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Tally(frames={sum(int(p['frames'].sum()) for p in self.parts)})"

    def update(self, frames: Scored, *, workers: int | None = None) -> Measured:
        """Measure frames and add them; what was measured is given back, for those who want single joints.

        Raises:
            InputError: see `measure`; or the frames have another frame rate than those before.
        """
        if self.parts and frames.rate_hz != self.rate_hz:
            raise InputError(
                f"frame rates must agree, got {frames.rate_hz} after {self.rate_hz}: score them apart"
            )
        measured = measure(frames, self.layout, workers=workers)
        self.rate_hz = frames.rate_hz
        self.parts.append(_part(frames, measured, self.layout))
        if len(self.parts) > 64:
            self.parts = [self.state()]
        return measured

    def merge(self, *others: Tally) -> Tally:
        """One tally of all that these have seen. A cluster seen by several is one cluster.

        Raises:
            InputError: layouts or frame rates differ.
        """
        tallies = [t for t in (self, *others) if t.parts]
        for other in others:
            if other.layout != self.layout:
                raise InputError("tallies of different joints cannot be merged: score them apart")
        rates = {t.rate_hz for t in tallies}
        if len(rates) > 1:
            raise InputError(f"tallies of different frame rates {sorted(map(str, rates))}: score them apart")
        whole = Tally(
            self.layout, rates.pop() if rates else self.rate_hz, [p for t in tallies for p in t.parts]
        )
        return Tally(whole.layout, whole.rate_hz, [whole.state()] if whole.parts else [])

    def state(self) -> dict[str, np.ndarray]:
        """Everything as plain arrays, clusters sorted by (stratum, cluster).

        Raises:
            InputError: nothing was seen.
        """
        if not self.parts:
            raise InputError("nothing was scored yet: update first")
        keys = np.concatenate([np.stack((p["stratum"], p["cluster"])) for p in self.parts], axis=1)
        unique, place = np.unique(keys, axis=1, return_inverse=True)
        place = place.ravel()
        sums, frames = np.zeros((unique.shape[1], len(SUMS))), np.zeros(unique.shape[1], np.int64)
        np.add.at(sums, place, np.concatenate([p["sums"] for p in self.parts]))
        np.add.at(frames, place, np.concatenate([p["frames"] for p in self.parts]))
        begin, owner = 0, []
        for p in self.parts:
            owner.append(place[begin : begin + len(p["cluster"])].astype(np.int32)[p["row_cluster"]])
            begin += len(p["cluster"])
        rows = {
            name: np.concatenate([p[name] for p in self.parts]) for name in _ROWS if name != "row_cluster"
        }
        named = {"stratum": unique[0], "cluster": unique[1], "sums": sums, "frames": frames}
        return {**named, **rows, "row_cluster": np.concatenate(owner)}

    @classmethod
    def from_state(
        cls, layout: Layout, state: dict[str, np.ndarray], *, rate_hz: float | None = None
    ) -> Tally:
        """A tally from `state()`, of another process say.

        Raises:
            InputError: an array is missing or of the wrong type.
        """
        for name, dtype in (_ROWS | _CLUSTERS).items():
            if name not in state or state[name].dtype != dtype:
                got = state[name].dtype if name in state else "none"
                raise InputError(f"tally state needs {name!r} as {np.dtype(dtype)}, got {got}")
        return cls(layout, rate_hz, [state])


def _part(frames: Scored, measured: Measured, layout: Layout) -> dict[str, np.ndarray]:
    n = len(frames)
    stratum = np.zeros(n, np.int64) if frames.stratum is None else frames.stratum.astype(np.int64)
    keys, owner, count = np.unique(
        np.stack((stratum, frames.cluster.astype(np.int64))), axis=1, return_inverse=True, return_counts=True
    )
    owner = owner.ravel()
    per_frame = _frame_sums(measured, n)
    sums = np.zeros((keys.shape[1], len(SUMS)))
    for name, values in per_frame.items():
        sums[:, column(name)] = np.bincount(owner, values, keys.shape[1])
    sums[:, column(_PIT_SUMS[0]) :] = _axis_histogram(measured, owner, keys.shape[1])
    judged = _judged(measured, layout)
    cells = _cells(frames, layout)
    inside = np.zeros(judged.shape, np.uint8)
    for bit, level in enumerate(LEVELS):
        name = f"inside_{round(100 * level)}"
        if name in measured.columns:
            inside |= (measured[name] == 1).astype(np.uint8) << bit
    empty = np.full(judged.shape, np.nan, np.float32)
    predicted = -1 if frames.predicted_visibility is None else frames.predicted_visibility
    rows = {
        "error_mm": measured["error_mm"][judged],
        "doubt": measured["doubt"][judged],
        **{name: measured.columns.get(name, empty)[judged] for name in ("pit", *_VECTORS, "volume_90_mm3")},
        "joint": np.broadcast_to(np.arange(judged.shape[1], dtype=np.uint16), judged.shape)[judged],
        "predicted": np.broadcast_to(predicted, judged.shape)[judged].astype(np.int8),
        "cell": cells[judged].astype(np.int32),
        "inside": inside[judged],
        "row_cluster": np.broadcast_to(owner[:, None], judged.shape)[judged].astype(np.int32),
    }
    return {"stratum": keys[0], "cluster": keys[1], "sums": sums, "frames": count.astype(np.int64), **rows}


def _judged(measured: Measured, layout: Layout) -> np.ndarray:
    return ~np.isnan(measured["error_mm"]) & np.array(layout.judged())


def _frame_sums(measured: Measured, n: int) -> dict[str, np.ndarray]:
    """Per frame, the sum over its joints of everything that is averaged, and how many joints that is."""
    result = {}
    for name, source in COLUMN_MEANS.items():
        if source in measured.columns:
            values = measured[source]
            counted = ~np.isnan(values)
            result[f"count:{name}"] = counted.sum(1)
            result[f"sum:{name}"] = np.where(counted, values, 0.0).sum(1, dtype=np.float64)
    result["sum:distance2_over_3"] = result.get("sum:distance2_over_3", np.zeros(n)) / 3.0
    error = measured["error_mm"]
    used = ~np.isnan(error)
    result["sum:pck_150mm"] = np.where(used, pose_metrics.pck(error), 0.0).sum(1)
    result["sum:auc_150mm"] = np.where(used, pose_metrics.pck_area(error), 0.0).sum(1)
    given, radius = measured["confident"], measured.columns.get("radius_90_mm")
    vouched = not np.isnan(given).all()
    judged = ~np.isnan(given) if vouched else ~np.isnan(measured["doubt"])
    if radius is None and not vouched:
        judged = used
    for tau in WRONG_MM:
        wrong = judged & (error > tau)
        sure = (given == 1) if vouched else np.zeros_like(wrong) if radius is None else radius <= tau
        t = f"_{tau:.0f}"
        result[f"judged{t}"], result[f"wrong{t}"] = judged.sum(1), wrong.sum(1)
        if vouched or radius is not None:
            result[f"asked{t}"], result[f"asked_wrong{t}"] = judged.sum(1), wrong.sum(1)
            result[f"sure{t}"], result[f"sure_wrong{t}"] = sure.sum(1), (wrong & sure).sum(1)
    return result


def _axis_histogram(measured: Measured, owner: np.ndarray, clusters: int) -> np.ndarray:
    """Marginal PIT of the three axes together, per cluster: bins as in `calibration.pit_counts`."""
    if "pit_x" not in measured.columns:
        return np.zeros((clusters, ECE_BINS))
    total = np.zeros(clusters * ECE_BINS)
    for axis in "xyz":
        pit = measured[f"pit_{axis}"]
        said = ~np.isnan(pit)
        bins = np.clip(np.ceil(pit[said] * np.float32(ECE_BINS)).astype(np.int64) - 1, 0, ECE_BINS - 1)
        code = np.broadcast_to(owner[:, None], pit.shape)[said] * ECE_BINS + bins
        total += np.bincount(code, minlength=total.size)
    return total.reshape(clusters, ECE_BINS)


def _cells(frames: Scored, layout: Layout) -> Int[Array, "n j"]:
    """Cell of every joint in the grid of `factors_of`."""
    shape = frames.truth_mm.shape[:2]

    def binned(values: Float[Array, " n"] | None, edges: tuple[float, ...]) -> Int[Array, "n 1"]:
        if values is None:
            return np.full((shape[0], 1), -1)
        return np.where(np.isnan(values), -1, np.searchsorted(edges, values))[:, None]

    distance = None if frames.root_mm is None else np.linalg.norm(frames.root_mm, axis=-1)
    seen = np.full(shape, -1) if frames.visibility is None else frames.visibility.astype(np.int64)
    codes = [
        np.broadcast_to(np.array(layout.group_of())[None], shape),
        seen,
        binned(frames.tilt_deg, TILT_EDGES_DEG),
        binned(distance, DISTANCE_EDGES_MM),
    ]
    return np.broadcast_to(cell_codes(factors_of(layout), codes), shape)
