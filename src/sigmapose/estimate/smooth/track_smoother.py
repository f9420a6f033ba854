"""One person's frames, smoothed: joints, root and places in the picture, with their covariances.

Joints are relative to the root, in camera axes, mm; the root's own place goes through the same filter in the
row that the root has among the joints (where it is 0 by definition). See `error_model` for what is assumed of
errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sigmapose.camera import Camera
from sigmapose.estimate.smooth.averages import Past, two_sided
from sigmapose.estimate.smooth.bone_lengths import BonesSeen, LengthRecord, bones_of, keep_lengths
from sigmapose.estimate.smooth.error_model import (
    CONSTANT,
    ROOT,
    SLOW,
    in_picture,
    in_space,
    without_known,
)
from sigmapose.estimate.smooth.exchanged_limbs import Before, Exchange, names_mended
from sigmapose.estimate.smooth.kalman import Dynamics, Observations, Smoothed, State, smooth
from sigmapose.estimate.smooth.rays import along_rays, onto_rays
from sigmapose.estimate.smooth.track_arrays import TrackArrays
from sigmapose.gaussian import SIGMA_FLOOR_MM, SIGMA_FLOOR_PX, add_floor, chi2_radius
from sigmapose.shapes import Array, Bool, Float

OWN = 1.0 - CONSTANT - SLOW
OUTLIER_LEVEL = 0.95
"""Beyond the distance d0 that holds this share of frames' own errors, a frame's own variance grows with
(d / d0)^4, so that one that is far off has no say."""
REWEIGHTINGS = 1
LOST_MM = 400.0
"""Error bars of somebody who is lost are wider (`estimate/lost.py`): such a frame says that somebody is
there, and nothing of how they stand."""
AVERAGE_S = 0.1
"""Time over which stated covariances and visibilities are averaged, to both sides, and what rays and bones
move joints by."""


@dataclass(frozen=True)
class KnownForAFilm:
    """What frames of one film err by together, as relative standard deviations."""

    stature_log: float
    focal_log: float


@dataclass(frozen=True, repr=False)
class Carried:
    """What is known of a person after some frame, so that later frames can go on from there."""

    space: State
    picture: State
    average: Past
    given: Past
    """By how much rays and bones moved joints."""
    points_px: Float[Array, "joint 2"]
    """Where joints were seen, names of limbs mended."""
    exchanges: tuple[Exchange, ...]
    """Where names of limbs were exchanged."""


@dataclass(frozen=True, repr=False)
class SmoothedTrack:
    """A person's frames, and what is carried on from each of them."""

    arrays: TrackArrays
    carried: list[Carried]
    bones: BonesSeen
    """Before they were given their lengths."""


def smooth_track(
    track: TrackArrays,
    known: KnownForAFilm,
    camera: Camera,
    before: Carried | None = None,
    lengths: LengthRecord | None = None,
    ready: int | None = None,
) -> SmoothedTrack:
    """Smooth consecutive frames of one person.

    Args:
        track: times must rise.
        known: what cannot be learned from more frames.
        camera: that sees the person.
        before: of the frame before the first one.
        lengths: what earlier frames say of the person's bones.
        ready: only so many frames are wanted, the later ones only heard; None: all.
    """
    px_per_mm = float(np.median(camera.focal_px / np.maximum(track.root_mm[:, 2], 1.0)))
    last = None if before is None else Before(before.picture, before.points_px, before.exchanges)
    track, exchanges = names_mended(track, px_per_mm, last)
    vary, share = _varying(track, known)
    picture_cov = add_floor(track.cov_px2, SIGMA_FLOOR_PX)
    flat = [a.reshape(len(track), -1) for a in (vary, picture_cov, track.visibility)]
    averaged, past = two_sided(
        np.concatenate(flat, axis=1), track.times_s, AVERAGE_S, before.average if before else None
    )
    ends = np.cumsum([part.shape[1] for part in flat])[:-1]
    even_vary, even_picture, visibility = (
        part.reshape(like.shape)
        for part, like in zip(
            np.split(averaged, ends, axis=1), (vary, picture_cov, track.visibility), strict=True
        )
    )
    values = track.joints_mm.copy()
    values[:, ROOT] = track.root_mm
    seen = _seen(track, before)
    space = _filtered(track.times_s, values, vary, seen, in_space(), before.space if before else None)
    picture = _filtered(
        track.times_s, track.points_px, picture_cov, seen, in_picture(px_per_mm),
        before.picture if before else None,
    )  # fmt: skip
    told = replace(
        track,
        points_px=picture.values,
        cov_px2=picture.cov + CONSTANT * even_picture,
        visibility=np.clip(visibility, 0.0, 1.0),
    )
    cov = add_floor(space.cov + CONSTANT * even_vary, SIGMA_FLOOR_MM)
    told, bones, given = _in_space(
        told, space.values, cov, vary, share, known, camera, lengths or LengthRecord(),
        before.given if before else None,
    )  # fmt: skip
    here = slice(ready)
    parts = zip(space.filtered, picture.filtered, past, given, track.points_px, strict=True)
    carried = [Carried(*part, exchanges) for part in parts][here]
    return SmoothedTrack(told.take(here), carried, bones)


