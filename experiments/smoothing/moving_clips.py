"""Rendered people who move, with the truth in space, as one still camera sees them; and what we say of them.

    python -m experiments smooth-clips --out DIR --mocap MOCAP --backgrounds BACKGROUNDS
    python -m experiments smooth-clips --out DIR --mocap MOCAP --backgrounds BACKGROUNDS --split CALIBRATION

By default motions of training and validation subjects; each is told its camera and the person's height, so
that errors are those of the networks. Clips of validation subjects come a second time as `NAME-hidden`: there
a thing hides some joints for 0.2 to 1.5 s, and `hidden` says which and when. With `--split`, short pieces of
the motions of that split's subjects, of one person each, as users film: neither camera nor height is told,
the camera looks down a little. `NAME.npz` holds the truth, `NAME.json` what was said (`poses.json`), frame by
frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from experiments.following.made_clips import (
    CAMERA_MM,
    FPS,
    HEIGHT,
    ROOT,
    WIDTH,
    CutOutPerson,
    filled,
)
from sigmapose.camera import Camera
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.io.poses_json import PosesWriter, Source
from sigmapose.io.video import VideoFrame
from sigmapose.shapes import Array, Bool, Float
from sigmapose.skeleton import BODY_26

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator

MOTIONS = (
    ("cmu/38_02.bvh", 0, 1),
    ("cmu/05_10.bvh", 60, 2),
    ("cmu/14_14.amc", 30, 3),
    ("cmu/37_01.bvh", 0, 4),
    ("cmu/136_20.bvh", 20, 7),
    ("cmu/113_25.bvh", 30, 8),
    ("cmu/07_03.bvh", 10, 11),
    ("cmu/16_15.bvh", 20, 12),
    ("cmu/16_31.bvh", 10, 13),
    ("cmu/16_47.bvh", 10, 14),
    ("cmu/136_24.bvh", 60, 15),
    ("cmu/143_32.bvh", 40, 16),
    ("dance_martial/indian_13.bvh", 200, 17),
    ("dance_martial/indian_15.bvh", 300, 18),
)
"""File, first frame and seed. From the fifth on, but for `113_25`, validation subjects."""
HIDDEN_FRAMES = (6, 15, 30, 45)
HIDDEN_FROM = 18
HIDDEN_JOINTS = (
    ("left_knee", "right_knee", "left_ankle", "right_ankle"),
    ("left_elbow", "left_wrist"),
    ("right_hip", "right_knee", "right_ankle"),
    ("right_elbow", "right_wrist"),
)
"""What is hidden in one clip after another, and for how long."""
TRIAL_SPLITS = (Split.TRAIN, Split.VAL)
FOLDERS = ("cmu", "dance_martial")
LOOKS_DOWN_DEG = (6.0, 6.0)
"""Mean and standard deviation of how far cameras look down, where a split is asked for."""
SIDE_PX = 400.0
MARGIN_PX = 12
"""By which a thing is larger than what it hides."""
FOCAL, VIEW = 900.0, 1024


@dataclass(frozen=True, repr=False)
class MovingPerson:
    """A rendered person with the truth, in the axes and the intrinsics of one still camera."""

    figure: CutOutPerson
    joints_mm: Float[Array, "frame 26 3"]
    """In the camera's frame."""
    points_px: Float[Array, "frame 26 2"]
    camera: Camera
    height_mm: float
    split: Split


@dataclass(frozen=True)
class Piece:
    """Part of a recorded motion, and who moves so, seen from where."""

    file: str
    start: int
    seed: int
    looks_down_deg: float = 0.0


