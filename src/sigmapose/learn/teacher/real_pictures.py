"""Photos that nobody annotated, with what a fixed teacher says of them, for training Θ and Φ together.

The student is shown the covered crop of a shard of :mod:`sigmapose.photos.photo_shards`. The teacher
(an encoder and Φ, asked about the clean crop and its mirror image) gives the pose with its covariance, the
teacher's encoder alone the 2D landmarks that Θ is held to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sigmapose.data.sample import Sample
from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import DataError
from sigmapose.learn.data.features import mirror_truth, truth_fields
from sigmapose.learn.data.samples import FLIP, PictureFeatures, load_pictures
from sigmapose.learn.networks.tokens import POINT, PRESENT
from sigmapose.learn.teacher.encoder_teacher import EncoderTeacher
from sigmapose.learn.teacher.lesson import Lesson
from sigmapose.learn.teacher.pseudo_labels import of_each_person, taught

_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True, repr=False)
class RealPictures:
    """The crops of one split that a teacher labelled."""

    library: ShardLibrary
    numbers: np.ndarray
    """(sample,) of the library, ascending."""
    said: PictureFeatures
    """The teacher's answers in the order of ``numbers``, without tokens and image features."""
    landmarks_px: Float[np.ndarray, "sample 26 2"]
    """Where the teacher's encoder sees the joints; Φ's answer for those that no landmark stands for."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"RealPictures({len(self)} of {len(self.library)} crops)"

    def truth(self, row: int, sample: Sample, crop: Float[np.ndarray, " 4"]) -> dict[str, np.ndarray]:
        """Fields of `data.features.truth_fields` that the answer would be the truth of, and ``teacher_cov``
        and ``landmarks_px`` beside them."""
        assert self.said.teacher_cov is not None
        assert self.said.id[row] == sample.id
        views = self.said.views
        depth_mm = views.depth_mm[row] + views.root_depth_mm[row]
        focal_px, principal_px = views.focal_px[row], views.principal_px[row]
        across_mm = (views.points_px[row] - principal_px) * (depth_mm / focal_px)[:, None]
        return {
            **truth_fields(sample, crop),
            "joints_camera_mm": np.concatenate((across_mm, depth_mm[:, None]), 1),
            "points_px": views.points_px[row],
            "stature_mm": views.stature_mm[row],
            "intrinsics": np.array([focal_px, focal_px, *principal_px]),
            "image_size": views.image_size[row],
            "teacher_cov": self.said.teacher_cov[row],
            "landmarks_px": self.landmarks_px[row],
        }


def mirror_taught(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`mirror_truth`, for what a teacher says as well."""
    turned = mirror_truth(truth)
    if "teacher_cov" in truth:
        marks = mirror_truth({**truth, "points_px": truth["landmarks_px"]})["points_px"]
        cov = truth["teacher_cov"][FLIP] * np.outer(_MIRROR, _MIRROR)
        turned |= {"landmarks_px": marks, "teacher_cov": cov}
    return turned


def real_pictures(
    shards: Path, clean: Path, mirrored: Path, teacher: EncoderTeacher, split: str = "train"
) -> RealPictures:
    """The crops of a split that the teacher stands by.

    Args:
        shards: folder of shards of that split, with clean twins.
        clean: features of the clean views by the teacher's encoder.
        mirrored: of the clean views in a mirror.
        teacher: see `EncoderTeacher`.
        split: of the samples.

    Raises:
        DataError: no shards or features, features of other shards, or the teacher keeps nothing.
    """
    seen, turned = load_pictures(clean, split), load_pictures(mirrored, split)
    lesson = teacher.teach(seen, turned)
    marks = replace(lesson, points=encoder_points(lesson, seen, turned, teacher.encoder))
    said = taught(_bare(seen), of_each_person(lesson, seen.id))
    landmarks = taught(_bare(seen), of_each_person(marks, seen.id))
    library = ShardLibrary(shards, split)
    row = {str(name): k for k, name in enumerate(said.id.tolist())}
    numbers = np.array([n for n, name in enumerate(library.ids) if name in row], np.int64)
    order = np.array([row[library.ids[n]] for n in numbers.tolist()], np.int64)
    if len(order) < len(said):
        raise DataError(
            f"{len(said) - len(order)} of {len(said)} crops with features in '{clean}' are not in the shards "
            f"of '{shards}': make the features of these shards"
        )
    return RealPictures(library, numbers, said.take(order), landmarks.views.points_px[order])


def encoder_points(
    lesson: Lesson, seen: PictureFeatures, mirrored: PictureFeatures, encoder: str
) -> Float[np.ndarray, "sample 26 2"]:
    """The encoder's own landmarks in the upright crop frame, mean of both looks; Φ's points where no landmark
    stands for a joint."""
    rows = {str(name): k for k, name in enumerate(mirrored.id.tolist())}
    other = mirrored.tokens[encoder][[rows[str(name)] for name in seen.id.tolist()]]
    tokens = seen.tokens[encoder]
    both = (tokens[..., POINT] + other[:, FLIP, POINT] * _MIRROR[:2]) / 2
    return np.where(tokens[..., PRESENT, None] > 0.5, both, lesson.points)


def _bare(pictures: PictureFeatures) -> PictureFeatures:
    return replace(pictures, tokens={}, valid={}, image={})
