"""`sigmapose predict`: a photo, a folder of photos or a video to 3D poses with error bars."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.pose import Frame
    from sigmapose.run.inputs import Pictures
    from sigmapose.run.outputs import Outputs


@dataclass(frozen=True)
class Predict:
    """Find people in a photo, a folder of photos or a video, in 3D and with error bars."""

    input: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="IN")]
    """Photo, video, or folder of photos."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for poses.json, the annotated picture or video, and scene.html; it is made if need be."""
    model: Literal["lite", "full", "heavy"] = "full"
    """Size of the network."""
    camera: Annotated[str | None, tyro.conf.arg(metavar="CAMERA")] = None
    """f=28mm (35mm-equivalent), fov=60 (degrees, longer side), or k=camera.json with the matrix K."""
    height_mm: Annotated[float | None, tyro.conf.arg(metavar="MM")] = None
    """Standing height of the people, if you know it: makes distances sharper."""
    people: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """At most this many people per picture; all by default."""
    frames: Annotated[str | None, tyro.conf.arg(metavar="A:B")] = None
    """Part of a video or folder: A <= index < B; either may be left out."""
    calibrator: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Calibrator made by `sigmapose calibrate --data`; none for the network's own error bars."""
    device: str = "cpu"
    """cpu, or cuda with onnxruntime-gpu."""
    no_overlay: bool = False
    """Leave out the annotated picture or video."""
    json: Annotated[str | None, tyro.conf.arg(metavar="-|FILE")] = None
    """Write the JSON here too; - is standard output."""
    overwrite: bool = False
    """Replace the results of an earlier run."""

    def __call__(self) -> int:
        from sigmapose.run.camera_option import CameraOption
        from sigmapose.run.inputs import open_input
        from sigmapose.run.outputs import Outputs

        pictures = open_input(self.input, CameraOption.parse(self.camera), self.frames)
        outputs = Outputs(
            self.out, self.json, kind=pictures.kind, title=self.input.name, fps=pictures.fps,
            overlay=not self.no_overlay, overwrite=self.overwrite,
        )  # fmt: skip
        tally = Tally()
        try:
            self._look(pictures, outputs, tally)
        except KeyboardInterrupt:
            of = "" if pictures.count is None else f" of {pictures.count}"
            sys.stderr.write(
                f"sigmapose: interrupted: {outputs.frames}{of} pictures are kept{outputs.places()}\n"
            )
            return 130
        for message in pictures.messages:
            sys.stderr.write(f"sigmapose: warning: {message}\n")
        said = sys.stderr if outputs.stdout_taken else sys.stdout
        said.write(f"{self.input.name}: {tally.summary(pictures)}{outputs.places()}\n")
        return 0

    def _look(self, pictures: Pictures, outputs: Outputs, tally: Tally) -> None:
        import cv2
        from tqdm import tqdm

        from sigmapose.estimate.api import load
        from sigmapose.run.interrupt import finish_first

        cv2.setNumThreads(1)  # its threads get in the way of those that decode, compute and write
        estimator = load(self.model, calibrator=self.calibrator, device=self.device, people=self.people)
        unit = "frame" if pictures.kind == "video" else "photo"
        bar = tqdm(total=pictures.count, unit=unit, desc=self.input.name, disable=None, file=sys.stderr)
        with outputs, finish_first() as check, bar:
            tally.start()
            for seen in pictures.look(estimator, self.height_mm):
                outputs.write(seen)
                tally.add(seen.frame, seen.camera.fov_deg)
                bar.update()
                check()
            outputs.add_messages(pictures.messages, broken=bool(pictures.messages))
        tally.stop()


@dataclass
class Tally:
    """What was found, for the one line at the end."""

    pictures: int = 0
    poses: int = 0
    tracks: set[int] = field(default_factory=set)
    fov_deg: float = 0.0
    seconds: float = 0.0

    def start(self) -> None:
        """The networks are loaded, the first picture comes."""
        self.seconds = -time.perf_counter()

    def stop(self) -> None:
        """All files are closed."""
        self.seconds += time.perf_counter()

    def add(self, frame: Frame, fov_deg: float) -> None:
        """Count one picture."""
        self.pictures += 1
        self.poses += len(frame.poses)
        self.tracks.update(pose.track for pose in frame.poses)
        self.fov_deg = fov_deg

    def summary(self, pictures: Pictures) -> str:
        """People, pictures, speed, camera."""
        video = pictures.kind == "video"
        people = len(self.tracks) if video else self.poses
        found = "nobody found" if people == 0 else f"{people} {'person' if people == 1 else 'people'}"
        noun = "frame" if video else "photo"
        where = f"in {self.pictures} {noun}{'' if self.pictures == 1 else 's'}"
        speed = f", {self.pictures / self.seconds:.1f} frames/s" if video and self.seconds > 0 else ""
        camera = f"field of view {self.fov_deg:.0f}° ({pictures.camera_note})"
        return f"{found} {where}{speed}; {camera}"