def render_person(
    mocap: Path, piece: Piece, frames: int, splits: Sequence[Split] = TRIAL_SPLITS
) -> MovingPerson:
    """One body that goes through a recorded motion, in a fixed square of the picture.

    Args:
        splits: that the motion may be of.

    Raises:
        DataError: motion capture that may not choose anything, or a clip that is too short.
    """
    from sigmapose.synth.mocap.files import read_clip
    from sigmapose.synth.people.body import load_body_model, sample_phenotypes
    from sigmapose.synth.people.retarget import fit, to_motion
    from sigmapose.synth.render.appearance import BodyAtlas
    from sigmapose.synth.render.cameras import Crops, Views, true_crops
    from sigmapose.synth.render.studio import SceneRange, Studio

    file, start = piece.file, piece.start
    motion = to_motion(read_clip(mocap / file))
    if motion.clip.split not in splits or len(motion.turns) < start + frames:
        raise DataError(f"{file}: {motion.clip.split} split, {len(motion.turns)} frames: choose another")
    model, rng = load_body_model(), np.random.default_rng(piece.seed)
    rest = model.rest(np.repeat(sample_phenotypes(1, rng), frames, axis=0))
    directions, hinges = (np.repeat(a[None], frames, axis=0) for a in (motion.directions, motion.hinges))
    turns = motion.turns[start : start + frames]
    posed = model.pose(fit(turns, directions, hinges, rest.joints_mm), rest)
    yaw, pitch = rng.uniform(-np.pi, np.pi), np.deg2rad(piece.looks_down_deg)
    down = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    turn = down @ np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    move, middle = np.tile([0.0, 0.0, CAMERA_MM], (frames, 1)), (VIEW - 1) / 2
    joints = posed.joints_mm @ turn.T + move[:, None]
    points = joints[..., :2] / joints[..., 2:] * FOCAL + middle
    views = Views(np.tile(turn, (frames, 1, 1)), move, np.full(frames, FOCAL), np.full((frames, 2), middle),
                  np.full((frames, 2), VIEW), joints, points)  # fmt: skip
    size, place = float(true_crops(points).size_px.max()), points[:, ROOT].mean(0)
    crops = Crops(np.repeat(place[None], frames, 0), np.full(frames, size), np.zeros(frames))
    studio, scene = Studio(BodyAtlas.load(), scene=SceneRange(clean=True)), int(rng.integers(2**31))
    pictures, alpha = [], []
    for i in range(frames):
        shot = studio.shoot(np.random.default_rng(scene), posed.vertices_mm[i], views, crops, i,
                            float(rest.stature_mm[i]), severity=0.0, faults=False)  # fmt: skip
        pictures.append(shot.picture)
        alpha.append(cv2.GaussianBlur(shot.person.astype(np.float32), (0, 0), 0.8))
    figure = CutOutPerson(np.stack(pictures), np.stack(alpha), (points - points[:, ROOT, None]) / size)
    zoom, centre = SIDE_PX / size, np.array([WIDTH / 2, HEIGHT / 2])
    cx, cy = (middle - place) * zoom + centre
    camera = Camera(WIDTH, HEIGHT, FOCAL * zoom, FOCAL * zoom, float(cx), float(cy))
    return MovingPerson(figure, joints, (points - place) * zoom + centre, camera, float(rest.stature_mm[0]),
                        motion.clip.split)  # fmt: skip


def pictures_of(person: MovingPerson, background: Array, seed: int) -> list[VideoFrame]:
    """The person before a photograph, with noise."""
    photo, noise = filled(background).astype(np.float32), np.random.default_rng(seed)
    x, y, scale = WIDTH / 2 - SIDE_PX / 2 + 0.5, HEIGHT / 2 - SIDE_PX / 2 + 0.5, SIDE_PX / 256
    way, frames = np.array([[scale, 0, x], [0, scale, y]]), []
    for i, (shot, cover) in enumerate(zip(person.figure.pictures, person.figure.alpha, strict=True)):
        alpha = cv2.warpAffine(cover, way, (WIDTH, HEIGHT))[..., None]
        seen = photo * (1 - alpha) + cv2.warpAffine(shot, way, (WIDTH, HEIGHT)).astype(np.float32) * alpha
        seen = np.clip(np.rint(seen + noise.normal(0, 2, seen.shape)), 0, 255).astype(np.uint8)
        frames.append(VideoFrame(i, i / FPS, seen))
    return frames