def _varying(
    track: TrackArrays, known: KnownForAFilm
) -> tuple[Float[Array, "time joint 3 3"], Float[Array, "time joint"]]:
    """Covariances of joints, and of the root in its row, less what the whole film has in common; and the part
    of the stature's variance that was in each."""
    cov = add_floor(track.cov_mm2, SIGMA_FLOOR_MM)
    vary, share = without_known(cov, track.joints_mm, known.stature_log)
    root, root_share = without_known(track.root_cov_mm2, track.root_mm, known.stature_log)
    if known.focal_log > 0:
        root, _ = without_known(root, track.root_mm * (0.0, 0.0, 1.0), known.focal_log)
    vary[:, ROOT], share[:, ROOT] = root, root_share
    return vary, share


def _seen(track: TrackArrays, before: Carried | None) -> Bool[Array, " time"]:
    """Frames that say how the person stands; all, where none does and none did before."""
    sigma = np.sqrt(np.trace(track.cov_mm2, axis1=-2, axis2=-1) / 3)
    seen = np.asarray(np.median(sigma, axis=1) < LOST_MM) & ~track.predicted
    return seen if before is not None or seen.any() else ~seen


def _filtered(
    times_s: Float[Array, " time"],
    values: Float[Array, "time point dims"],
    cov: Float[Array, "time point dims dims"],
    seen: Bool[Array, " time"],
    dynamics: Dynamics,
    before: State | None,
) -> Smoothed:
    """Kalman smoothing with frames that do not fit their neighbours weighing less."""
    dims = values.shape[-1]
    known = np.broadcast_to(seen[:, None], values.shape[:2])
    shared = np.sqrt(SLOW) * np.linalg.cholesky(cov)
    inverse = np.linalg.inv(cov)
    far = OWN * chi2_radius(OUTLIER_LEVEL, dims) ** 2
    weight = np.ones(values.shape[:2])
    own = OWN * cov
    for _ in range(REWEIGHTINGS):
        heard = Observations(times_s, values, own / weight[..., None, None], shared, known)
        told = smooth(heard, dynamics, before, covariances=False)
        rest = values - told.values - (shared @ told.shared[..., None])[..., 0]
        squared = np.where(known, (rest * (inverse @ rest[..., None])[..., 0]).sum(-1), 0.0)
        weight = np.minimum(1.0, far / np.maximum(squared, far)) ** 2
    return smooth(
        Observations(times_s, values, own / weight[..., None, None], shared, known), dynamics, before
    )


