"""`sigmapose lift`: 2D keypoints of anybody's detector to 3D poses with error bars."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.run.camera_option import CameraOption

FPS = (1e-3, 1e5)
"""Frame rates of films that people are seen in, from time lapse to high speed."""


@dataclass(frozen=True)
class Lift:
    """Lift 2D keypoints to 3D poses: COCO results, MMPose, OpenPose, AlphaPose, Sports2D or Pose2Sim JSON."""

    keypoints: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="KEYPOINTS")]
    """JSON file, or the folder of an OpenPose-like program (one JSON per frame)."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for poses.json and scene.html; created if missing."""
    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Joint order, e.g. coco_17, body_26, body_25, h36m_17; by default inferred from the number of joints."""
    camera: Annotated[str | None, tyro.conf.arg(metavar="CAMERA")] = None
    """f=28mm (35mm-equivalent), fov=60 (degrees, longer side), or k=FILE with a camera calibration; with a
    standard deviation f=26mm+-1mm, fov=60+-3."""
    image_size: Annotated[str | None, tyro.conf.arg(metavar="WxH")] = None
    """Size of the pictures in pixels, e.g. 1920x1080; required for --camera if no file states it."""
    height: Annotated[str | None, tyro.conf.arg(metavar="LENGTH", aliases=["--height-mm"])] = None
    """Standing height of the people, if known: 1.78m, 178cm, 1780 (mm), 5ft10in; with its standard deviation
    1.78m+-2cm (15 mm unless given); 0=1.78m,1=1.65m by the people's numbers in poses.json."""
    segment: Annotated[str | None, tyro.conf.arg(metavar="NAME=LENGTH")] = None
    """Length of segments between joint centres, if known, instead of the height or beside it: thigh=42cm,
    shank=40cm+-1cm; thigh, shank, upper_arm, forearm, trunk, shoulder_width. 0:thigh=42cm for person 0."""
    stature: Literal["adult", "child", "any"] = "adult"
    """Standing height assumed without --height: of adults, of children of 3 to 13 years, or any."""
    calibrator: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Calibrator to use instead of the shipped one; `none`: error bars as the network predicts them."""
    fps: float = 30.0
    """Frame rate, from which the time of each frame is computed."""
    json: Annotated[str | None, tyro.conf.arg(metavar="-|FILE")] = None
    """Also write the JSON to this file; - is standard output."""
    overwrite: bool = False
    """Replace the results of an earlier run."""

    def __call__(self) -> int:
        from sigmapose.errors import InputError
        from sigmapose.io.keypoints import read_keypoints
        from sigmapose.run.camera_option import CameraOption
        from sigmapose.run.keypoint_lifting import lift_file
        from sigmapose.run.output_files import Outputs
        from sigmapose.run.size_option import nobody_has, parse_sizes

        if not FPS[0] <= self.fps <= FPS[1]:
            raise InputError(f"--fps {self.fps:g}: give the frames per second of the pictures, e.g. 30")
        size = parse_sizes(self.height, self.segment)
        option, pixels = CameraOption.parse(self.camera), _size(self.image_size)
        outputs = Outputs(
            self.out,
            self.json,
            kind="keypoints",
            title=self.keypoints.name,
            fps=self.fps,
            read=self.keypoints,
            overwrite=self.overwrite,
        )
        file = read_keypoints(self.keypoints, skeleton=self.skeleton, image_size=pixels or option.size)
        camera, pixels, note = self._camera(option, pixels or file.image_size or option.size)
        lifted = lift_file(
            file, camera=camera, image_size=pixels, fps=self.fps, size=size,
            calibrator=self.calibrator, stature=self.stature,
        )  # fmt: skip
        tracks = {person.track for frame in file.frames for person in frame.people}
        messages = [*file.messages, *lifted.left_out, *nobody_has(size, tracks)]
        with outputs:
            for frame in lifted.frames:
                outputs.write_frame(frame, lifted.camera)
            outputs.add_messages(messages, broken=False)
        for message in messages:
            sys.stderr.write(f"sigmapose: warning: {self.keypoints}: {message}\n")
        said = sys.stderr if outputs.stdout_taken else sys.stdout
        people, frames = lifted.people, len(file.frames)
        count = f"{people} {'pose' if people == 1 else 'poses'}" if people else "nobody"
        pictures = f"{frames} {'frame' if frames == 1 else 'frames'}"
        said.write(
            f"{self.keypoints.name}: {count} in {pictures}, {file.skeleton}; {note}{outputs.places()}\n"
        )
        return 0

    def _camera(
        self, option: CameraOption, size: tuple[int, int] | None
    ) -> tuple[Camera | None, tuple[int, int] | None, str]:
        from sigmapose.errors import InputError

        if self.camera is None:
            place = "" if size else ", place in the picture not used: --image-size gives it"
            return None, size, f"field of view 53° (assumed, --camera replaces it){place}"
        if size is None:
            raise InputError(
                f"--camera {self.camera}: needs the size of the pictures: add --image-size 1920x1080"
            )
        camera, note = option.at(*size)
        return camera, size, f"field of view {camera.fov_deg:.0f}° ({note})"


def _size(text: str | None) -> tuple[int, int] | None:
    from sigmapose.errors import InputError

    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text.lower())
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not min(size):
        raise InputError(f"--image-size {text}: not a size: give width x height in pixels, e.g. 1920x1080")
    return size
