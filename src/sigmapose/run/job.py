"""One job: people are looked for in every picture of an input, and what is found goes to the outputs."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sigmapose.run.interrupt import finish_first

if TYPE_CHECKING:
    from sigmapose.estimate.estimator import Estimator
    from sigmapose.pose import Frame
    from sigmapose.run.inputs import Pictures
    from sigmapose.run.output_files import Outputs
    from sigmapose.run.smoothed_video import LookOptions


def predict(
    pictures: Pictures,
    outputs: Outputs,
    tally: RunSummary,
    make: Callable[[], Estimator],
    *,
    options: LookOptions,
    title: str = "",
) -> None:
    """Look at every picture, write what is found, and count it; progress goes to stderr where somebody looks.

    Args:
        pictures: `sigmapose.run.inputs.open_input`.
        outputs: closed afterwards, also after an error.
        tally: filled on the way.
        make: loads the networks; called once, before any file is opened.
        options: how pictures are looked at.
        title: of the progress bar.

    Raises:
        KeyboardInterrupt: Ctrl-C, after the current picture is written.
    """
    import cv2
    from tqdm import tqdm

    cv2.setNumThreads(1)  # its threads get in the way of those that decode, compute and write
    estimator = make()
    unit = "frame" if pictures.kind == "video" else "photo"
    bar = tqdm(total=pictures.count, unit=unit, desc=title, disable=None, file=sys.stderr)
    with outputs, finish_first() as check, bar:

        def tick() -> None:
            bar.update()
            try:
                check()
            except KeyboardInterrupt:
                if options.smooth and not bar.disable:  # this takes seconds, in which people press it again
                    bar.write(
                        "stopping: what was seen is smoothed; Ctrl-C again gives it up", file=sys.stderr
                    )
                raise

        tally.start()
        for seen in pictures.look(estimator, options, tick):
            outputs.write(seen)
            tally.add(seen.frame, seen.camera.fov_deg)
        outputs.add_messages(pictures.messages, broken=not pictures.complete)
    tally.stop()


@dataclass
class RunSummary:
    """What was found, for the one line at the end."""

    pictures: int = 0
    poses: int = 0
    tracks: set[int] = field(default_factory=set)
    fovs_deg: tuple[float, float] = (math.inf, -math.inf)
    """Smallest and largest."""
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
        self.fovs_deg = min(self.fovs_deg[0], fov_deg), max(self.fovs_deg[1], fov_deg)

    def summary(self, pictures: Pictures) -> str:
        """People, pictures, speed, camera."""
        video = pictures.kind == "video"
        people = len(self.tracks) if video else self.poses
        found = "nobody found" if people == 0 else f"{people} {'person' if people == 1 else 'people'}"
        noun = "frame" if video else "photo"
        where = f"in {self.pictures} {noun}{'' if self.pictures == 1 else 's'}"
        speed = f", {self.pictures / self.seconds:.1f} frames/s" if video and self.seconds > 0 else ""
        low, high = (f"{fov:.0f}°" for fov in self.fovs_deg)
        camera = f"field of view {low if low == high else f'{low} to {high}'} ({pictures.camera_note})"
        return f"{found} {where}{speed}; {camera}"
