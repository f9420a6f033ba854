"""A thing that passes in front of somebody: errors of what it hides for half a second, and of the rest.

    python -m experiments passing --out DIR --mocap MOCAP --backgrounds BACKGROUNDS

Rendered people of `smooth-clips` (motion capture of training and validation subjects), told their camera and
height. Boards pass from the side and from above, each point hidden for PASSING_S. Compared are every frame by
itself, a One-Euro filter of its joints (Casiez et al. 2012; the best of a grid of settings for the hidden
joints, chosen on these clips, in its favour), and the smoother. A frame without the person counts as the pose
before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from experiments.following.made_clips import FPS, HEIGHT, ROOT, WIDTH, CutOutPerson
from experiments.following.scenes import empty_photos
from experiments.smoothing.moving_clips import MOTIONS, MovingPerson, Piece, pictures_of, render_person
from sigmapose.camera import Camera
from sigmapose.data.splits import Split
from sigmapose.estimate.body_size import HEIGHT_SIGMA_MM
from sigmapose.estimate.estimator import Estimator
from sigmapose.estimate.smooth.film_smoother import (
    FILE_BLOCK_S,
    FILE_LAG_S,
    LIVE_BLOCK_S,
    LIVE_LAG_S,
    smoothed_film,
)
from sigmapose.gaussian import chi2_radius, mahalanobis
from sigmapose.io.poses_json import PosesWriter, Source, read_poses
from sigmapose.io.video import VideoFrame
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Bool, Float
from sigmapose.synth.render.cutouts import procedural_texture

CLIPS = MOTIONS[:6]
PASSING_S = 0.5
SPEEDS = (("across", 9.0), ("across", -14.0), ("down", 9.0))
"""Ways of boards, and px a frame: those that are faster are wider."""
ALL = [j for j in range(26) if j != ROOT]
CUTOFFS_HZ, BETAS = (0.1, 0.2, 0.5, 1.0, 2.0), (0.0, 0.001, 0.003, 0.01)
MOST_CHANGE = 1.5
"""So much at most may a region of a joint that nothing covers change from frame to frame."""


@dataclass(frozen=True, repr=False)
class PassedClip:
    """A clip with a board passing, and the truth."""

    name: str
    frames: tuple[VideoFrame, ...]
    hidden: Bool[Array, "frame 26"]
    """Joints behind the board."""
    joints_mm: Float[Array, "frame 26 3"]
    """Relative to the root."""
    camera: Camera
    height_mm: float


def moving_people(mocap: Path, cache: Path, count: int) -> list[MovingPerson]:
    """The people of `smooth-clips`, rendered once and kept in a folder."""
    cache.mkdir(parents=True, exist_ok=True)
    people = []
    for file, start, seed in CLIPS:
        place = cache / f"{Path(file).stem}-{count}-{seed}.npz"
        if not place.exists():
            p = render_person(mocap, Piece(file, start, seed), count)
            c = p.camera
            np.savez_compressed(
                place, pictures=p.figure.pictures, alpha=p.figure.alpha, points=p.figure.points,
                joints_mm=p.joints_mm, points_px=p.points_px, height_mm=p.height_mm, split=str(p.split),
                camera=[c.width, c.height, c.fx, c.fy, c.cx, c.cy],
            )  # fmt: skip
        with np.load(place) as a:
            w, h, fx, fy, cx, cy = a["camera"].tolist()
            figure = CutOutPerson(a["pictures"], a["alpha"], a["points"])
            camera = Camera(int(w), int(h), fx, fy, cx, cy)
            height, split = float(a["height_mm"]), Split(str(a["split"]))
            people.append(MovingPerson(figure, a["joints_mm"], a["points_px"], camera, height, split))
    return people


def passed(person: MovingPerson, name: str, photo: Array, way: tuple[str, float], seed: int) -> PassedClip:
    """The clip with a board that passes the person in its middle."""
    frames = pictures_of(person, photo, seed)
    kind, speed = way
    width = round(abs(speed) * PASSING_S * FPS)
    along = 0 if kind == "across" else 1
    centre = float(person.points_px[:, ROOT, along].mean())
    first = centre + speed * (np.arange(len(frames)) - len(frames) / 2) - width / 2
    face = 255 * procedural_texture(np.random.default_rng(seed), max(WIDTH, HEIGHT))
    hidden = np.zeros(person.points_px.shape[:2], bool)
    out = []
    for f, frame in enumerate(frames):
        low, high = round(first[f]), round(first[f]) + width
        hidden[f] = (person.points_px[f, :, along] >= low) & (person.points_px[f, :, along] < high)
        picture = frame.rgb.copy()
        a, b = max(low, 0), max(high, 0)
        part = picture[:, a:b] if along == 0 else picture[a:b]
        cut = face[: part.shape[0], a - low : a - low + part.shape[1]]
        if along == 1:
            cut = face[a - low : a - low + part.shape[0], : part.shape[1]]
        part[:] = np.asarray(cut, np.uint8)
        out.append(VideoFrame(frame.index, frame.time_s, picture))
    joints = person.joints_mm - person.joints_mm[:, [ROOT]]
    return PassedClip(f"{name} {kind} {speed:g}", tuple(out), hidden, joints, person.camera, person.height_mm)


def one_euro(
    joints_mm: Float[Array, "time joint 3"], fps: float, cutoff_hz: float, beta: float
) -> Float[Array, "time joint 3"]:
    """Casiez, Roussel & Vogel 2012, of every coordinate; the derivative's cutoff is 1 Hz."""

    def share(cutoff: Float[Array, "joint 3"] | float) -> Float[Array, "joint 3"] | float:
        return 1.0 / (1.0 + fps / (2 * np.pi * cutoff))

    out, slope = [joints_mm[0]], np.zeros_like(joints_mm[0])
    for now, before in zip(joints_mm[1:], joints_mm[:-1], strict=True):
        slope = slope + share(1.0) * ((now - before) * fps - slope)
        out.append(out[-1] + share(cutoff_hz + beta * np.abs(slope)) * (now - out[-1]))
    return np.stack(out)


