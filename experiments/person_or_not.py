"""The weights of the person score: a logistic regression on what the networks say of photographs of people
and of pictures in which there is nobody.

python -m experiments person-score --people DIR --nobody DIR [--cutouts DIR] --model heavy

Of each photo of people the surest reading is a person; every sixth is looked at again with the person hidden,
cut off, small, or dark. All candidates of the other pictures are none. Half of the series of photos and of
the pictures are fitted on, the other half is counted.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.errors import DataError
from sigmapose.estimate.api import load
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.person_score import (
    DETECTOR_CLIP,
    DETECTOR_WEIGHT,
    Weights,
    detector_evidence,
    evidence,
)
from sigmapose.estimate.same_person import Reading, readings_of
from sigmapose.io.images import list_images, read_image
from sigmapose.photos.found_people import subject_of
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.synth.render.cutouts import PictureFolder

SPOILT_EVERY = 6
Found = tuple[Float[Array, " 3"], float]
"""Evidence of a candidate, and the detector's score."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.9)


@dataclass(frozen=True)
class PersonScore:
    """Fit the weights of the person score."""

    people: Path
    """Photos of people."""
    nobody: Path
    """Pictures without people."""
    cutouts: Path | None = None
    """Pictures of things with transparency, to hide people behind."""
    model: str = "heavy"
    nobody_weight: float = 3.0
    """A candidate in a picture without people counts so much."""
    limit: int = 2000
    """At most so many photos of people, evenly spread."""


@dataclass(frozen=True)
class Seen:
    """A candidate: `kind` is person, spoilt or nobody."""

    file: str
    kind: str
    evidence: Float[Array, " 3"]
    detected: float
    """The detector's score."""


def main(options: PersonScore) -> None:
    """Look at all pictures, fit on one half, count on the other."""
    seen = look_at_all(load(options.model, threads=1), options)
    x = np.stack([s.evidence for s in seen])
    y = np.array([s.kind != "nobody" for s in seen])
    fit = np.array([fitted_on(s.file) for s in seen])
    if not (y[fit].any() and (~y[fit]).any() and y[~fit].any() and (~y[~fit]).any()):
        raise DataError(f"too few pictures to fit and to check: {y.sum()} people, {(~y).sum()} others found")
    weights = regression(x[fit], y[fit], options.nobody_weight)
    w = np.array([weights.flag, weights.peak, weights.sigma])
    odds = x @ w + weights.constant
    detected = np.array([s.detected for s in seen])
    weight, neutral = detector_term(odds[fit], detected[fit], y[fit], options.nobody_weight)
    score = 1 / (1 + np.exp(-(odds + DETECTOR_WEIGHT * detector_evidence(detected))))
    numbers = ", ".join(f"{v:.2f}" for v in (*w, weights.constant))
    sys.stdout.write(f'"{options.model}": Weights({numbers}),\n')
    sys.stdout.write(f"the detector's term fitted here: weight {weight:.2f}, neutral {neutral:.2f}\n")
    for name, half in (("fit", fit), ("check", ~fit)):
        sys.stdout.write(f"{name}:" + summary(seen, score, half) + "\n")


