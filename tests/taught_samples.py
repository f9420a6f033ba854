"""Pictures of a walking person as an encoder might see them, for the tests of teachers."""

from __future__ import annotations

import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.readers.placed import PlacedCamera
from sigmapose.learn.data.samples import PictureFeatures, ViewLabels
from sigmapose.learn.networks.phi import ROOT
from sigmapose.learn.teacher.lesson import Lesson
from walking_person import walking_joints_mm

STATURE_MM = 1750.0


def ring(count: int) -> tuple[PlacedCamera, ...]:
    """Cameras around the origin, 3.5 m away; y points down in the world."""
    cameras = []
    for angle in np.linspace(0.2, 2 * np.pi + 0.2, count, endpoint=False):
        ahead = -np.array([np.cos(angle), -0.1, np.sin(angle)])
        ahead /= np.linalg.norm(ahead)
        right = np.cross([0, 1.0, 0], ahead)
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        camera = Camera(1280, 1280, 1100.0, 1100.0, 640.0, 640.0, (-0.05, 0.1, 0.001, 0.0005))
        cameras.append(PlacedCamera(f"c{len(cameras)}", camera, rotation, rotation @ (3500 * ahead)))
    return tuple(cameras)


def walk(frames: int, cameras: tuple[PlacedCamera, ...], seed: int = 0) -> PictureFeatures:
    """A walk of `frames` frames, seen by every camera, in crops that jitter; ids are walk/camera/frame."""
    rng = np.random.default_rng(seed)
    rows = [(camera, frame) for camera in cameras for frame in range(frames)]
    joints = np.stack([camera.to_camera(walking_joints_mm(0.2 * frame)) for camera, frame in rows])
    points = np.stack([c.camera.project(j) for (c, _), j in zip(rows, joints, strict=True)])
    count = len(rows)
    lens = cameras[0].camera
    views = ViewLabels(
        points_px=points,
        depth_mm=joints[..., 2] - joints[:, ROOT, None, 2],
        root_depth_mm=joints[:, ROOT, 2],
        stature_mm=np.full(count, STATURE_MM),
        focal_px=np.full(count, lens.focal_px),
        principal_px=np.full((count, 2), lens.cx),
        image_size=np.full((count, 2), 1280.0),
        visibility=rng.choice([-1, 2], (count, 26)),
    )
    size = rng.uniform(700, 900, count)
    centre = points[:, ROOT] + rng.normal(0, 20, (count, 2))
    tokens = rng.normal(0, 0.3, (count, 26, 16)).astype(np.float32)
    tokens[..., :2] = (points - centre[:, None]) / size[:, None, None]
    tokens[..., 2] = 1.0
    return PictureFeatures(
        views=views,
        centre_px=centre,
        size_px=size,
        tokens={"heavy": tokens},
        valid={"heavy": np.ones(count, dtype=bool)},
        subject=np.array([camera.name for camera, _ in rows]),
        clip=np.full(count, "walk"),
        id=np.array([f"walk/{camera.name}/{frame:03d}" for camera, frame in rows]),
        people=np.full(count, ""),
        image={},
        rotation=np.tile([1.0, 0.0], (count, 1)),
        annotated=np.ones(count, dtype=bool),
    )


def true_lesson(pictures: PictureFeatures, sigma: float = 0.01) -> Lesson:
    """The truth as a lesson, stated with that standard deviation in crop widths."""
    views, size = pictures.views, pictures.size_px
    count, mm_per_crop = len(pictures), views.root_depth_mm * size / views.focal_px
    return Lesson(
        id=pictures.id,
        centre_px=pictures.centre_px,
        size_px=size,
        points=(views.points_px - pictures.centre_px[:, None]) / size[:, None, None],
        points_cov=np.broadcast_to(sigma**2 * np.eye(2), (count, 26, 2, 2)).copy(),
        depth=views.depth_mm / mm_per_crop[:, None],
        cov=np.broadcast_to(sigma**2 * np.eye(3), (count, 26, 3, 3)).copy(),
        log_stature=np.stack([np.log(views.stature_mm / mm_per_crop), np.full(count, 0.02)], -1),
        kept=np.ones(count, dtype=bool),
    )


class SaysTheTruth:
    """A teacher that knows the truth but for noise of a stated size."""

    def __init__(self, sigma: float, seed: int = 0, stated: float | None = None) -> None:
        self.sigma, self.seed, self.stated = sigma, seed, stated

    def teach(self, clean: PictureFeatures, mirrored: PictureFeatures | None = None) -> Lesson:
        lesson = true_lesson(clean, self.stated or self.sigma)
        rng = np.random.default_rng(self.seed)
        lesson.points[:] += rng.normal(0, self.sigma, lesson.points.shape)
        lesson.depth[:] += rng.normal(0, self.sigma, lesson.depth.shape)
        lesson.depth[:, ROOT] = 0.0
        return lesson
