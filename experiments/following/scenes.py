"""Films of people who cross, disappear behind boards, leave and come back, drawn from rendered people, with
who is where in every frame and how much of them is seen.

People are motion capture of *training* subjects before photographs without people: for building, not for
reporting. Pictures are uint8 RGB; pixel (0, 0) is the centre of the top-left pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from experiments.following.made_clips import (
    FPS,
    HEIGHT,
    WIDTH,
    CutOutPerson,
    filled,
    render_figure,
    training_motion,
)
from sigmapose.errors import DataError
from sigmapose.io.video import VideoFrame
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.synth.render.cutouts import list_pictures, procedural_texture, read_picture

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator

FRAMES = 90
FIGURES = (
    ("cmu/38_02.bvh", 0, 1),
    ("cmu/37_01.bvh", 0, 4),
    ("cmu/45_01.bvh", 0, 11),
    ("cmu/46_01.bvh", 0, 12),
    ("cmu/47_01.bvh", 0, 13),
    ("cmu/49_01.bvh", 0, 14),
)
"""File, first frame and seed: people who walk."""
CASTS = ((4, 1, 2), (1, 3, 5))
"""Of those."""
BLUR_PX = 8.0
NOISE = 2.0
"""Of the camera, grey levels."""


@dataclass(frozen=True, repr=False)
class Walker:
    """Somebody, far or near as their place among the layers says."""

    figure: CutOutPerson
    x: Float[Array, " frame"]
    y: float
    size: float
    """Side of the figure's square, px."""


@dataclass(frozen=True, repr=False)
class Board:
    """An upright board from above to below the picture."""

    x: Float[Array, " frame"]
    """Of its left edge."""
    width: int
    seed: int


Layer = Walker | Board


@dataclass(frozen=True, repr=False)
class Scene:
    """A film, and where its people are."""

    name: str
    pictures: tuple[UInt8[Array, "h w 3"], ...]
    points_px: Float[Array, "frame person 26 2"]
    shown: Float[Array, "frame person"]
    """Share of each person that is in the picture with nothing in front."""
    size_px: Float[Array, "frame person"]
    """Side of a crop around them."""
    people: int | None
    """How many the tracker is asked for."""
    asked: tuple[int, ...]
    """Who of them those are; all, where nobody says how many."""

    def frames(self) -> Iterator[VideoFrame]:
        """As a video gives them."""
        return (VideoFrame(i, i / FPS, picture) for i, picture in enumerate(self.pictures))

    def __repr__(self) -> str:
        return f"Scene({self.name!r}, {len(self.pictures)} frames, {self.shown.shape[1]} people)"


def figures(mocap: Path, cache: Path) -> list[CutOutPerson]:
    """The walking people, rendered once and kept in a folder."""
    cache.mkdir(parents=True, exist_ok=True)
    found = []
    for file, start, seed in FIGURES:
        place = cache / f"{Path(file).stem}-{FRAMES}-{seed}.npz"
        if not place.exists():
            made = render_figure(training_motion(mocap, file), start, FRAMES, seed)
            np.savez_compressed(place, pictures=made.pictures, alpha=made.alpha, points=made.points)
        with np.load(place) as a:
            found.append(CutOutPerson(a["pictures"], a["alpha"], a["points"]))
    return found


def empty_photos(folder: Path, estimator: Estimator, count: int) -> list[UInt8[Array, "480 640 3"]]:
    """Photographs in which the detector finds nobody, as large as a frame and out of focus: who keeps which
    number is asked here, not who is found.

    Raises:
        DataError: there is none.
    """
    read = (p for p in map(read_picture, list_pictures(folder)) if p is not None and p.shape[2] == 3)
    empty = islice((p for p in read if not estimator.detector(p)), count)
    photos = [cv2.GaussianBlur(filled(p), (0, 0), BLUR_PX) for p in empty]
    if not photos:
        raise DataError(f"{folder} holds no photograph without people: give another folder")
    return photos


def draw(
    name: str,
    photo: UInt8[Array, "480 640 3"],
    layers: Sequence[Layer],
    people: int | None = None,
    asked: tuple[int, ...] | None = None,
) -> Scene:
    """A film of layers, the last the nearest."""
    walkers = [layer for layer in layers if isinstance(layer, Walker)]
    count, frames = len(walkers), len(layers[0].x)
    points, shown = np.zeros((frames, count, 26, 2)), np.zeros((frames, count))
    size, pictures = np.zeros((frames, count)), []
    rng = np.random.default_rng(0)
    noise = rng.normal(0, NOISE, (HEIGHT, WIDTH, 3)).astype(np.float32)
    base = photo.astype(np.float32)
    boards = {id(b): _face(b) for b in layers if isinstance(b, Board)}
    for f in range(frames):
        picture, seen = base.copy(), []
        for layer in layers:
            alpha, pixels = _layer(layer, f) if isinstance(layer, Walker) else _board(layer, f, boards)
            picture += (pixels - picture) * alpha[..., None]
            seen = [part * (1 - alpha) for part in seen]
            if isinstance(layer, Walker):
                seen.append(alpha)
        for k, (walker, part) in enumerate(zip(walkers, seen, strict=True)):
            points[f, k] = walker.figure.points[f] * walker.size + (walker.x[f], walker.y)
            whole = float(walker.figure.alpha[f].sum()) * (walker.size / 256) ** 2
            shown[f, k], size[f, k] = part.sum() / max(whole, 1.0), walker.size
        shift = tuple(rng.integers(0, (HEIGHT, WIDTH)).tolist())
        noisy = picture + np.roll(noise, shift, axis=(0, 1))
        pictures.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    everybody = tuple(range(count))
    return Scene(name, tuple(pictures), points, shown, size, people, asked or everybody)


