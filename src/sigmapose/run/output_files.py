"""The files of one run: `poses.json`, the annotated picture or video, `scene.html`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from sigmapose.errors import OutputError
from sigmapose.run.inputs import PictureResult
from sigmapose.run.page_media import page_media
from sigmapose.run.places import Room, check_folder, check_free, check_no_input
from sigmapose.run.sink import Sink
from sigmapose.writing import check_place, is_special, not_written

if TYPE_CHECKING:
    from sigmapose.camera import Camera
    from sigmapose.io.poses_json import PosesWriter
    from sigmapose.pose import Frame
    from sigmapose.shapes import Array
    from sigmapose.view.overlay import Overlay
    from sigmapose.view.scene import SceneWriter

POSES, SCENE = "poses.json", "scene.html"
OVERLAYS = {"photo": "overlay.jpg", "folder": "overlay", "video": "overlay.mp4", "keypoints": None}
JPEG_QUALITY = 92


class Outputs:
    """Checks the places, then writes what comes in a thread of its own. Use as a context manager.

    No file is opened, and none of an earlier run is touched, before the first picture is done: a run that
    fails earlier leaves everything as it was. An error or an interruption later closes every file so that
    what was finished is kept.

    Args:
        folder: for all three files; None to write only the JSON.
        json: further place of the JSON; `-` is standard output.
        kind: photo, folder, video or keypoints.
        title: heading of the scene.
        read: the input, which no output may replace.
        overlay: whether to draw.
        overwrite: replace the files of an earlier run.
        smoothed: whether people are smoothed in time.

    Raises:
        OutputError: nowhere to write, files that exist, or a place that cannot be written.
    """

    def __init__(
        self, folder: Path | None, json: str | None, *, kind: str, title: str, fps: float | None = None,
        read: Path | None = None, overlay: bool = True, overwrite: bool = False, smoothed: bool = False,
    ) -> None:  # fmt: skip
        if folder is None and json is None:
            raise OutputError("nowhere to write: give --out DIR, or --json - for standard output")
        name = OVERLAYS[kind]
        self.folder, self._fps, self._title = folder, fps, title
        self._json = None if json in (None, "-") else Path(json)
        self._stdout = json == "-"
        self._overlay = folder / name if folder is not None and name is not None and overlay else None
        self._separate, self._kind, self._read = kind == "folder", kind, read
        self._stack = ExitStack()
        self._complete, self._failed = True, False
        self._messages: list[str] = []
        self._writers: list[PosesWriter] = []
        self._scene: SceneWriter | None = None
        self._drawn: dict[tuple[int, int], Overlay] = {}
        self._start_s: float | None = None
        self._overwrite, self._smoothed = overwrite, smoothed
        self.frames = 0
        self._check(read, [folder] if folder is not None and kind == "keypoints" else [])

    @property
    def stdout_taken(self) -> bool:
        """Whether standard output carries the JSON, so that nothing else may be said there."""
        return self._stdout

    @property
    def draws(self) -> bool:
        """Whether there is an overlay, which needs every picture."""
        return self._overlay is not None

    @property
    def written(self) -> list[Path]:
        """What lies on disk now."""
        places = [self._json, self._in_folder(POSES), self._overlay, self._in_folder(SCENE)]
        return [place for place in places if place is not None and place.exists()]

    def _in_folder(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / name

    def _earlier(self) -> list[Path]:
        """Where an earlier run may have written."""
        folder = self.folder
        inside = [] if folder is None else [folder / n for n in (POSES, SCENE, *OVERLAYS.values()) if n]
        return inside if self._json is None else [*inside, self._json]

    def _check(self, read: Path | None, of_inputs: list[Path]) -> None:
        """`of_inputs`: folders whose files would be read as inputs, results among them."""
        if self.folder is not None:
            check_folder(self.folder)
        if self._json is not None and self._json.parent != self.folder:
            check_place(self._json, "--json")
        check_no_input([*self._earlier(), *of_inputs], read)
        check_free(self._earlier(), self._overwrite)

    def __enter__(self) -> Outputs:
        self._room = Room(self.folder)
        try:
            check_free(self._earlier(), self._overwrite)  # by a run that has just ended
        except BaseException:
            self._room.leave()
            raise
        self._sink = Sink(self._consume)
        return self

    def _open(self) -> None:
        from sigmapose.io.poses_json import PosesWriter

        self._room.set_aside(self._earlier())
        if self.folder is not None:
            self._scene = self._stack.enter_context(self._scene_writer(self.folder))
        targets = [self._in_folder(POSES), self._json, sys.stdout.buffer if self._stdout else None]
        for target in targets:
            if target is not None:
                writer = PosesWriter(target, smoothed=self._smoothed)
                self._stack.callback(lambda writer=writer: writer.close(complete=self._complete))
                self._writers.append(writer)

    def _scene_writer(self, folder: Path) -> SceneWriter:
        from sigmapose.run.angle_bands import angle_bands
        from sigmapose.view.scene import SceneWriter

        media = page_media(folder, self._kind, self._overlay, self._read)
        measure = angle_bands if self._kind in ("video", "keypoints") else None
        return SceneWriter(folder / SCENE, title=self._title, media=media, measure=measure)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._failed = kind is not None
        with ExitStack() as last:
            last.callback(self._settle)
            with self._stack:  # files close when all that is queued is written, also after an error of it
                try:
                    self._sink.close()
                    if not self._failed and not self._writers:  # there was nothing to look at
                        self._open()
                except BaseException:
                    self._failed = True
                    raise
                finally:
                    self._complete = self._complete and not self._failed
                    self._tell()

    def _tell(self) -> None:
        for writer in self._writers:
            for message in self._messages:
                writer.add_message(message)
        if self._scene is not None and self._nothing_kept:
            self._scene.discard()

    @property
    def _nothing_kept(self) -> bool:
        """Whether the run failed before any file held a picture."""
        return self._failed and not any(writer.frames for writer in self._writers)

    def _settle(self) -> None:
        """All files are closed: those of the earlier run go, or come back where this one kept nothing."""
        if self._nothing_kept:
            for place in (self._in_folder(POSES), self._json):
                if self._writers and place is not None and not is_special(place):
                    place.unlink(missing_ok=True)
            self._room.bring_back()
        self._room.leave()

    def write(self, seen: PictureResult) -> None:
        """Queue one picture."""
        self._sink.put(seen, 0 if seen.rgb is None else seen.rgb.nbytes)

    def write_frame(self, frame: Frame, camera: Camera) -> None:
        """Queue the people of a picture that is not at hand."""
        self._sink.put(PictureResult(frame, None, camera))

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
        self._messages.extend(messages)

    def _consume(self, seen: PictureResult) -> None:
        from sigmapose.io.poses_json import Source

        if not self._writers:
            self._open()
        for writer in self._writers:
            writer.add_source(Source(seen.frame.source, seen.camera, self._fps))
            writer.write(seen.frame)
        if self._scene is not None:
            self._scene.add(seen.frame, seen.rgb, seen.camera)
        if self._overlay is not None and seen.rgb is not None:
            self._draw(seen, seen.rgb, self._overlay)
        self.frames += 1

    def _draw(self, seen: PictureResult, rgb: Array, place: Path) -> None:
        from sigmapose.view.overlay import Overlay

        height, width = rgb.shape[:2]
        overlay = self._drawn.setdefault((width, height), Overlay(width, height))
        picture = overlay.draw(rgb, seen.frame.poses)
        if self._fps is None:
            if self._separate and not self.frames:
                _make_empty(place)
            _write_jpeg(picture, place / f"{seen.frame.source}.jpg" if self._separate else place)
            return
        if self._start_s is None:
            from sigmapose.io.video import VideoWriter

            self._start_s = seen.frame.time_s
            writer = VideoWriter(place, self._fps, (overlay.width, overlay.height))
            self._video = self._stack.enter_context(writer)
        self._video.write(picture, seen.frame.time_s - self._start_s)


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
        for file in folder.glob("*.jpg"):
            file.unlink()
    except OSError as error:
        raise not_written(folder, error) from error


def _write_jpeg(rgb: Array, place: Path) -> None:
    import cv2

    _, data = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    try:
        place.write_bytes(data.tobytes())
    except OSError as error:
        place.unlink(missing_ok=True)
        raise not_written(place, error, "choose another --out") from error
