"""What is said of evidence that lies, where the right answer is known.

Rendered validation people, plainly seen, whose pictures or keypoints are spoilt in one way each; and
pictures without anybody. Does the answer say how far off it is? What counts is how many joints are vouched
for (their 90 % region reaches 100 mm at most), and how many of those are wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

import sigmapose
from sigmapose.bench.crops import camera_of, look_at
from sigmapose.bench.methods import chosen_joints, from_poses
from sigmapose.bench.synth_occ import INDEX, JOINTS, LAYOUT
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shard_reader import read_shards
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.estimate.estimator import Estimator
from sigmapose.evaluate.frames import Predictions, Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.io.images import read_image
from sigmapose.pose import Pose
from sigmapose.skeleton import BODY_26, COCO_17, VISIBILITY, joint_map

PLAIN = 0.02
"""Largest part of a person that things hide who counts as plainly seen."""
BATCH = 16
NOISE = 0.01
"""Standard deviation of keypoints, person sizes."""
HIDDEN, CUT = VISIBILITY.index("object_occluded"), VISIBILITY.index("truncated")
COLUMNS = ("mpjpe_mm", "coverage_90", "wrong_rate", "confident_rate", "false_positive_rate", "auroc_100mm")
TO_COCO = joint_map(BODY_26, COCO_17)


@dataclass(frozen=True)
class Adversarial:
    """People, pictures without any, and who is asked."""

    pictures: Path
    """Shards of rendered validation people, of `film-data`."""
    nobody: tuple[Path, ...] = ()
    """Folders of photos that show nobody."""
    model: str = "heavy"
    count: int = 128
    seed: int = 0


@dataclass(frozen=True, repr=False, eq=False)
class Spoilt:
    """People as they are shown, and the truth of what is shown."""

    samples: list[Sample]
    keypoints: np.ndarray | None = None
    """(person, 17, 2) COCO keypoints in place of the picture."""


Case = Callable[[list[Sample], np.random.Generator], Spoilt]


def as_they_are(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """The control."""
    return Spoilt(samples)


def shown(sample: Sample, pixels: np.ndarray, **changes: object) -> Sample:
    """The sample with another picture, and other truth."""
    data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()
    return replace(sample, picture=Picture.of_bytes(data), **changes)  # type: ignore[arg-type]


def pixels_of(sample: Sample) -> np.ndarray:
    """(256, 256, 3) the stored crop."""
    return np.round(255 * look_at(sample)[0]).astype(np.uint8)


def in_crop(sample: Sample) -> np.ndarray:
    """(26, 2) true joints in the pixels of the crop."""
    return sample.points_in_picture(256)


def upside_down(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """The camera is held upside down."""
    return Spoilt([_turned(sample) for sample in samples])


def _turned(sample: Sample) -> Sample:
    camera, crop = sample.camera, sample.crop
    assert camera is not None and crop is not None
    assert sample.joints_mm is not None and sample.points_px is not None
    corner = np.array([camera.width - 1, camera.height - 1])
    turned = replace(camera, cx=corner[0] - camera.cx, cy=corner[1] - camera.cy)
    return shown(
        sample,
        np.ascontiguousarray(pixels_of(sample)[::-1, ::-1]),
        camera=turned,
        crop=np.concatenate((corner - crop[:2], crop[2:])),
        points_px=corner - sample.points_px,
        joints_mm=sample.joints_mm * [-1.0, -1.0, 1.0],
    )


def cut_at_the_hips(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """The picture ends above the knees."""
    return Spoilt([_without_below(sample, "mid_hip", CUT, None) for sample in samples])


def behind_a_board(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """A plain board hides all below the shoulders."""
    return Spoilt([_without_below(sample, "neck", HIDDEN, rng.integers(60, 200, 3)) for sample in samples])


def _without_below(sample: Sample, joint: str, visibility: int, colour: np.ndarray | None) -> Sample:
    pixels, at = pixels_of(sample), in_crop(sample)
    row = int(np.clip(at[BODY_26.index(joint), 1] + 8, 0, 255))
    pixels[row:] = 0 if colour is None else colour
    assert sample.visibility is not None
    gone = np.where(at[:, 1] >= row, visibility, sample.visibility)
    return shown(sample, pixels, visibility=gone)


def half_somebody_else(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """Somebody else stands in front of one half."""
    others = np.roll(np.arange(len(samples)), 1)
    return Spoilt([_beside(sample, samples[other]) for sample, other in zip(samples, others, strict=True)])


def _beside(sample: Sample, other: Sample) -> Sample:
    pixels, at = pixels_of(sample), in_crop(sample)
    column = int(np.clip(at[BODY_26.index("mid_hip"), 0], 1, 255))
    pixels[:, column:] = pixels_of(other)[:, column:]
    assert sample.visibility is not None
    gone = np.where(at[:, 0] >= column, HIDDEN, sample.visibility)
    return shown(sample, pixels, visibility=gone)


def points_of(samples: Sequence[Sample], rng: np.random.Generator) -> np.ndarray:
    """(person, 17, 2) COCO keypoints with the noise of a good detector."""
    exact = np.stack([TO_COCO.apply(s.points_px)[0] for s in samples if s.points_px is not None])
    size = np.ptp(exact, axis=1).max(-1)
    return exact + NOISE * size[:, None, None] * rng.normal(size=exact.shape)


def detected(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """Keypoints, the control."""
    return Spoilt(samples, points_of(samples, rng))


def exchanged(*names: str) -> Case:
    """Left and right of these keypoints exchanged; of none named: of all."""

    def spoil(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
        points = points_of(samples, rng)
        taken = [j for j, name in enumerate(COCO_17.joints) if not names or name.endswith(names)]
        points[:, taken] = points[:, [COCO_17.flip[j] for j in taken]]
        return Spoilt(samples, points)

    return spoil


def limb_of_another(samples: list[Sample], rng: np.random.Generator) -> Spoilt:
    """One leg's keypoints are somebody else's."""
    points = points_of(samples, rng)
    hip, knee, ankle = (COCO_17.index(f"left_{name}") for name in ("hip", "knee", "ankle"))
    size = np.ptp(points, axis=1).max(-1)[:, None]
    limb = (points[:, [knee, ankle]] - points[:, [hip]]) / size[:, None]
    points[:, [knee, ankle]] = points[:, [hip]] + np.roll(limb, 1, axis=0) * size[:, None]
    return Spoilt(samples, points)


PICTURES: dict[str, Case] = {
    "as they are": as_they_are,
    "upside down": upside_down,
    "cut at the hips": cut_at_the_hips,
    "behind a board": behind_a_board,
    "half somebody else": half_somebody_else,
}
KEYPOINTS: dict[str, Case] = {
    "as detected": detected,
    "legs exchanged": exchanged("knee", "ankle"),
    "arms exchanged": exchanged("elbow", "wrist"),
    "sides exchanged": exchanged(),
    "a leg of another": limb_of_another,
}


def asked(estimator: Estimator, spoilt: Spoilt) -> list[Pose]:
    """What is said of everybody."""
    cameras = [camera_of(sample, told=False) for sample in spoilt.samples]
    if spoilt.keypoints is not None:
        sizes = [(camera.width, camera.height) for camera in cameras]
        some = zip(spoilt.keypoints, sizes, strict=True)
        return [sigmapose.lift_batch(points[None], image_size=size)[0] for points, size in some]
    poses: list[Pose] = []
    for begin in range(0, len(cameras), BATCH):
        rows = slice(begin, begin + BATCH)
        looks = [look_at(sample) for sample in spoilt.samples[rows]]
        pixels, crops = np.stack([p for p, _ in looks]), [c for _, c in looks]
        poses += estimator.in_crops(pixels, crops, cameras[rows])[0]
    return poses


def truth_of(samples: Sequence[Sample]) -> Truth:
    """The joints that are compared."""
    joints = np.stack([s.joints_mm[INDEX] for s in samples if s.joints_mm is not None])
    visibility = np.stack([s.visibility[INDEX] for s in samples if s.visibility is not None])
    return Truth(
        [s.id for s in samples], joints, [f"{s.subject}/{s.clip}" for s in samples], visibility=visibility
    )


def line(title: str, spoilt: Spoilt, said: Predictions) -> str:
    """One row of the table."""
    judge = Judge(LAYOUT, samples=0)
    judge.add(truth_of(spoilt.samples), {"sigmapose": said})
    row = judge.results("adversarial", "").methods["sigmapose"]
    values = (row.get(name) for name in COLUMNS)
    told = "  ".join("      -" if v is None else f"{v:7.1f}" if v > 2 else f"{v:7.3f}" for v in values)
    return f"{title:20s} {len(spoilt.samples):5d}  {told}\n"


def nobody(estimator: Estimator, folder: Path) -> str:
    """How many pictures without people have somebody in them, and somebody with a joint vouched for."""
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png", ".tif"))
    if not files:
        raise DataError(f"no pictures in '{folder}': give a folder of photos")
    found = [estimator(read_image(file)) for file in files]
    everyone = chosen_joints(BODY_26, JOINTS)
    vouched = sum(any(_vouched(from_poses([pose], everyone)) for pose in poses) for poses in found)
    somebody = sum(map(bool, found))
    return f"{folder.name}: {len(files)} pictures, somebody in {somebody}, joints vouched for in {vouched}\n"


def _vouched(said: Predictions) -> bool:
    judge = Judge(LAYOUT, samples=0)
    judge.add(Truth(["0"], said.joints_mm, ["0"]), {"sigmapose": said})
    return bool(judge.results("nobody", "").methods["sigmapose"].get("confident_rate"))


def main(options: Adversarial) -> None:
    """Print a line for every case."""
    people = [
        sample
        for sample in read_shards(options.pictures, split=Split.VAL)
        if float(sample.facts["occluded_fraction"]) <= PLAIN
    ][: options.count]
    if not people:
        raise DataError(f"nobody plainly seen in '{options.pictures}': make pictures with film-data")
    estimator = sigmapose.load(options.model, people=1)
    everyone = chosen_joints(BODY_26, JOINTS)
    sys.stdout.write(f"{'':20s} {'':5s}  {'  '.join(COLUMNS)}\n")
    for title, spoil in {**PICTURES, **KEYPOINTS}.items():
        spoilt = spoil(people, np.random.default_rng(options.seed))
        sys.stdout.write(line(title, spoilt, from_poses(asked(estimator, spoilt), everyone)))
        sys.stdout.flush()
    for folder in options.nobody:
        sys.stdout.write(nobody(estimator, folder))