def held(frames: Sequence[Frame]) -> list[Pose | None]:
    """The first person of every frame; of the frame before where there is none."""
    poses: list[Pose | None] = []
    for frame in frames:
        poses.append(frame.poses[0] if frame.poses else (poses[-1] if poses else None))
    first = next((p for p in poses if p is not None), None)
    return [first if p is None else p for p in poses]


@dataclass
class _Tally:
    """Errors and stated uncertainties of one method over clips."""

    errors: list[Array]
    inside: list[Array]
    change: list[Array]
    sigma: list[Array]

    @classmethod
    def none(cls) -> _Tally:
        return cls([], [], [], [])

    def add(self, poses: Sequence[Pose], truth: Float[Array, "frame 26 3"]) -> None:
        joints, cov = np.stack([p.joints_mm for p in poses]), np.stack([p.cov_mm2 for p in poses])
        error = (joints - truth)[:, ALL]
        self.errors.append(np.linalg.norm(error, axis=-1))
        radius = np.stack(
            [
                np.full(26, chi2_radius(0.9, 3)) if p.regions is None else p.regions.joint_radius(0.9)
                for p in poses
            ]
        )
        self.inside.append(mahalanobis(error, cov[:, ALL]) <= radius[:, ALL])
        size = np.stack([np.linalg.norm(p.ellipsoid(0.9), axis=-1).mean(-1) for p in poses])[:, ALL]
        self.change.append(np.exp(np.abs(np.diff(np.log(size), axis=0))))
        self.sigma.append(np.sqrt(np.trace(cov[:, ALL], axis1=-2, axis2=-1) / 3))

    def told(self, hidden: Sequence[Bool[Array, "frame 25"]]) -> str:
        """One line."""
        error, inside = np.concatenate(self.errors), np.concatenate(self.inside)
        sigma, behind = np.concatenate(self.sigma), np.concatenate(list(hidden))
        still = np.concatenate([~h[1:] & ~h[:-1] for h in hidden])
        jumps = (np.concatenate(self.change)[still] > MOST_CHANGE).mean()
        return (
            f"hidden {error[behind].mean():.1f} mm, 90 % regions {inside[behind].mean():.3f}, "
            f"sigma {sigma[behind].mean():.0f}; in view {error[~behind].mean():.1f} mm, "
            f"{inside[~behind].mean():.3f}, {sigma[~behind].mean():.0f}; regions in view that change by more "
            f"than {MOST_CHANGE:g}: {jumps:.4f}"
        )


