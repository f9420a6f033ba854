"""The files of one run: `poses.json`, the annotated picture or video, `scene.html`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sigmapose.errors import OutputError
from sigmapose.run.inputs import Seen
from sigmapose.run.sink import Sink

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.io.poses_json import PosesWriter
    from sigmapose.pose import Frame
    from sigmapose.shapes import Array
    from sigmapose.view.overlay import Overlay

POSES, SCENE = "poses.json", "scene.html"
OVERLAYS = {"photo": "overlay.jpg", "folder": "overlay", "video": "overlay.mp4", "keypoints": None}
JPEG_QUALITY = 92


class Outputs:
    """Prepares the folder, then writes what comes in a thread of its own. Use as a context manager.

    An error or an interruption inside the `with` block closes every file so that what was finished is kept.

    Args:
        folder: for all three files; None to write only the JSON.
        json: further place of the JSON; `-` is standard output.
        kind: photo, folder, video or keypoints.
        title: heading of the scene.
        overlay: whether to draw.
        overwrite: replace the files of an earlier run.

    Raises:
        OutputError: nowhere to write, files that exist, or a place that cannot be written.
    """

    def __init__(
        self, folder: Path | None, json: str | None, *, kind: str, title: str, fps: float | None = None,
        overlay: bool = True, overwrite: bool = False,
    ) -> None:  # fmt: skip
        if folder is None and json is None:
            raise OutputError("nowhere to write: give --out DIR, or --json - for standard output")
        name = OVERLAYS[kind]
        self.folder, self._fps, self._title = folder, fps, title
        self._json = None if json in (None, "-") else Path(json)
        self._stdout = json == "-"
        self._overlay = folder / name if folder is not None and name is not None and overlay else None
        self._separate = kind == "folder"
        self._stack = ExitStack()
        self._complete = True
        self._writers: list[PosesWriter] = []
        self._drawn: dict[tuple[int, int], Overlay] = {}
        self._start_s: float | None = None
        self.frames = 0
        self._prepare(overwrite)

    @property
    def stdout_taken(self) -> bool:
        """Whether standard output carries the JSON, so that nothing else may be said there."""
        return self._stdout

    @property
    def written(self) -> list[Path]:
        """What lies on disk now."""
        places = [self._json, self._in_folder(POSES), self._overlay, self._in_folder(SCENE)]
        return [place for place in places if place is not None and place.exists()]

    def _in_folder(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name

    def _prepare(self, overwrite: bool) -> None:
        if self.folder is not None:
            earlier = [self.folder / n for n in (POSES, SCENE, *OVERLAYS.values()) if n is not None]
            _make_room(earlier, overwrite)
            _make_folder(self.folder)
            if self._separate and self._overlay is not None:
                _make_folder(self._overlay)
        if self._json is not None and self._json.is_file():
            _make_room([self._json], overwrite)

    def __enter__(self) -> Outputs:
        from sigmapose.io.poses_json import PosesWriter
        from sigmapose.view.scene import SceneWriter

        with ExitStack() as stack:
            if self.folder is not None:
                self._scene = stack.enter_context(SceneWriter(self.folder / SCENE, title=self._title))
            targets = [self._in_folder(POSES), self._json, sys.stdout.buffer if self._stdout else None]
            for target in targets:
                if target is not None:
                    writer = PosesWriter(target)
                    stack.callback(lambda writer=writer: writer.close(complete=self._complete))
                    self._writers.append(writer)
            self._stack = stack.pop_all()
        self._sink = Sink(self._consume)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._complete = self._complete and kind is None
        with (
            self._stack
        ):  # the files close when everything queued is written, also after an error of the sink
            try:
                self._sink.close()
            except BaseException:
                self._complete = False
                raise

    def write(self, seen: Seen) -> None:
        """Queue one picture."""
        self._sink.put(seen)

    def write_frame(self, frame: Frame, camera: Camera) -> None:
        """Queue the people of a picture that is not at hand."""
        self._sink.put(Seen(frame, None, camera))

    def places(self) -> str:
        """What was written and where, for the end of a line."""
        written = self.written
        if not written:
            return ""
        if self.folder is None:
            return "; wrote " + ", ".join(str(place) for place in written)
        inside = [place.name for place in written if place.parent == self.folder]
        return f"; wrote {', '.join(inside)} in {self.folder}"

    def add_messages(self, messages: list[str], *, broken: bool) -> None:
        """Record what a reader of the JSON should know; `broken` marks the result as incomplete."""
        self._complete = self._complete and not broken
        for writer in self._writers:
            for message in messages:
                writer.add_message(message)

    def _consume(self, seen: Seen) -> None:
        from sigmapose.io.poses_json import Source

        for writer in self._writers:
            writer.add_source(Source(seen.frame.source, seen.camera, self._fps))
            writer.write(seen.frame)
        if self.folder is not None:
            self._scene.add(seen.frame, seen.rgb, seen.camera)
        if self._overlay is not None and seen.rgb is not None:
            self._draw(seen, seen.rgb, self._overlay)
        self.frames += 1

    def _draw(self, seen: Seen, rgb: Array, place: Path) -> None:
        from sigmapose.view.overlay import Overlay

        height, width = rgb.shape[:2]
        overlay = self._drawn.setdefault((width, height), Overlay(width, height))
        picture = overlay.draw(rgb, seen.frame.poses)
        if self._fps is None:
            _write_jpeg(picture, place / f"{seen.frame.source}.jpg" if self._separate else place)
            return
        if self._start_s is None:
            from sigmapose.io.video import VideoWriter

            self._start_s = seen.frame.time_s
            writer = VideoWriter(place, self._fps, (overlay.width, overlay.height))
            self._video = self._stack.enter_context(writer)
        self._video.write(picture, seen.frame.time_s - self._start_s)


def _make_room(places: list[Path], overwrite: bool) -> None:
    there = [place for place in places if place.exists()]
    if there and not overwrite:
        raise OutputError(f"{there[0]}: exists already: add --overwrite, or choose another --out")
    for place in there:
        try:
            if place.is_dir():
                for file in place.glob("*.jpg"):
                    file.unlink()
            else:
                place.unlink()
        except OSError as error:
            raise OutputError(
                f"{place}: cannot be replaced ({error.strerror}): choose another --out"
            ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".sigmapose"
        probe.touch()
        probe.unlink()
    except FileExistsError:
        raise OutputError(f"{folder}: is a file, not a folder: choose another --out") from None
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}): choose another --out") from error


def _write_jpeg(rgb: Array, place: Path) -> None:
    import cv2

    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    try:
        place.write_bytes(data.tobytes())
    except OSError as error:
        place.unlink(missing_ok=True)
        raise OutputError(
            f"{place}: writing stopped ({error.strerror}): free some space or choose another --out"
        ) from error
