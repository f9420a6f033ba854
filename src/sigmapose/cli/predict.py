"""`sigmapose predict`: a photo, a folder of photos or a video to 3D poses with error bars."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.run.exports import ExportOption
    from sigmapose.run.inputs import Pictures


@dataclass(frozen=True)
class Predict:
    """Estimate 3D poses with error bars for the people in a photo, a folder of photos or a video."""

    input: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IN...")]
    """Photo, video, animated picture, or folder of photos; a folder of frames with --fps; several videos with
    --calibration."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for poses.json, the annotated picture or video, and scene.html; created if missing."""
    model: Literal["lite", "full", "heavy", "best"] = "heavy"
    """full is for live use, lite for slow machines; heavy is more accurate than both. best also asks a second
    network (MoveNet Thunder) where joints are in the picture: errors a little smaller and error bars a tenth
    shorter in our validation videos, 1.5 times the time of heavy; for photos and files."""
    looks: Annotated[Literal[1, 2] | None, tyro.conf.arg(metavar="1|2")] = None
    """2: average the predictions for each person and their mirror image; slower, more accurate. By default 2
    for photos and 1 for video."""
    camera: Annotated[str | None, tyro.conf.arg(metavar="CAMERA")] = None
    """f=28mm (35mm-equivalent), fov=60 (degrees, longer side), or k=FILE with a camera calibration; with a
    standard deviation f=26mm+-1mm, fov=60+-3."""
    calibration: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Cameras of one recording, for several videos that begin at the same moment; predictions are fused:
    .toml of Pose2Sim or Anipose, or .qca.txt of Qualisys."""
    height: Annotated[str | None, tyro.conf.arg(metavar="LENGTH", aliases=["--height-mm"])] = None
    """Standing height of the people, if known: 1.78m, 178cm, 1780 (mm), 5ft10in; with its standard deviation
    1.78m+-2cm (15 mm unless given); 0=1.78m,1=1.65m by the people's numbers in poses.json."""
    segment: Annotated[str | None, tyro.conf.arg(metavar="NAME=LENGTH")] = None
    """Length of segments between joint centres, if known, instead of the height or beside it: thigh=42cm,
    shank=40cm+-1cm; thigh, shank, upper_arm, forearm, trunk, shoulder_width. 0:thigh=42cm for person 0."""
    stature: Literal["adult", "child", "any"] = "adult"
    """Standing height assumed without --height: of adults, of children of 3 to 13 years, or any."""
    people: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Maximum number of people per picture; all by default."""
    frames: Annotated[str | None, tyro.conf.arg(metavar="A:B")] = None
    """Frames of a video or folder to process: A <= index < B; either bound may be omitted."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="N")] = None
    """Frames per second: makes one video of a folder of frames, in the order of the numbers in their names;
    needed for a raw stream (.h264, .mjpeg); for any other video instead of its own times."""
    calibrator: Annotated[str | None, tyro.conf.arg(metavar="FILE")] = None
    """Calibrator made by `sigmapose calibrate --data`; `none`: error bars as the network predicts them."""
    smooth: bool = True
    """Smooth the people of a video in time, by the error bars of every frame; bones keep their lengths.
    --no-smooth: every frame by itself."""
    raw: bool = False
    """Keep in poses.json also what each frame of a smoothed video shows by itself."""
    device: str = "cpu"
    """cpu, or cuda (requires onnxruntime-gpu)."""
    no_overlay: bool = False
    """Do not write the annotated picture or video."""
    json: Annotated[str | None, tyro.conf.arg(metavar="-|FILE")] = None
    """Also write the JSON to this file; - is standard output."""
    export: Annotated[str | None, tyro.conf.arg(metavar="trc,csv")] = None
    """Also write poses.trc, poses.csv, ... beside poses.json: csv, parquet, npz, trc, mot, c3d, bvh, glb,
    openpose; see `sigmapose convert`."""
    overwrite: bool = False
    """Replace the results of an earlier run."""

    def __call__(self) -> int:
        from sigmapose.reading import legible
        from sigmapose.run.exports import ExportOption
        from sigmapose.run.job import RunSummary, predict
        from sigmapose.run.output_files import Outputs
        from sigmapose.run.size_option import nobody_has, parse_sizes
        from sigmapose.run.smoothed_video import LookOptions

        size = parse_sizes(self.height, self.segment)
        name = legible(self.input[0].name if self.input else "")
        pictures = self._pictures()
        exports = ExportOption.parse(self.export)
        exports.check(self.out, pictures.kind, self.overwrite)
        smooth = self.smooth and pictures.kind == "video"
        if self.raw and not smooth:
            sys.stderr.write(f"sigmapose: note: --raw keeps nothing more: {self._not_smoothed()}\n")
        outputs = Outputs(
            self.out, self.json, kind=pictures.kind, title=name, fps=pictures.fps,
            read=self.input[0], overlay=not self.no_overlay, overwrite=self.overwrite,
            smoothed=smooth,
        )  # fmt: skip
        tally = RunSummary()
        from sigmapose.estimate.api import load  # only when input and outputs are in order

        try:
            predict(
                pictures,
                outputs,
                tally,
                lambda: load(
                    self.model,
                    calibrator=self.calibrator,
                    device=self.device,
                    people=self.people,
                    looks=self.looks,
                    stature=self.stature,
                ),
                options=LookOptions(size, smooth, self.raw, outputs.draws),
                title=name,
            )
        except KeyboardInterrupt:
            of = "" if pictures.count is None else f" of {pictures.count}"
            kept = f"{outputs.frames}{of} pictures are kept{outputs.places()}"
            if exports.words and outputs.frames:
                kept += (
                    f"; not exported ({', '.join(exports.words)}): `sigmapose convert` makes it of poses.json"
                )
            sys.stderr.write(f"sigmapose: interrupted: {legible(kept)}\n")
            return 130
        for message in [*pictures.messages, *nobody_has(size, tally.tracks)]:
            sys.stderr.write(f"sigmapose: warning: {legible(message)}\n")
        said = sys.stderr if outputs.stdout_taken else sys.stdout
        said.write(legible(f"{name}: {tally.summary(pictures)}{outputs.places()}") + "\n")
        if self.out is not None and exports.words:
            said.write(self._exported(exports, self.out, tally.poses))
        return 0

    def _not_smoothed(self) -> str:
        if not self.smooth:
            return "with --no-smooth poses.json holds what each frame shows by itself"
        return "only people of a video are smoothed, not those of photos"

    def _pictures(self) -> Pictures:
        from sigmapose.errors import InputError

        if self.calibration is not None:
            if self.camera is not None:
                raise InputError("--camera and --calibration: give one of them")
            from sigmapose.run.several_views import open_views

            return open_views(self.input, self.calibration, self.frames, self.fps)
        if not self.input:
            raise InputError("no input: give a photo, a video or a folder of photos")
        only, *others = self.input
        if others:
            raise InputError(
                f"{len(self.input)} inputs: give one at a time; for videos of one recording "
                "their --calibration FILE"
            )
        from sigmapose.run.camera_option import CameraOption
        from sigmapose.run.inputs import open_input

        return open_input(only, CameraOption.parse(self.camera), self.frames, self.fps)

    def _exported(self, exports: ExportOption, folder: Path, poses: int) -> str:
        """Convert what was found, and say what was written."""
        from sigmapose.reading import legible

        if not poses:
            return "nobody was found: there is nothing to export\n"
        done = exports.write(folder)
        for place, note in ((part.paths[0].name, note) for part in done for note in part.notes):
            sys.stderr.write(f"sigmapose: warning: {legible(f'{place}: {note}')}\n")
        names = ", ".join(path.name for part in done for path in part.paths)
        return legible(f"exported {names} in {folder}") + "\n"