@dataclass(frozen=True)
class Passing:
    """Let boards pass in front of rendered people; print errors of what they hide."""

    out: Path
    """Folder for the rendered people and what was seen of them."""
    mocap: Path
    """Folder with `cmu/`."""
    backgrounds: Path
    """Folder of photographs, some without people."""
    model: str = "heavy"
    """Size of the encoder."""
    frames: int = 80
    """Of every clip, 30 a second."""


def main(options: Passing) -> None:
    """Make what is missing, look, print."""
    import sigmapose

    estimator = sigmapose.load(options.model)
    people = moving_people(options.mocap, options.out / "people", options.frames)
    photos = empty_photos(options.backgrounds, estimator, len(people))
    seen: list[tuple[PassedClip, list[Frame]]] = []
    for n, way in enumerate(SPEEDS):
        for k, (person, (file, _, _)) in enumerate(zip(people, CLIPS, strict=True)):
            clip = passed(person, Path(file).stem, photos[k % len(photos)], way, 10 * k + n)
            seen.append((clip, _looked(clip, estimator, options.out / f"{options.model} {clip.name}.json")))
    _report(seen)


def _looked(clip: PassedClip, estimator: Estimator, file: Path) -> list[Frame]:
    """What is seen of a clip, each frame by itself; kept in a file."""
    if not file.exists():
        with PosesWriter(file) as writer:
            writer.add_source(Source("", clip.camera, FPS))
            for frame in estimator.follow(
                clip.frames, camera=clip.camera, height_mm=clip.height_mm, people=1
            ):
                writer.write(frame)
    return list(read_poses(file))


def _report(seen: Sequence[tuple[PassedClip, list[Frame]]]) -> None:
    hidden = [clip.hidden[:, ALL] for clip, _ in seen]
    share = np.concatenate(hidden).mean()
    missing = np.mean([not frame.poses for _, frames in seen for frame in frames])
    print(f"{len(seen)} clips, {share:.2f} of the joints hidden, nobody in {missing:.3f} of the frames")
    ways = {"frame by frame": None, "live": (LIVE_LAG_S, LIVE_BLOCK_S), "file": (FILE_LAG_S, FILE_BLOCK_S)}
    for name, lag in ways.items():
        tally, gone = _Tally.none(), []
        for clip, frames in seen:
            told = frames
            if lag is not None:
                log = HEIGHT_SIGMA_MM / clip.height_mm
                told = list(smoothed_film(frames, log, lag_s=lag[0], block_s=lag[1]))
            gone += [not frame.poses for frame in told]
            tally.add([p for p in held(told) if p is not None], clip.joints_mm)
        print(f"{name:15s} {tally.told(hidden)}; missing {np.mean(gone):.3f}", flush=True)
    behind = np.concatenate(hidden)
    best = (np.inf, "")
    for cutoff, beta in product(CUTOFFS_HZ, BETAS):
        errors = []
        for clip, frames in seen:
            joints = np.stack([p.joints_mm for p in held(frames) if p is not None])
            errors.append(
                np.linalg.norm(one_euro(joints, FPS, cutoff, beta) - clip.joints_mm, axis=-1)[:, ALL]
            )
        error = np.concatenate(errors)
        told = f"One-Euro {cutoff:g} Hz, {beta:g}: hidden {error[behind].mean():.1f} mm, in view "
        best = min(best, (float(error[behind].mean()), told + f"{error[~behind].mean():.1f} mm"))
    print(best[1])