def look_at_all(estimator: Estimator, options: PersonScore) -> list[Seen]:
    """What there is in all pictures."""
    things = PictureFolder.read(options.cutouts)
    seen: list[Seen] = []
    photos = list_images(options.people)
    for number, path in enumerate(photos[:: max(len(photos) // options.limit, 1)]):
        image = read_image(path)
        surest = _surest(estimator, image, path.name)
        if surest is None:
            continue
        found, reading = surest
        seen.append(Seen(path.name, "person", *found))
        if number % SPOILT_EVERY == 0:
            spoilt = _surest(estimator, spoil(image, reading, things, _number(path.name)), path.name)
            if spoilt is not None:
                seen.append(Seen(path.name, "spoilt", *spoilt[0]))
    for path in list_images(options.nobody):
        found, _ = candidates(estimator, read_image(path), path.name)
        seen += [Seen(path.name, "nobody", *row) for row in found]
    return seen


def candidates(
    estimator: Estimator, image: UInt8[Array, "h w 3"], name: str
) -> tuple[list[Found], list[Reading]]:
    """Evidence and reading of everybody who may be in a picture; `name` is for messages."""
    found = estimator.candidates(image, Camera.default(image.shape[1], image.shape[0]))
    if found is None:
        return [], []
    rows = evidence(found.said)
    if not np.isfinite(rows).all():
        raise DataError(f"{name}: the network's answer is not finite: leave the picture out")
    told = list(zip(rows, found.detected.tolist(), strict=True))
    return told, readings_of(found.said.opinion, found.crops)


def _surest(estimator: Estimator, image: UInt8[Array, "h w 3"], name: str) -> tuple[Found, Reading] | None:
    found, readings = candidates(estimator, image, name)
    if not readings:
        return None
    row = min(range(len(readings)), key=lambda r: readings[r].sigma)
    return found[row], readings[row]


def spoil(
    image: UInt8[Array, "h w 3"], reading: Reading, things: PictureFolder, seed: int
) -> UInt8[Array, "i j 3"]:
    """The photo with the person hidden in part, cut off, small, or dark and blurred."""
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    low, high = (np.clip(f(reading.points_px, 0), 0, [width, height]) for f in (np.min, np.max))
    span, kind = high - low, int(rng.integers(4))
    if kind == 0 and things.pictures:
        thing = things.pictures[int(rng.integers(len(things.pictures)))]
        scale = max(*span, 8.0) * rng.uniform(0.4, 0.8) / max(thing.shape[:2])
        thing = cv2.resize(thing, None, fx=scale, fy=scale)
        return _pasted(image, thing, low + span * rng.uniform(0.2, 0.8, 2))
    if kind == 1:
        if rng.random() < 0.5:
            return image[: max(int(low[1] + span[1] * rng.uniform(0.45, 0.8)), 60)]
        left, right = max(int(low[0]) - 20, 0), int(low[0] + span[0] * rng.uniform(0.5, 0.8))
        return np.ascontiguousarray(image[:, left : max(right, left + 60)])
    if kind == 2:
        scale = rng.uniform(0.12, 0.3)
        return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 5))
    return (blurred * rng.uniform(0.25, 0.9)).astype(np.uint8)


def _pasted(
    image: UInt8[Array, "h w 3"], thing: UInt8[Array, "i j c"], centre: Float[Array, " 2"]
) -> UInt8[Array, "h w 3"]:
    """`thing`, premultiplied RGBA or opaque RGB, in front of the picture."""
    rows, columns = thing.shape[:2]
    move = np.array([[1.0, 0.0, centre[0] - columns / 2], [0.0, 1.0, centre[1] - rows / 2]])
    opaque = np.full((rows, columns), 255, np.uint8) if thing.shape[2] == 3 else thing[..., 3]
    size = image.shape[1::-1]
    alpha = cv2.warpAffine(opaque, move, size)[..., None] / 255
    return (cv2.warpAffine(thing[..., :3], move, size) + (1 - alpha) * image).clip(0, 255).astype(np.uint8)


def regression(x: Float[Array, "n 3"], y: Bool[Array, " n"], nobody_weight: float) -> Weights:
    """The logistic regression, lightly regularised on standardised evidence."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = x.mean(0), x.std(0)
    model = LogisticRegression().fit((x - mean) / spread, y, np.where(y, 1.0, nobody_weight))
    w = model.coef_[0] / spread
    flag, peak, sigma = w.tolist()
    return Weights(flag, peak, sigma, float(model.intercept_[0] - w @ mean))


def detector_term(
    odds: Float[Array, " n"], detected: Float[Array, " n"], y: Bool[Array, " n"], nobody_weight: float
) -> tuple[float, float]:
    """Weight of the detector's log odds beside given ones, and the score at which they say nothing."""
    from scipy.optimize import minimize

    likely = np.clip(detected, DETECTOR_CLIP, 1 - DETECTOR_CLIP)
    told, counts = np.log(likely / (1 - likely)), np.where(y, 1.0, nobody_weight)

    def loss(term: Float[Array, " 2"]) -> float:
        now = odds + term[0] * (told - term[1])
        return float(counts @ np.logaddexp(0.0, np.where(y, -now, now)))

    weight, neutral = minimize(loss, np.array([0.5, 1.0]), method="Nelder-Mead").x.tolist()
    return weight, 1 / (1 + float(np.exp(-neutral)))


def summary(seen: list[Seen], score: Float[Array, " n"], half: Bool[Array, " n"]) -> str:
    """How many of each kind reach a score."""
    lines = []
    for kind in ("person", "spoilt", "nobody"):
        chosen = {s.file: 0.0 for s, use in zip(seen, half, strict=True) if use and s.kind == kind}
        for s, value in zip(seen, score, strict=True):
            if s.file in chosen and s.kind == kind:
                chosen[s.file] = max(chosen[s.file], float(value))
        best = np.array(list(chosen.values()))
        reached = ", ".join(f"{(best >= t).sum()} >= {t}" for t in THRESHOLDS)
        lines.append(f" {kind}: of {len(best)} pictures with candidates {reached}")
    return ";".join(lines)


def fitted_on(file: str) -> bool:
    """Whether a picture is fitted on; photos of one series stay together."""
    return _number(subject_of(file)) % 2 == 0


def _number(text: str) -> int:
    return int(hashlib.md5(text.encode()).hexdigest()[:8], 16)
