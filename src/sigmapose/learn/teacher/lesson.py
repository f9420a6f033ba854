"""What teachers say, and what every teacher is.

Frame of reference: the upright crop frame of `learn.networks.phi`, of the crop that each row names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol, Self

import numpy as np
from jaxtyping import Bool, Float

from sigmapose.errors import DataError
from sigmapose.learn.data.samples import FLIP, PictureFeatures
from sigmapose.learn.networks.phi import ROOT

_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, repr=False)
class Lesson:
    """A teacher's Gaussian for every sample, crop widths."""

    id: np.ndarray
    """(sample,) names, as in `PictureFeatures.id`."""
    centre_px: Float[np.ndarray, "sample 2"]
    size_px: Float[np.ndarray, " sample"]
    """The crop that everything below is relative to."""
    points: Float[np.ndarray, "sample 26 2"]
    points_cov: Float[np.ndarray, "sample 26 2 2"]
    depth: Float[np.ndarray, "sample 26"]
    """Relative to the root, which is 0."""
    cov: Float[np.ndarray, "sample 26 3 3"]
    """Of (u - u_root, v - v_root, depth)."""
    log_stature: Float[np.ndarray, "sample 2"]
    """Mean and standard deviation of ln(standing height in crop widths at the root)."""
    kept: Bool[np.ndarray, " sample"]
    """Whether the teacher stands by its answer."""

    def __len__(self) -> int:
        return len(self.id)

    def __repr__(self) -> str:
        return f"Lesson({len(self)} samples, {int(self.kept.sum())} kept)"

    @property
    def relative(self) -> Float[np.ndarray, "sample 26 3"]:
        """Mean of (u - u_root, v - v_root, depth)."""
        planar = self.points - self.points[:, ROOT, None]
        return np.concatenate((planar, self.depth[..., None]), -1)

    @property
    def statures(self) -> Float[np.ndarray, "sample 26 3"]:
        """`relative` in standing heights: does not depend on the crop."""
        return self.relative / np.exp(self.log_stature[:, 0])[:, None, None]

    def take(self, rows: np.ndarray) -> Self:
        """Some of the samples."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def rows_of(self, ids: Sequence[str] | np.ndarray) -> np.ndarray:
        """Row of each name; -1 where the lesson has none.

        Raises:
            DataError: the lesson says two things of one sample.
        """
        row = {name: k for k, name in enumerate(self.id.tolist())}
        if len(row) != len(self):
            raise DataError("a lesson has two rows of one id: teach folders with different ids one by one")
        return np.array([row.get(str(name), -1) for name in ids], np.int64)

    def mirrored(self, image_width_px: Float[np.ndarray, " sample"]) -> Lesson:
        """What the samples show in a mirror, as `sigmapose.learn.data.features` mirrors them; NaN width: the
        mirror stands at the crop's centre."""
        centre = self.centre_px.copy()
        wide = np.isfinite(image_width_px)
        centre[wide, 0] = image_width_px[wide] - 1 - centre[wide, 0]
        return replace(
            self,
            centre_px=centre,
            points=self.points[:, FLIP] * _MIRROR[:2],
            points_cov=self.points_cov[:, FLIP] * np.outer(_MIRROR, _MIRROR)[:2, :2],
            depth=self.depth[:, FLIP],
            cov=self.cov[:, FLIP] * np.outer(_MIRROR, _MIRROR),
        )


class Teacher(Protocol):
    """Fixed weights; says what samples show that nobody annotated."""

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        """What these samples show, one row each, in their order.

        Args:
            clean: features of the pictures without anything in front of the people.
            mirrored: of the same pictures in a mirror; matched by id.
        """
        ...