def _in_space(
    track: TrackArrays,
    values: Float[Array, "time joint 3"],
    cov: Float[Array, "time joint 3 3"],
    before: Float[Array, "time joint 3 3"],
    share: Float[Array, "time joint"],
    known: KnownForAFilm,
    camera: Camera,
    lengths: LengthRecord,
    given: Past | None,
) -> tuple[TrackArrays, BonesSeen, list[Past]]:
    """Joints with the person's bone lengths, factors that fit the new covariances, and the root.

    Where a limb lies across the view, bones move joints along the depth by leaps, and points in the
    picture tremble more than joints; so what both move joints by is averaged over neighbouring frames.
    """
    joints, cov, before = values.copy(), cov.copy(), before.copy()
    root_mm, root_cov = values[:, ROOT], cov[:, ROOT].copy()
    joints[:, ROOT] = 0.0
    start = joints
    joints, root_mm = onto_rays(joints, root_mm, track.points_px, camera, ROOT)
    cov[:, ROOT] = before[:, ROOT] = SIGMA_FLOOR_MM**2 * np.eye(3)
    factors = _carried_over(_without_stature(track, share, known), before, cov)
    bones = bones_of(joints, cov, factors)
    constant = lengths.lengths_with(bones, CONSTANT)
    free = along_rays(joints, root_mm)
    moved, new_cov, new_factors = keep_lengths(joints, cov, factors, constant, free)
    flat = (moved - start).reshape(len(track), -1)
    even, past = two_sided(flat, track.times_s, AVERAGE_S, given)
    # evenly given bones are no longer quite of their length: as they err, which is little
    freely = np.broadcast_to(np.eye(3), free.shape)
    joints, _, _ = keep_lengths(start + even.reshape(joints.shape), cov, factors, constant, freely)
    cov, factors = new_cov, new_factors
    by_stature = known.stature_log * np.sqrt(share)[..., None, None] * joints[..., None]
    cov = cov + by_stature @ np.swapaxes(by_stature, -1, -2)
    factors = np.concatenate((factors, by_stature), axis=-1)
    joints[:, ROOT], cov[:, ROOT], factors[:, ROOT] = 0.0, track.cov_mm2[:, ROOT], 0.0
    root_cov = root_cov + _outer(known.stature_log * np.sqrt(share[:, ROOT])[:, None] * root_mm)
    root_cov = root_cov + _outer(known.focal_log * root_mm * (0.0, 0.0, 1.0))
    smoothed = replace(
        track, joints_mm=joints, cov_mm2=cov, factors_mm=factors, root_mm=root_mm, root_cov_mm2=root_cov
    )
    return smoothed, bones, past


def _without_stature(
    track: TrackArrays, share: Float[Array, "time joint"], known: KnownForAFilm
) -> Float[Array, "time joint 3 rank"]:
    """Factors less what the whole film has in common, which their last column, the scale, holds."""
    scale = track.factors_mm[..., -1:]
    size = np.linalg.norm(track.joints_mm, axis=-1)
    stated = np.linalg.norm(scale, axis=-2).sum(-1) / np.maximum(size, 1e-6)
    rest = np.sqrt(np.maximum(stated**2 - share * known.stature_log**2, 0.0)) / np.maximum(stated, 1e-12)
    return np.concatenate((track.factors_mm[..., :-1], scale * rest[..., None, None]), axis=-1)


def _carried_over(
    factors: Float[Array, "time joint 3 rank"],
    before: Float[Array, "time joint 3 3"],
    after: Float[Array, "time joint 3 3"],
) -> Float[Array, "time joint 3 rank"]:
    """Factors of joints whose covariances have changed: with R = L L^T and R' = L' L'^T those of L' L^-1 F,
    so that as much of each joint's error is shared as before.

    Where they hold more than the covariance itself (they should not), they are shortened.
    """
    white = np.linalg.solve(np.linalg.cholesky(before), factors)
    held = white @ np.swapaxes(white, -1, -2)
    too_much = np.trace(held, axis1=-2, axis2=-1) > 1.0  # else no eigenvalue can be
    if too_much.any():
        most = np.linalg.eigvalsh(held[too_much])[..., -1]
        white[too_much] /= np.sqrt(np.maximum(most, 1.0))[..., None, None]
    return np.linalg.cholesky(after) @ white


def _outer(vectors: Float[Array, "time 3"]) -> Float[Array, "time 3 3"]:
    return vectors[:, :, None] * vectors[:, None, :]
