"""Bodies as they are drawn: what is finer than a pixel is left out, and so is what nobody sees.

A crop of 256 pixels shows a whole person, so that a pixel is some 8 mm wide; two thirds of the body model's
triangles are on hands, feet and face, and most of those are smaller. A coarse body has a part of the
vertices, so that it is posed as the fine one is. The classes of joints are decided by the fine body.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.shapes import Array, Int
from sigmapose.synth.render.appearance import FOOT, HAND, HEAD, REST_X, BodyAtlas
from sigmapose.synth.render.simplify import simplify

log = logging.getLogger(__name__)
STORED = Path(__file__).with_name("coarse_body.npz")
TOLERANCE_MM = 2.0
"""About how far the surface may move."""
LONGEST_MM, LONGEST_FINE_MM = 35.0, 30.0
"""No longer edges are made, elsewhere and on head, hands and feet."""


@dataclass(frozen=True, repr=False)
class CoarseBody:
    """A body of fewer triangles."""

    atlas: BodyAtlas
    rows: Int[Array, " vertex"]
    """Its vertices among those of the fine body."""

    def __repr__(self) -> str:
        return f"CoarseBody({len(self.rows)} vertices, {len(self.atlas.faces)} faces)"

    @staticmethod
    def of(atlas: BodyAtlas) -> CoarseBody:
        """From the file for the body model; other topologies take up to some seconds."""
        left = _stored(atlas)
        if left is None:
            left = simplified(atlas)
        rows, corners = np.unique(left[:, :3], return_inverse=True)
        faces = np.ascontiguousarray(corners.reshape(-1, 3), np.int32)
        face = left[:, 3]
        coarse = BodyAtlas(
            faces, atlas.coordinates[rows], atlas.face_part[face], atlas.vertex_part[rows], atlas.eye[face]
        )
        return CoarseBody(coarse, rows)


def simplified(atlas: BodyAtlas) -> Int[Array, "left 4"]:
    """Corners of the triangles that are drawn, and which of the atlas's they were."""
    shown = np.flatnonzero(~atlas.inner) if atlas.inner is not None else np.arange(len(atlas.faces))
    faces, label = atlas.faces[shown], (2 * atlas.face_part + atlas.eye)[shown]
    low, high = np.full(len(atlas.coordinates), 99), np.full(len(atlas.coordinates), -1)
    for k in range(3):
        np.minimum.at(low, faces[:, k], label)
        np.maximum.at(high, faces[:, k], label)
    fine = np.isin(atlas.vertex_part, (HEAD, HAND, FOOT))
    longest = np.where(fine, LONGEST_FINE_MM, LONGEST_MM)
    rest_mm = 1000.0 * atlas.coordinates[:, REST_X:].astype(np.float64)
    # seams between parts stay as they are
    left = simplify(rest_mm, faces, low == high, TOLERANCE_MM, longest)
    left[:, 3] = shown[left[:, 3]]
    return left


def _checksum(atlas: BodyAtlas) -> int:
    """Of the triangles' vertex numbers: whole numbers, the same on every processor."""
    return zlib.crc32(np.ascontiguousarray(atlas.faces, "<i4").tobytes())


def _stored(atlas: BodyAtlas) -> Int[Array, "left 4"] | None:
    if not STORED.exists():
        return None
    with np.load(STORED) as arrays:
        if int(arrays["checksum"]) != _checksum(atlas):
            if len(atlas.faces) == int(arrays["faces"]):
                log.warning("the stored coarse triangles are of another body model: they are made again")
            return None
        return arrays["left"].astype(np.int64)


def store_simplified(atlas: BodyAtlas) -> None:
    """Write over the file of the package."""
    left = simplified(atlas).astype(np.uint16)
    np.savez_compressed(STORED, left=left, checksum=_checksum(atlas), faces=len(atlas.faces))
