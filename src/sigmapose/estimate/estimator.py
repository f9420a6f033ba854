"""The estimator: pictures and videos to people in 3D.

``image -> crops -> network (Θ and Φ) -> Gaussian in 2.5D -> calibrated Gaussian in camera millimetres``
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.calibrator import Calibrator
from sigmapose.camera import Camera
from sigmapose.errors import InputError
from sigmapose.estimate.assemble import PoseBatch, assemble
from sigmapose.estimate.body_size import BodySize, Sizes, Stature, check_stature
from sigmapose.estimate.candidates import Candidates, find_candidates
from sigmapose.estimate.clothes import colours_of
from sigmapose.estimate.context import crop_context
from sigmapose.estimate.crop import Crop, extract_batch
from sigmapose.estimate.detect import Detector
from sigmapose.estimate.film import follow_film
from sigmapose.estimate.lifter import Lifter
from sigmapose.estimate.looks import Said, ask
from sigmapose.estimate.lost import LOST, unbounded
from sigmapose.estimate.network import (
    BEST,
    DEFAULT_MODEL,
    ImageNetwork,
    Landmarks,
    default_threads,
    networks_of,
    weights_path,
)
from sigmapose.estimate.person_score import TrackScores, person_score
from sigmapose.estimate.picture_checks import check_people, open_picture
from sigmapose.estimate.same_person import choose, readings_of
from sigmapose.estimate.side_swaps import SideSwapFilter, seen_sides, sureness
from sigmapose.estimate.smooth.film_smoother import smoothed_film
from sigmapose.estimate.smooth.online import OnlineSmoother
from sigmapose.estimate.thunder import Thunder, closer, middle_of
from sigmapose.estimate.tracker import Tracked, Tracker
from sigmapose.io.video import VideoFrame, VideoReader
from sigmapose.pose import Frame, Pose
from sigmapose.shapes import Array, Float, UInt8
from sigmapose.skeleton import BLAZEPOSE_33

log = logging.getLogger(__name__)
PHOTO_LOOKS, VIDEO_LOOKS = 2, 1
"""How often a person is looked at unless the user says it: a photo also in a mirror."""


class Estimator:
    """People in pictures and videos; made by :func:`sigmapose.load`."""

    def __init__(
        self,
        model: str | Path = DEFAULT_MODEL,
        *,
        calibrator: Calibrator | None = None,
        device: str = "cpu",
        people: int | None = None,
        threads: int | None = None,
        looks: int | None = None,
        stature: Stature = "adult",
    ) -> None:
        """See :func:`sigmapose.load`."""
        check_people(people)
        if looks not in (None, 1, 2):
            raise InputError(f"looks must be 1, or 2 for a mirror image too, got {looks}")
        check_stature(stature)
        best = str(model) == BEST
        threads = threads or (default_threads(BEST) if best else None)
        self.network = ImageNetwork(networks_of(BEST)[0] if best else model, threads=threads, device=device)
        self.thunder = Thunder(threads=threads, device=device) if best else None
        self.detector = Detector(weights_path("detector"), threads=threads, device=device)
        if calibrator is not None:
            # refuses what it was not fitted for now, rather than in a picture
            calibrator.scales_for(self.network.model)
        self.calibrator = calibrator
        self.encoder = self.network.model
        self.model = BEST if best else self.encoder
        self.people = people
        self.looks = looks
        self.stature: Stature = stature
        self.device = device

    def __repr__(self) -> str:
        name = self.calibrator.name if self.calibrator else "none"
        return f"Estimator(model={self.model!r}, calibrator={name!r}, people={self.people})"

    @property
    def constant_sigma_mm(self) -> float | None:
        """What one isotropic sigma of all joints would be on the calibration people: the baseline to beat."""
        if self.calibrator is None:
            return None
        sigma = self.calibrator.scales_for(self.encoder).constant_sigma_mm
        return float(np.sqrt(np.mean(sigma[sigma > 0] ** 2)))

    def __call__(
        self,
        image_rgb: UInt8[Array, "h w 3"] | Path | str | Any,
        *,
        camera: Camera | None = None,
        height_mm: float | None = None,
        people: int | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
    ) -> list[Pose]:
        """People of one photo; an empty list when there is nobody.

        Args:
            image_rgb: uint8, RGB; or a file of a photo, or a picture of Pillow, which are turned upright.
            camera: intrinsics; without them the focal length is that of the EXIF block of a file, else
                assumed (``pose.camera.known`` is False).
            height_mm: standing height of the person or people, when known.
            people: at most this many, those first who are largest and likeliest people; None for the
                estimator's own limit.
            size: in the place of ``height_mm``: a height with its spread, or lengths of segments; for each
                person by ``track`` number, or one for everybody.

        Raises:
            InputError: not a picture. CameraError: a camera made for another picture size.
        """
        image_rgb, camera = open_picture(image_rgb, camera)
        sizes = Sizes.told(self.stature, height_mm, size)
        check_people(people)
        found = self.candidates(image_rgb, camera)
        if found is None:
            return []
        score = found.scores(self.encoder)
        rows = choose(score, readings_of(found.said.opinion, found.crops), people or self.people)
        if not rows:
            return []
        chosen, tracks = [found.crops[row] for row in rows], tuple(range(len(rows)))
        said = found.said.take(np.array(rows))
        said = self._with_keypoints(said, image_rgb, chosen, self.looks or PHOTO_LOOKS)
        batch = self._assemble(said, chosen, camera, sizes, score[rows], tracks)
        return [batch[i] for i in range(len(batch))]

    def candidates(self, image: Array, camera: Camera) -> Candidates | None:
        """Everybody who may be in a photo, before one reading of each is chosen; None where nobody is."""
        looks = self.looks or PHOTO_LOOKS
        ask_of = lambda crops, looks: self._ask(image, crops, camera, looks)  # noqa: E731
        return find_candidates(image, self.detector, ask_of, model=self.encoder, looks=looks)

    def video(
        self,
        path: Path | str,
        *,
        camera: Camera | None = None,
        height_mm: float | None = None,
        frames: tuple[int, int | None] | None = None,
        people: int | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
        raw: bool = False,
        lag: int | None = None,
    ) -> Iterator[Frame]:
        """Frames of a video file, in order, as they are done; people keep their ``track`` number.

        Args:
            path: video file.
            camera, height_mm, people, size: as for a photo.
            frames: ``(first, last)`` for first <= index < last; last may be None.
            raw: every frame by itself, at once where somebody is plainly seen. Else people are smoothed
                (:mod:`sigmapose.estimate.smooth`): frames come up to half a second later, and ``pose.raw`` is
                what a frame alone shows.
            lag: every frame comes when so many more are known, as :meth:`follow` has it.

        Raises:
            InputError: not a readable video, or a lag with ``raw``. A video that breaks in the middle ends
                there, with a logged warning.
        """
        if raw and lag is not None:
            raise InputError("raw=True and lag=: frames by themselves come at once: give one of them")
        reader = VideoReader(path, frames)
        sizes = Sizes.told(self.stature, height_mm, size)
        seen = self.follow(
            reader,
            camera=camera,
            height_mm=height_mm,
            people=people,
            size=size,
            lag=lag,
            look_back=lag is None,
        )
        yield from seen if raw or lag is not None else smoothed_film(seen, sizes.film_log)
        if reader.broken:
            log.warning("%s", reader.broken)

    def follow(
        self,
        frames: Iterable[VideoFrame],
        *,
        camera: Camera | None = None,
        height_mm: float | None = None,
        people: int | None = None,
        lag: int | None = None,
        size: BodySize | Mapping[int, BodySize] | None = None,
        look_back: bool = False,
    ) -> Iterator[Frame]:
        """As :meth:`video`, for frames from anywhere: (index, time in seconds, RGB picture).

        Where a cut is suspected, up to four frames are taken ahead. Who disappears is predicted for a while:
        ``pose.predicted``.

        Args:
            frames: of one scene, times rising.
            camera, height_mm, people, size: as for a photo.
            lag: people are smoothed, and frame t comes with frame t + lag
                (:class:`sigmapose.OnlineSmoother`); 0: by what was seen until then. None: every frame by
                itself.
            look_back: frames in which nobody is seen beyond doubt come up to 30 frames later: whoever is
                found then is followed back into them.
        """
        sizes = Sizes.told(self.stature, height_mm, size)
        check_people(people)
        look = partial(self._look, sizes=sizes, looks=self.looks or VIDEO_LOOKS)
        seen = follow_film(frames, camera, Tracker(people or self.people), look, look_back=look_back)
        if lag is None:
            return seen
        return OnlineSmoother(lag, height_mm=height_mm, size=size, stature=self.stature).smoothed(seen)

    def in_crops(
        self,
        pixels: Float[Array, "person 256 256 3"],
        crops: Sequence[Crop],
        cameras: Sequence[Camera],
        *,
        height_mm: float | None = None,
    ) -> tuple[list[Pose], Landmarks]:
        """People whose crops somebody else has chosen, one for each, whether the network believes in them or
        not; and the encoder's own landmarks. One look, unless the estimator was made with two.

        Args:
            pixels: the crops, RGB in 0..1, as :func:`sigmapose.estimate.crop.extract` gives them.
            crops: where they lie, each in its own picture.
            cameras: of those pictures; ``Camera.default(width, height)`` where nothing is known.
            height_mm: standing height, when known.
        """
        sizes = Sizes.told(self.stature, height_mm)
        inputs = [self._inputs([crop], camera) for crop, camera in zip(crops, cameras, strict=True)]
        rotation, context = (np.concatenate(part) for part in zip(*inputs, strict=True))
        looks = self.looks or VIDEO_LOOKS
        said = ask(self.network, pixels, rotation, context, looks)
        if self.thunder is not None:
            said = replace(said, keypoints=self.thunder(middle_of(pixels), rotation, looks))
        score = person_score(said, self.encoder)
        poses = []
        for i, (crop, camera) in enumerate(zip(crops, cameras, strict=True)):
            batch = self._assemble(said.take(np.array([i])), [crop], camera, sizes, score[i : i + 1])
            poses.append(batch[0])
        return poses, said.landmarks

    def _look(
        self,
        image: Array,
        tracker: Tracker,
        camera: Camera,
        side_swaps: SideSwapFilter,
        scores: TrackScores | None,
        *,
        sizes: Sizes,
        looks: int,
        detect: bool = True,
    ) -> list[Pose]:
        """The people of the next frame of a video; newcomers only with `detect`."""
        begins = tracker.begins
        said, people = self._followed(image, tracker, camera, looks, self.detector if detect else None)
        if begins and not people:  # crops of the detector fit badly: as in a photo, go round twice
            said, people = self._followed(image, tracker, camera, looks)
        if said is None or not people:
            return []
        said = said.take(np.array([p.row for p in people]))
        score = person_score(said, self.encoder, np.array([p.detected for p in people]))
        crops, tracks = [p.crop for p in people], tuple(p.track for p in people)
        lost = score < LOST
        said = self._with_keypoints(said, image, crops, looks)
        if scores is not None:
            score = scores.update(tracks, score)
        batch = self._assemble(said, crops, camera, sizes, score, tracks)
        size = np.array([crop.size_px for crop in crops])
        height_mm = np.array([sizes.height_mm(track) for track in tracks])
        batch = unbounded(batch, lost, height_mm, size)
        poses = [batch[i] for i in range(len(batch))]
        return [
            self._exchange_sides(pose, person, points, sizes)
            if side_swaps.exchanged(person.track, points[:, :2], person.crop.size_px, sureness(pose))
            else pose
            for row, (pose, person) in enumerate(zip(poses, people, strict=True))
            for points in (seen_sides(said.landmarks.landmarks[row], person.crop),)
        ]

    def _followed(
        self, image: Array, tracker: Tracker, camera: Camera, looks: int, detector: Detector | None = None
    ) -> tuple[Said | None, list[Tracked]]:
        """What the network says of the tracker's next crops, and which of them are people."""
        crops = tracker.crops_for(image, detector)
        if not crops:
            return None, []
        said = self._ask(image, crops, camera, looks)
        seen = said.landmarks
        colours = colours_of(image, said.prediction, crops)
        return said, tracker.update(seen.landmarks, seen.flag, seen.heat, said.prediction, colours)

    def _exchange_sides(self, pose: Pose, person: Tracked, seen: Float[Array, "33 3"], sizes: Sizes) -> Pose:
        """The person anew from the 2D landmarks with left and right exchanged.

        What the encoder says about depth belongs to its wrong reading, so keypoints alone speak.
        """
        right = seen[list(BLAZEPOSE_33.flip)]
        lifted = self._lifter(
            right[None, :, :2],
            right[None, :, 2],
            camera=pose.camera,
            skeleton=BLAZEPOSE_33,
            size=sizes.people.get(person.track, sizes.everybody),
        )[0]
        return replace(lifted, score=pose.score, track=person.track)

    @cached_property
    def _lifter(self) -> Lifter:
        return Lifter(calibrator=self.calibrator, threads=1, device=self.device, stature=self.stature)

    def _ask(self, image: Array, crops: Sequence[Crop], camera: Camera, looks: int) -> Said:
        rotation, context = self._inputs(crops, camera)
        return ask(self.network, extract_batch(image, crops), rotation, context, looks)

    def _with_keypoints(self, said: Said, image: Array, crops: list[Crop], looks: int) -> Said:
        """The same people with Thunder's keypoints, where the model has it."""
        if self.thunder is None:
            return said
        pixels = extract_batch(image, [closer(crop) for crop in crops])
        return replace(said, keypoints=self.thunder(pixels, _turns(crops), looks))

    def _inputs(self, crops: Sequence[Crop], camera: Camera) -> tuple[Array, Array]:
        """Rotation and context of crops, as the network takes them."""
        centre, size = _places(crops, camera)
        count = len(crops)
        context = crop_context(
            centre,
            size,
            image_size=np.tile([float(camera.width), float(camera.height)], (count, 1)),
            principal_px=np.tile([camera.cx, camera.cy], (count, 1)),
            focal_px=np.full(count, camera.focal_px),
            image_known=np.ones(count, dtype=bool),
            focal_known=np.full(count, camera.known),
            encoder=[self.encoder] * count,
        )
        return _turns(crops), context

    def _assemble(
        self,
        said: Said,
        crops: list[Crop],
        camera: Camera,
        sizes: Sizes,
        score: Float[Array, " person"],
        track: tuple[int, ...] | None = None,
    ) -> PoseBatch:
        centre, size = _places(crops, camera)
        return assemble(
            said.prediction,
            centre_px=centre,
            size_px=size,
            camera=camera,
            sizes=sizes,
            calibrator=self.calibrator,
            source=self.encoder,
            score=score,
            track=track,
            second=said.second,
            keypoints=said.keypoints,
        )


def _turns(crops: Sequence[Crop]) -> Float[Array, "crop 2"]:
    """(cos, sin) of each crop's angle."""
    angle = np.array([crop.angle_rad for crop in crops])
    return np.stack((np.cos(angle), np.sin(angle)), axis=1)


def _places(crops: Sequence[Crop], camera: Camera) -> tuple[Float[Array, "crop 2"], Float[Array, " crop"]]:
    """Centres and sides of crops in ideal pixels."""
    seen = np.array([crop.center_px for crop in crops])
    centre = camera.undistort(seen)
    centre = np.where(np.isfinite(centre), centre, seen)  # a crop may reach beyond what the lens can show
    return centre, np.array([crop.size_px for crop in crops])
