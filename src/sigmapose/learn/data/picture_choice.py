"""Which pictures Φ learns from: those on which Θ errs about as it does on film.

Θ errs by 76 mm on clean renders on average and by 33 mm on film (experiments/log.md). A network taught on
all renders learns to move points that are right. The rule is a selection: pictures on which Θ's joints in
view are further off than a limit, on average, are left out for that encoder; `Augmentation.sharpen` moves the
rest towards the truth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sigmapose.learn.data.samples import IN_ENCODER, OBJECT_OCCLUDED, SELF_OCCLUDED, PictureFeatures
from sigmapose.learn.networks.tokens import POINT
from sigmapose.shapes import Array, Float

LARGEST_ERROR = {"everyday": 0.03, "anything": 0.06}
"""Crop widths, by distribution; the worst case stays in the training, its plain mistakes do not."""
BEHIND_THINGS, MORE_BEHIND_THINGS = 3, 2.0
"""From so many joints behind objects on, the limit is that many times as large: so is Θ's error on film."""
LEAST_IN_VIEW = 4
"""Joints that must be in view before a picture is left out."""


def error_in_view(pictures: PictureFeatures, encoder: str) -> Float[Array, " sample"]:
    """Mean distance (crop widths) of an encoder's joints in view from the truth; NaN where too few are."""
    truth = (pictures.views.points_px - pictures.centre_px[:, None]) / pictures.size_px[:, None, None]
    off = np.linalg.norm(pictures.tokens[encoder][..., POINT] - truth, axis=-1)
    in_view = (pictures.views.visibility >= 0) & (pictures.views.visibility <= SELF_OCCLUDED) & IN_ENCODER
    count = in_view.sum(1)
    mean = np.where(in_view, off, 0.0).sum(1) / np.maximum(count, 1)
    return np.where(count >= LEAST_IN_VIEW, mean, np.nan)


def well_seen(
    pictures: PictureFeatures,
    largest_error: dict[str, float] | None = None,
    more_behind_things: float = MORE_BEHIND_THINGS,
) -> PictureFeatures:
    """The same pictures, each valid for an encoder only where that one's error in view is within the limit of
    its distribution. Pictures of which nothing is known (nobody annotated them, no joint in view) stay.

    Args:
        largest_error: limits by distribution, crop widths.
        more_behind_things: factor on them for people behind things; infinity keeps all of those, since error
            bars must be right where Θ fails because it sees little.
    """
    limits = LARGEST_ERROR if largest_error is None else largest_error
    most = np.array([limits.get(name, np.inf) for name in pictures.people.tolist()])
    behind = (pictures.views.visibility == OBJECT_OCCLUDED).sum(1) >= BEHIND_THINGS
    most = np.where(behind, more_behind_things * most, most)
    valid = {}
    for name, before in pictures.valid.items():
        error = error_in_view(pictures, name)
        valid[name] = before & ~(pictures.annotated & (error > most))
    return replace(pictures, valid=valid)
