"""Parts of annotated data, and annotated and taught data together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from jaxtyping import Bool, Float

from sigmapose.errors import DataError
from sigmapose.learn.data.samples import PER_SAMPLE, PictureFeatures, ViewLabels
from sigmapose.learn.networks.tokens import JOINTS, TOKEN_FEATURES


def _unit(text: str) -> float:
    """A number in 0..1 that depends on the text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def in_fraction(
    ids: Sequence[str] | np.ndarray, subjects: Sequence[str] | np.ndarray, fraction: float, seed: int = 0
) -> Bool[np.ndarray, " sample"]:
    """Which samples belong to a part of all, that fraction of every subject's.

    The part of a smaller fraction lies inside that of a larger one, and who belongs depends on the samples'
    names and the seed, not on their order. Subjects with few samples give one by chance.

    Raises:
        DataError: fraction outside 0..1, or names that are not one for each subject.
    """
    if not 0 <= fraction <= 1:
        raise DataError(f"fraction {fraction} of the samples: give 0 to 1")
    if len(ids) != len(subjects):
        raise DataError(f"{len(ids)} names but {len(subjects)} subjects: give one for each sample")
    names, order = np.asarray(subjects).astype(str), np.array([_unit(f"{seed}/{i}") for i in ids])
    chosen = np.zeros(len(order), dtype=bool)
    for subject in np.unique(names):
        rows = np.flatnonzero(names == subject)
        rank = np.empty(len(rows))
        rank[np.argsort(order[rows], kind="stable")] = np.arange(len(rows))
        chosen[rows] = (rank + _unit(f"{seed}//{subject}")) / len(rows) < fraction
    return chosen


def take_fraction(pictures: PictureFeatures, fraction: float, seed: int = 0) -> PictureFeatures:
    """That part of the samples, see `in_fraction`; a mirrored picture goes with its original.

    Raises:
        DataError: see `in_fraction`, or nothing is left.
    """
    ids, first, back = np.unique(pictures.id.astype(str), return_index=True, return_inverse=True)
    rows = np.flatnonzero(in_fraction(ids, pictures.subject[first], fraction, seed)[back])
    if not len(rows):
        raise DataError(f"{fraction:g} of {len(pictures)} samples is none: give a larger fraction")
    return pictures.take(rows)


def mix(
    annotated: PictureFeatures, taught: PictureFeatures, fraction: float = 1.0, seed: int = 0
) -> PictureFeatures:
    """A part of the annotated samples beside all the taught ones.

    Args:
        annotated: samples with the truth.
        taught: samples of which a teacher says what they show.
        fraction: of the annotated samples that is used, see `in_fraction`.
        seed: of the choice.
    """
    return join([take_fraction(annotated, fraction, seed), taught])


def join(parts: Sequence[PictureFeatures]) -> PictureFeatures:
    """Pictures one after the other; an encoder that saw only some of them is not valid for the rest.

    Raises:
        DataError: no parts, or an encoder that has image features in one part and not in another.
    """
    if not parts:
        raise DataError("no pictures to join: give at least one set")
    if len(parts) == 1:
        return parts[0]
    encoders = list(dict.fromkeys(name for part in parts for name in part.tokens))
    for name in encoders:
        if len({name in part.image for part in parts if name in part.tokens}) == 2:
            raise DataError(
                f"encoder {name!r} has image features of some pictures only: extract them of all, or of none"
            )
    views = ViewLabels(
        **{f.name: np.concatenate([getattr(p.views, f.name) for p in parts]) for f in fields(ViewLabels)}
    )
    return replace(
        parts[0],
        views=views,
        tokens={name: np.concatenate([_tokens(part, name) for part in parts]) for name in encoders},
        valid={name: np.concatenate([_valid(part, name) for part in parts]) for name in encoders},
        image={
            name: (_image(parts, name, 0), _image(parts, name, 1))
            for name in encoders
            if any(name in part.image for part in parts)
        },
        teacher_cov=_teacher_cov(parts),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_SAMPLE},
    )


def _tokens(part: PictureFeatures, name: str) -> Float[np.ndarray, "sample 26 16"]:
    missing = np.full((len(part), JOINTS, TOKEN_FEATURES), np.nan, np.float32)
    return part.tokens.get(name, missing)


def _valid(part: PictureFeatures, name: str) -> Bool[np.ndarray, " sample"]:
    return part.valid.get(name, np.zeros(len(part), dtype=bool))


def _image(parts: Sequence[PictureFeatures], name: str, which: int) -> np.ndarray:
    like = next(part.image[name][which] for part in parts if name in part.image)
    return np.concatenate(
        [
            part.image[name][which]
            if name in part.image
            else np.zeros((len(part), *like.shape[1:]), like.dtype)
            for part in parts
        ]
    )


def _teacher_cov(parts: Sequence[PictureFeatures]) -> Float[np.ndarray, "sample 26 3 3"] | None:
    if all(part.teacher_cov is None for part in parts):
        return None
    return np.concatenate(
        [
            np.zeros((len(part), JOINTS, 3, 3), np.float32) if part.teacher_cov is None else part.teacher_cov
            for part in parts
        ]
    )
