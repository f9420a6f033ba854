"""`sigmapose evaluate`: anybody's 3D poses against the truth."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.evaluate.results import Results


@dataclass(frozen=True)
class Evaluate:
    """Evaluate 3D poses, and their error bars if they have any, against ground truth.

    Frames and joints are matched by name. A frame or joint that only one file contains is an error unless
    --matching allows it; a joint that was not detected counts as a failure.
    """

    predictions: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="PRED")]
    """poses.json, or 3D joints from any program: .csv, .json (MediaPipe, MMPose, NLF) or .npz."""
    truth: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="TRUTH")]
    """The same formats, or a data set as NAME:PATH, e.g. synth:shards (docs/datasets.md)."""
    beside: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PRED ...")] = ()
    """Further predictions of the same frames, to compare with PRED."""
    calibrator: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Calibrator from `sigmapose calibrate --predictions` that adds error bars to PRED; it must have been
    fitted on other clips."""
    matching: Literal["all", "truth", "common"] = "all"
    """Treatment of frames and joints that only one file contains. all: an error. truth: those missing in PRED
    count as not detected, those missing in TRUTH are ignored. common: both are ignored."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the metrics to this file, as JSON."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE.html")] = None
    """Write an HTML report with figures and the worst frames to this file."""
    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Joint order of PRED if the file does not state it, e.g. coco_17."""
    truth_skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Joint order of TRUTH if the file does not state it."""
    unit: Literal["mm", "cm", "m"] | None = None
    """Unit of PRED if it cannot be inferred from the size of the people."""
    track: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Track to evaluate if a poses.json contains several people."""
    split: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Use only this split of a data set, e.g. test."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="HZ")] = None
    """Frame rate of the video; motion errors are then reported per second instead of per frame."""

    def __call__(self) -> int:
        from sigmapose.errors import InputError
        from sigmapose.evaluate.evaluation import evaluate
        from sigmapose.evaluate.prediction_files import read_predicted, read_truth, with_calibrator
        from sigmapose.report.scorecard import card_of
        from sigmapose.writing import check_place

        for option, file in (("--json", self.json), ("--report", self.report)):
            if file is not None:
                check_place(file, option)
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise InputError(f"--fps {self.fps:g}: give the frames per second of the video, e.g. 30")
        truth = read_truth(self.truth, skeleton=self.truth_skeleton, split=self.split)
        first = read_predicted(
            self.predictions,
            name=self.predictions.stem,
            skeleton=self.skeleton,
            unit=self.unit,
            track=self.track,
        )
        if self.calibrator is not None:
            first = with_calibrator(first, self.calibrator, truth)
        others = [read_predicted(path, name=path.stem, track=self.track) for path in self.beside]
        results = evaluate(truth, [first, *others], matching=self.matching, rate_hz=self.fps)
        card = card_of(results)
        sys.stdout.write(card.table() + "\n")
        self._write(results, card.to_json())
        return 0

    def _write(self, results: Results, card: str) -> None:
        from sigmapose.writing import write_text

        if self.json is not None:
            write_text(card, self.json)
        if self.report is not None:
            from sigmapose.report.page import write

            write(results, self.report)
            sys.stdout.write(f"wrote {self.report}\n")
