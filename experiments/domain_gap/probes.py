"""Changed pictures of people: what a network answers to them tells which property of renders matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from experiments.domain_gap.people import Person
from sigmapose.bench.paste import silhouette
from sigmapose.estimate.crop import CROP_PX
from sigmapose.skeleton import BODY_26


def _body_mask(person: Person) -> np.ndarray:
    mask = silhouette(person.outline, BODY_26.joints, (CROP_PX, CROP_PX)).astype(np.float32)
    return cv2.GaussianBlur(mask, (0, 0), 1.5)[..., None]


def _scene_only(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Person], np.ndarray]:
    def apply(person: Person) -> np.ndarray:
        mask = _body_mask(person)
        return person.picture * mask + change(person.picture.astype(np.float32)) * (1 - mask)

    return apply


def _filled(person: Person) -> np.ndarray:
    """The black beyond the picture's border filled from what is near."""
    if person.inside.all():
        return person.picture
    beyond = (~person.inside).astype(np.uint8)
    return cv2.inpaint(person.picture, beyond, 3, cv2.INPAINT_TELEA)


def _noisy(person: Person) -> np.ndarray:
    rng = np.random.default_rng(int(person.picture.astype(np.int64).sum()))
    return person.picture + rng.normal(0, 8, person.picture.shape)


def _grey(picture: np.ndarray, share: float = 0.6) -> np.ndarray:
    return picture + share * (picture.mean(-1, keepdims=True) - picture)


_CHANGES: dict[str, Callable[[Person], np.ndarray]] = {
    "as it is": lambda p: p.picture,
    "blurred, 1 px": lambda p: cv2.GaussianBlur(p.picture, (0, 0), 1.0),
    "noise of 8": _noisy,
    "colours 60 % weaker": lambda p: _grey(p.picture.astype(np.float32)),
    "contrast 40 % weaker": lambda p: 0.6 * (p.picture - p.picture.mean((0, 1))) + p.picture.mean((0, 1)),
    "contrast 40 % stronger": lambda p: 1.4 * (p.picture - p.picture.mean((0, 1))) + p.picture.mean((0, 1)),
    "scene blurred, 3 px": _scene_only(lambda x: cv2.GaussianBlur(x, (0, 0), 3.0)),
    "scene plain": _scene_only(lambda x: np.broadcast_to(x.mean((0, 1)), x.shape)),
    "black border filled": _filled,
}


def _changed(change: Callable[[Person], np.ndarray], person: Person) -> Person:
    return replace(person, picture=np.clip(np.rint(change(person)), 0, 255).astype(np.uint8))


PROBES: dict[str, Callable[[Person], Person]] = {
    name: partial(_changed, change) for name, change in _CHANGES.items()
}
"""Each gives the same person in another picture."""