def hide(
    frames: list[VideoFrame], points_px: Float[Array, "frame 26 2"], cloth: Array, number: int
) -> tuple[list[VideoFrame], Bool[Array, "frame 26"]]:
    """A thing that stands still before some joints for a while, cut from another photograph; and which joints
    it hides when."""
    joints = [BODY_26.index(name) for name in HIDDEN_JOINTS[number % len(HIDDEN_JOINTS)]]
    count = HIDDEN_FRAMES[(number // 2) % len(HIDDEN_FRAMES)]
    when = slice(HIDDEN_FROM, HIDDEN_FROM + count)
    places = points_px[when][:, joints].reshape(-1, 2)
    low = np.clip(np.floor(places.min(0)) - MARGIN_PX, 0, (WIDTH, HEIGHT)).astype(int)
    high = np.clip(np.ceil(places.max(0)) + MARGIN_PX, 0, (WIDTH, HEIGHT)).astype(int)
    thing = filled(cloth)[::-1, ::-1]
    out = list(frames)
    for t in range(*when.indices(len(frames))):
        picture = frames[t].rgb.copy()
        picture[low[1] : high[1], low[0] : high[0]] = thing[low[1] : high[1], low[0] : high[0]]
        out[t] = VideoFrame(frames[t].index, frames[t].time_s, picture)
    hidden = np.zeros(points_px.shape[:2], bool)
    hidden[when] = ((points_px[when] >= low) & (points_px[when] < high)).all(-1)
    return out, hidden


@dataclass(frozen=True)
class MovingClips:
    """Render people who move, and say what we see."""

    out: Path
    """Folder for NAME.npz and NAME.json."""
    mocap: Path
    """Folder with `cmu/`."""
    backgrounds: Path
    """Folder of photographs, some without people."""
    model: str = "heavy"
    """Size of the encoder."""
    frames: int = 80
    """Of every clip, 30 a second."""
    split: Split | None = None
    """Subjects of this split, neither camera nor height told; None: MOTIONS."""
    people: int = 40
    """Clips, if a split is given."""


def main(options: MovingClips) -> None:
    """Make the clips that are missing."""
    import sigmapose
    from sigmapose.synth.render.cutouts import list_pictures, read_picture

    estimator = sigmapose.load(options.model)
    pieces = [Piece(*motion) for motion in MOTIONS] if options.split is None else _pieces(options)
    read = (p for p in map(read_picture, list_pictures(options.backgrounds)) if p is not None)
    empty = (p for p in read if p.shape[2] == 3 and not estimator.detector(p))
    photos = list(islice(empty, len(pieces)))
    if not photos:
        raise DataError(f"{options.backgrounds} holds no photograph without people: give another folder")
    options.out.mkdir(parents=True, exist_ok=True)
    splits = TRIAL_SPLITS if options.split is None else (options.split,)
    for k, piece in enumerate(pieces):
        name = Path(piece.file).stem + (f"-{piece.start}" if options.split else "")
        place = options.out / f"{name}.json"
        if place.exists():
            continue
        person = render_person(options.mocap, piece, options.frames, splits)
        seen = pictures_of(person, photos[k % len(photos)], k)
        told = [(place, seen, np.zeros(person.points_px.shape[:2], bool))]
        if person.split is Split.VAL and options.split is None:
            behind = hide(seen, person.points_px, photos[(k + 1) % len(photos)], k)
            told.insert(0, (place.with_stem(f"{place.stem}-hidden"), *behind))
        for where, pictures, hidden in told:
            _write(where, person, pictures, hidden, estimator, tell=options.split is None)
        print(piece.file, f"{options.frames} frames", flush=True)


def _write(
    place: Path,
    person: MovingPerson,
    seen: list[VideoFrame],
    hidden: Array,
    estimator: Estimator,
    *,
    tell: bool,
) -> None:
    """The truth and what the networks say of the pictures; `tell`: when told camera and height."""
    np.savez(place.with_suffix(".npz"), joints_mm=person.joints_mm, points_px=person.points_px,
             joints=np.array(BODY_26.joints), height_mm=person.height_mm, hidden=hidden,
             split=str(person.split))  # fmt: skip
    camera, height_mm = (person.camera, person.height_mm) if tell else (None, None)
    with PosesWriter(place) as writer:
        writer.add_source(Source("", person.camera, FPS))
        for frame in estimator.follow(seen, camera=camera, height_mm=height_mm, people=1):
            writer.write(frame)


def _pieces(options: MovingClips) -> list[Piece]:
    """As many from every motion of the split, evenly spread over its time."""
    from sigmapose.synth.mocap.files import find_clips, read_clip

    found: list[tuple[str, int]] = []
    for file in [f for folder in FOLDERS for f in find_clips(options.mocap / folder)]:
        clip = read_clip(file)
        if clip.split == options.split and len(clip) >= options.frames:
            found.append((file.relative_to(options.mocap).as_posix(), len(clip)))
    if not found:
        raise DataError(f"no motion of the {options.split} split in '{options.mocap}': give its folder")
    rng, pieces = np.random.default_rng(0), []
    rounds = -(-options.people // len(found))
    for k in range(options.people):
        file, count = found[k % len(found)]
        start = int((k // len(found) + 0.5) / rounds * (count - options.frames))
        pieces.append(Piece(file, start, 1000 + k, float(rng.normal(*LOOKS_DOWN_DEG))))
    return pieces
