"""What the networks are told besides the crop: its place in the picture, the focal length, the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sigmapose.shapes import Array, Bool, Float

ENCODERS = ("none", "lite", "full", "heavy")
ENTRIES = (
    *("place_x", "place_y", "image_known", "extent", "angle", "focal_known", "tangent_x", "tangent_y"),
    *ENCODERS,
)
"""Of a row of context. `place_*`: the crop's centre from the principal point, in `PLACE_SCALE` crop widths.
`extent`: logarithm of the picture's longer side in crop widths. `angle`: of a crop width, radians.
`tangent_*`: of the direction to the crop's centre. The encoder that saw the crop has a 1."""
CONTEXT_FEATURES = len(ENTRIES)
ENCODER_ENTRIES = slice(ENTRIES.index("none"), CONTEXT_FEATURES)
MIRRORED_ENTRIES = [ENTRIES.index(name) for name in ("place_x", "tangent_x")]
"""Entries whose sign a mirror changes."""
PLACE_SCALE = 4.0
_PLACE_X, _TANGENT_X = 0, 6
"""Columns of a context row that change their sign in a mirror."""
PLACE_CLIP = 3.0


def crop_context(
    centre_px: Float[Array, "batch 2"],
    size_px: Float[Array, " batch"],
    *,
    image_size: Float[Array, "batch 2"],
    principal_px: Float[Array, "batch 2"],
    focal_px: Float[Array, " batch"],
    image_known: Bool[Array, " batch"],
    focal_known: Bool[Array, " batch"],
    encoder: Sequence[str] | Array,
) -> Float[Array, "batch 12"]:
    """Context rows for Φ. What is unknown is zero with a zero flag, never a guess."""
    size = np.asarray(size_px, dtype=np.float64)
    image = np.asarray(image_known, dtype=np.float64)
    focal = np.asarray(focal_known, dtype=np.float64)
    place = np.clip((centre_px - principal_px) / size[:, None] / PLACE_SCALE, -PLACE_CLIP, PLACE_CLIP)
    tangent = np.clip((centre_px - principal_px) / np.asarray(focal_px)[:, None], -PLACE_CLIP, PLACE_CLIP)
    extent = np.log(np.maximum(image_size.max(axis=1), 1.0) / size)
    one_hot = (np.asarray(encoder)[:, None] == np.array(ENCODERS)).astype(np.float64)
    return np.concatenate(
        (
            place * image[:, None],
            image[:, None],
            (extent * image)[:, None],
            (np.clip(size / focal_px, 0.0, PLACE_CLIP) * focal)[:, None],
            focal[:, None],
            tangent * focal[:, None],
            one_hot,
        ),
        axis=1,
    ).astype(np.float32)


def mirrored_context(context: Float[Array, "batch 12"]) -> Float[Array, "batch 12"]:
    """Context rows of the same crops in the mirror image of their pictures."""
    sign = np.ones(CONTEXT_FEATURES, dtype=context.dtype)
    sign[[_PLACE_X, _TANGENT_X]] = -1
    return context * sign