def _layer(walker: Walker, f: int) -> tuple[Float[Array, "h w"], Float[Array, "h w 3"]]:
    half, scale = walker.size / 2 - 0.5, walker.size / 256
    way = np.array([[scale, 0, walker.x[f] - half], [0, scale, walker.y - half]])
    alpha = cv2.warpAffine(walker.figure.alpha[f].astype(np.float32), way, (WIDTH, HEIGHT))
    return alpha, cv2.warpAffine(walker.figure.pictures[f], way, (WIDTH, HEIGHT)).astype(np.float32)


def _face(board: Board) -> Float[Array, "480 width 3"]:
    side = max(HEIGHT, board.width)
    texture = procedural_texture(np.random.default_rng(board.seed), side)
    scale = 255.0 if float(texture.max()) <= 1.0 else 1.0
    return np.asarray(texture[:HEIGHT, : board.width] * scale, np.float32)


def _board(
    board: Board, f: int, faces: dict[int, Float[Array, "480 width 3"]]
) -> tuple[Float[Array, "h w"], Float[Array, "h w 3"]]:
    way = np.array([[1.0, 0, board.x[f]], [0, 1.0, 0]])
    face = faces[id(board)]
    alpha = cv2.warpAffine(np.ones(face.shape[:2], np.float32), way, (WIDTH, HEIGHT))
    return alpha, cv2.warpAffine(face, way, (WIDTH, HEIGHT))


def _go(*stops: float) -> Float[Array, " frame"]:
    """A way through some places, as much time from each to the next."""
    return np.interp(np.linspace(0, 1, FRAMES), np.linspace(0, 1, len(stops)), stops)


Stage = Callable[[Sequence[CutOutPerson], np.ndarray, int], Scene]


def _crossing(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    far, near = Walker(who[0], _go(550, 90), 245, 330), Walker(who[1], _go(90, 550), 255, 390)
    return draw("crossing", photo, [far, near])


def _crossing_slow(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    far, near = Walker(who[0], _go(420, 210), 245, 340), Walker(who[1], _go(230, 410), 255, 380)
    return draw("crossing slowly", photo, [far, near])


def _turning_back(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    far = Walker(who[0], _go(540, 330, 330, 540), 245, 330)
    near = Walker(who[1], _go(100, 320, 325, 100), 255, 400)
    return draw("meeting and parting", photo, [far, near])


def _three(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [
        Walker(who[0], _go(80, 560), 235, 270),
        Walker(who[1], _go(560, 80), 245, 330),
        Walker(who[2], _go(300, 360), 255, 400),
    ]
    return draw("three crossing", photo, layers)


def _wall(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [Walker(who[0], _go(80, 560), 250, 360), Board(_go(180, 180), 280, seed)]
    return draw("behind a wall", photo, layers)


def _wall_and_back(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [Walker(who[0], _go(100, 330, 330, 100), 250, 360), Board(_go(230, 230), 260, seed)]
    return draw("behind a wall and back", photo, layers)


def _wall_two(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [
        Walker(who[0], _go(70, 570), 250, 350),
        Walker(who[1], _go(590, 50), 250, 360),
        Board(_go(200, 200), 250, seed),
    ]
    return draw("two behind a wall", photo, layers)


def _passing(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    x = np.linspace(-300, 700, FRAMES)
    layers = [Walker(who[0], _go(300, 340), 250, 380), Board(x, 260, seed)]
    return draw("a board passing", photo, layers)


def _somebody_else(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [
        Walker(who[0], _go(400, 800, 1000, 1000), 250, 360),
        Walker(who[1], _go(1000, 1000, 850, 350), 250, 360),
    ]
    return draw("one leaves, another enters", photo, layers)


def _coming_back(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    return draw("leaving and coming back", photo, [Walker(who[0], _go(380, 720, 860, 720, 380), 250, 360)])


def _one_asked(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    far, near = Walker(who[0], _go(310, 330), 245, 360), Walker(who[1], _go(-120, 780), 260, 430)
    return draw("one asked for, another passing", photo, [far, near], 1, (0,))


def _two_asked(who: Sequence[CutOutPerson], photo: Array, seed: int) -> Scene:
    layers = [
        Walker(who[2], _go(-80, 720), 240, 260),
        Walker(who[0], _go(180, 220), 250, 360),
        Walker(who[1], _go(440, 420), 250, 370),
    ]
    return draw("two asked for, a third passing", photo, layers, 2, (1, 2))


STAGES: tuple[Stage, ...] = (
    _crossing, _crossing_slow, _turning_back, _three, _wall, _wall_and_back, _wall_two, _passing,
    _somebody_else, _coming_back, _one_asked, _two_asked,
)  # fmt: skip


def scenes(
    cast: Sequence[CutOutPerson], photos: Sequence[np.ndarray], casts: Sequence[int], only: Sequence[int]
) -> Iterator[Scene]:
    """Those scenes with those casts of three."""
    for k in casts:
        who = [cast[i] for i in CASTS[k]]
        for n in only:
            yield STAGES[n](who, photos[(k + n) % len(photos)], 100 * k + n)
