"""Short clips with known people for judging who follows them: rendered people who move, photographed people
seen by a moving camera, and things that hide a chosen share of them.

Rendered people are motion capture of *training* subjects; photographs have no labels, so the truth of those
is what the network itself says of the photograph with nothing in front. Both are for building, not for
reporting.

Pictures are uint8 RGB; pixel (0, 0) is the centre of the top-left pixel. A crop is (x, y, size, angle).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from sigmapose.bench.paste import Occlusion, Stand, canvas_silhouette, place, stand_of
from sigmapose.errors import DataError
from sigmapose.estimate.crop import crop_from_landmarks, extract_batch
from sigmapose.io.video import VideoWriter
from sigmapose.shapes import Array, Bool, Float, UInt8
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26
from sigmapose.synth.render.cameras import Views, true_crops

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator
    from sigmapose.synth.people.retarget import Motion

WIDTH, HEIGHT = 640, 480
FPS = 30.0
BLOCK = 25
"""How many frames one occlusion stays."""
MOMENTS = 3
PHOTO_ZOOM = 1.55
"""Photographs are this much larger than would show all of them."""
SURE_FLAG, SURE_PEAK = 0.98, 0.6
ROOT = BODY_26.index("mid_hip")
CAMERA_MM = 4500.0
LEAST_SHOWN = 0.5
"""Share of the joints in the picture from which on somebody counts as being there."""


@dataclass(frozen=True, repr=False)
class Clip:
    """Frames, and where the people in them are; NaN where somebody is not in the picture."""

    name: str
    pictures: tuple[np.ndarray, ...]
    points_px: Float[Array, "frame person joint 2"]
    crops: Float[Array, "frame person 4"]
    joints: tuple[str, ...]
    hides: Bool[Array, " frame"]
    """When things may stand in front of the first person."""

    def __len__(self) -> int:
        return len(self.pictures)

    def __repr__(self) -> str:
        return f"Clip({self.name!r}, {len(self)} frames, {self.crops.shape[1]} people)"


def occlude(clip: Clip, severity: float, seed: int) -> Clip:
    """The clip with things that follow its first person and hide that share (0..1), others every `BLOCK`
    frames.

    The same clip, severity and seed give the same pictures.
    """
    if severity == 0:
        return clip
    pictures = list(clip.pictures)
    for first in range(0, len(clip), BLOCK):
        frames = [
            f
            for f in range(first, min(first + BLOCK, len(clip)))
            if clip.hides[f] and np.isfinite(clip.crops[f, 0]).all()
        ]
        if not frames:
            continue
        stands = {f: _stand(clip, f) for f in frames}
        moments = np.unique(np.linspace(0, len(frames) - 1, MOMENTS).round().astype(int))
        masks = [
            canvas_silhouette(clip.points_px[f, 0], clip.joints, stands[f], (HEIGHT, WIDTH))
            for f in (frames[m] for m in moments)
        ]
        rng = np.random.default_rng([seed, round(1000 * severity), first, *clip.name.encode()])
        shown = np.stack(masks)
        things = place(rng, None, shown, severity) if shown.any() else Occlusion()
        for f in frames:
            pictures[f] = things.paste(pictures[f], stands[f])
    return replace(clip, pictures=tuple(pictures), name=f"{clip.name}-{round(100 * severity):02d}")


def _stand(clip: Clip, frame: int) -> Stand:
    """The person's frame, its size the median of nearby frames'."""
    near = clip.points_px[max(frame - 12, 0) : frame + 13, 0]
    units = [stand_of(p, clip.joints).unit_px for p in near if np.isfinite(p).all()]
    return replace(stand_of(clip.points_px[frame, 0], clip.joints), unit_px=float(np.median(units)))


def photo_clip(
    name: str, photo: UInt8[Array, "h w 3"], estimator: Estimator, seed: int, frames: int
) -> Clip | None:
    """A photograph of one person under a camera that pans, zooms and shakes; None if nobody is found in it
    for sure."""
    from sigmapose.estimate.context import crop_context

    found = estimator.detector(photo)
    if len(found) != 1:
        return None
    crop = found[0].crop
    for _ in range(2):
        context = crop_context(
            np.array([crop.center_px]), np.array([crop.size_px]),
            image_size=np.array([[float(photo.shape[1]), float(photo.shape[0])]]),
            principal_px=np.array([[photo.shape[1] / 2, photo.shape[0] / 2]]), focal_px=np.array([600.0]),
            image_known=np.ones(1, bool), focal_known=np.zeros(1, bool), encoder=[estimator.encoder],
        )  # fmt: skip
        rotation = np.array([[np.cos(crop.angle_rad), np.sin(crop.angle_rad)]])
        _, seen = estimator.network(extract_batch(photo, [crop]), rotation, context)
        points = crop.to_image(seen.landmarks[0, :, :2].astype(float))
        crop = crop_from_landmarks(points[33], points[34])
    if seen.flag.ravel()[0] < SURE_FLAG or seen.heat[0, :33, 2].mean() < SURE_PEAK:
        return None
    ways = _camera_path(photo.shape[:2], np.random.default_rng(seed), frames)
    pictures, moved, crops = [], [], []
    for way in ways:
        pictures.append(cv2.warpAffine(photo, way, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC,
                                       borderMode=cv2.BORDER_REPLICATE))  # fmt: skip
        moved.append(points[:33] @ way[:, :2].T + way[:, 2])
        centre = way[:, :2] @ crop.center_px + way[:, 2]
        zoom, turn = np.hypot(way[0, 0], way[1, 0]), np.arctan2(way[1, 0], way[0, 0])
        crops.append([*centre, crop.size_px * zoom, crop.angle_rad + turn])
    return Clip(name, tuple(pictures), np.array(moved)[:, None], np.array(crops)[:, None],
                BLAZEPOSE_33.joints, np.ones(frames, bool))  # fmt: skip


def _camera_path(shape: tuple[int, ...], rng: np.random.Generator, frames: int) -> Float[Array, "frame 2 3"]:
    """Photo pixels to frame pixels."""
    t, phase = np.arange(frames), rng.uniform(0, 2 * np.pi, 4)
    base = PHOTO_ZOOM * 320 / min(shape)
    zoom = base * (1 + 0.1 * np.sin(2 * np.pi * t / 80 + phase[0]))
    turn = np.radians(3) * np.sin(2 * np.pi * t / 60 + phase[1])
    x = (WIDTH - 1) / 2 + 60 * np.sin(2 * np.pi * t / 55 + phase[2]) + rng.normal(0, 0.6, frames)
    y = (HEIGHT - 1) / 2 + 20 * np.sin(2 * np.pi * t / 70 + phase[3]) + rng.normal(0, 0.6, frames)
    c, s = zoom * np.cos(turn), zoom * np.sin(turn)
    ways = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    shift = np.stack([x, y], -1) - ways @ middle
    return np.concatenate([ways, shift[..., None]], axis=-1)


@dataclass(frozen=True, repr=False)
class CutOutPerson:
    """A rendered person in motion, cut out: pictures of a fixed square around the hips."""

    pictures: UInt8[Array, "frame 256 256 3"]
    alpha: Float[Array, "frame 256 256"]
    points: Float[Array, "frame 26 2"]
    """Widths of the square, the hips at 0."""


def training_motion(mocap: Path, file: str) -> Motion:
    """A recorded motion that may be used for building.

    Raises:
        DataError: motion capture of another split than the training one.
    """
    from sigmapose.data.splits import Split
    from sigmapose.synth.mocap.files import read_clip
    from sigmapose.synth.people.retarget import to_motion

    motion = to_motion(read_clip(mocap / file))
    if motion.clip.split != Split.TRAIN:
        raise DataError(f"{file} is of the {motion.clip.split} split: only training subjects may build this")
    return motion


def render_figure(motion: Motion, start: int, frames: int, seed: int) -> CutOutPerson:
    """One dressed body that goes through a recorded motion, seen by a still camera."""
    from sigmapose.synth.people.body import load_body_model, sample_phenotypes
    from sigmapose.synth.people.retarget import fit
    from sigmapose.synth.render.appearance import BodyAtlas
    from sigmapose.synth.render.cameras import Crops
    from sigmapose.synth.render.studio import SceneRange, Studio

    model, rng = load_body_model(), np.random.default_rng(seed)
    rest = model.rest(np.repeat(sample_phenotypes(1, rng), frames, axis=0))
    rows = np.arange(start, start + frames)
    if rows[-1] >= len(motion.turns):
        raise DataError(f"clip {motion.clip.name} has {len(motion.turns)} frames: {rows[-1] + 1} are needed")
    directions, hinges = (np.repeat(a[None], frames, axis=0) for a in (motion.directions, motion.hinges))
    posed = model.pose(fit(motion.turns[rows], directions, hinges, rest.joints_mm), rest)
    yaw = rng.uniform(-np.pi, np.pi)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    move = np.tile([0.0, 0.0, CAMERA_MM], (frames, 1))
    joints = posed.joints_mm @ turn.T + move[:, None]
    focal = 900.0
    points = joints[..., :2] / joints[..., 2:] * focal + 511.5
    views = Views(np.tile(turn, (frames, 1, 1)), move, np.full(frames, focal), np.full((frames, 2), 511.5),
                  np.full((frames, 2), 1024), joints, points)  # fmt: skip
    size = float(true_crops(points).size_px.max())
    crops = Crops(points[:, ROOT], np.full(frames, size), np.zeros(frames))
    studio, scene_seed = Studio(BodyAtlas.load(), scene=SceneRange(clean=True)), int(rng.integers(2**31))
    pictures, alpha = [], []
    for i in range(frames):
        shot = studio.shoot(np.random.default_rng(scene_seed), posed.vertices_mm[i], views, crops, i,
                            float(rest.stature_mm[i]), severity=0.0, faults=False)  # fmt: skip
        pictures.append(shot.picture)
        alpha.append(cv2.GaussianBlur(shot.person.astype(np.float32), (0, 0), 0.8))
    return CutOutPerson(np.stack(pictures), np.stack(alpha), (points - points[:, ROOT, None]) / size)


def compose(
    name: str,
    background: UInt8[Array, "h w 3"],
    figures: Sequence[tuple[CutOutPerson, Float[Array, "frame 3"]]],
    hides: Bool[Array, " frame"],
) -> Clip:
    """Figures on a photograph, the last the farthest: each with (x, y, size) of its square in every frame."""
    photo, frames = filled(background), len(hides)
    pictures = [photo.astype(np.float32) for _ in range(frames)]
    points = np.full((frames, len(figures), 26, 2), np.nan)
    crops = np.full((frames, len(figures), 4), np.nan)
    for person, (figure, path) in reversed(list(enumerate(figures))):
        for f in range(frames):
            x, y, size = path[f]
            way = np.array([[size / 256, 0, x - size / 2 + 0.5], [0, size / 256, y - size / 2 + 0.5]])
            alpha = cv2.warpAffine(figure.alpha[f], way, (WIDTH, HEIGHT))[..., None]
            seen = cv2.warpAffine(figure.pictures[f], way, (WIDTH, HEIGHT)).astype(np.float32)
            pictures[f] = pictures[f] * (1 - alpha) + seen * alpha
            at = figure.points[f] * size + (x, y)
            if ((at > 0) & (at < (WIDTH, HEIGHT))).all(-1).mean() >= LEAST_SHOWN:
                crop = true_crops(at[None])
                points[f, person] = at
                crops[f, person] = [*crop.center_px[0], crop.size_px[0], crop.angle_rad[0]]
    noise = np.random.default_rng(0)
    finished = [np.clip(np.rint(p + noise.normal(0, 2, p.shape)), 0, 255).astype(np.uint8) for p in pictures]
    return Clip(name, tuple(finished), points, crops, BODY_26.joints, hides)


def filled(photo: UInt8[Array, "h w 3"]) -> UInt8[Array, "480 640 3"]:
    """Scaled until it fills the frame, the rest cut off."""
    scale = max(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    top, left = (large.shape[0] - HEIGHT) // 2, (large.shape[1] - WIDTH) // 2
    return np.ascontiguousarray(large[top : top + HEIGHT, left : left + WIDTH])


def rendered_clips(mocap: Path, backgrounds: Path, estimator: Estimator, frames: int) -> Iterator[Clip]:
    """Four: one crosses the picture, one is hidden for a while in the middle, one has somebody else behind,
    one leaves and comes back. Before photographs in which the detector finds nobody.

    Raises:
        DataError: fewer than four such photographs, or motion capture of another split than the training one.
    """
    from sigmapose.synth.render.cutouts import list_pictures, read_picture

    def figure(file: str, start: int, seed: int) -> CutOutPerson:
        return render_figure(training_motion(mocap, file), start, frames, seed)

    read = (p for p in map(read_picture, list_pictures(backgrounds)) if p is not None and p.shape[2] == 3)
    photos = list(islice((p for p in read if not estimator.detector(p)), 4))
    if len(photos) < 4:
        raise DataError(f"{backgrounds} holds {len(photos)} photographs without people: 4 are needed")
    t = np.linspace(0, 1, frames)
    always, middle = np.ones(frames, bool), (t > 0.25) & (t < 0.75)

    def path(x0: float, x1: float, y: float, size0: float, size1: float) -> np.ndarray:
        return np.stack([x0 + (x1 - x0) * t, y + 0 * t, size0 + (size1 - size0) * t], 1)

    walker, dancer = figure(*MOTIONS[0]), figure(*MOTIONS[1])
    yield compose("cross", photos[0], [(walker, path(120, 520, 250, 300, 360))], always)
    yield compose("middle", photos[1], [(dancer, path(250, 380, 260, 380, 340))], middle)
    other, leaver = figure(*MOTIONS[2]), figure(*MOTIONS[3])
    two = [(dancer, path(230, 260, 270, 360, 360)), (other, path(480, 430, 220, 220, 220))]
    yield compose("other", photos[2], two, always)
    away = np.stack([330 + 620 * np.clip(np.sin(np.pi * t) * 1.3 - 0.45, 0, 1), 260 + 0 * t, 330 + 0 * t], 1)
    yield compose("leave", photos[3], [(leaver, away)], always)


MOTIONS = (
    ("cmu/38_02.bvh", 0, 1),
    ("cmu/05_10.bvh", 60, 2),
    ("cmu/14_14.amc", 30, 3),
    ("cmu/37_01.bvh", 0, 4),
)
"""File, first frame and seed of the figures."""


def photo_clips(photos: Path, estimator: Estimator, count: int, frames: int, seed: int) -> Iterator[Clip]:
    """Of photographs drawn at random in which one person is found for sure."""
    from sigmapose.synth.render.cutouts import list_pictures, read_picture

    files, made = list_pictures(photos), 0
    for i in np.random.default_rng(seed).permutation(len(files)).tolist():
        if made >= count:
            return
        picture = read_picture(files[i])
        if picture is None or picture.shape[2] != 3:
            continue
        clip = photo_clip(f"photo{made}", picture, estimator, seed + i, frames)
        if clip is not None:
            made += 1
            yield clip


def save(clip: Clip, folder: Path) -> None:
    """As NAME.mp4, for looking at, and NAME.npz, exactly."""
    folder.mkdir(parents=True, exist_ok=True)
    with VideoWriter(folder / f"{clip.name}.mp4", FPS, (WIDTH, HEIGHT)) as writer:
        for picture in clip.pictures:
            writer.write(picture)
    packed = [np.frombuffer(cv2.imencode(".png", picture)[1], np.uint8) for picture in clip.pictures]
    ends = np.cumsum([len(p) for p in packed])
    np.savez(folder / f"{clip.name}.npz", packed=np.concatenate(packed), ends=ends, points_px=clip.points_px,
             crops=clip.crops, joints=np.array(clip.joints), hides=clip.hides)  # fmt: skip


def load(file: Path) -> Clip:
    """What `save` wrote."""
    with np.load(file) as a:
        parts = np.split(a["packed"], a["ends"][:-1])
        pictures = tuple(np.asarray(cv2.imdecode(part, cv2.IMREAD_COLOR)) for part in parts)
        return Clip(file.stem, pictures, a["points_px"], a["crops"], tuple(a["joints"].tolist()), a["hides"])
