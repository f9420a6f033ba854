"""`sigmapose calibrate`: error bars that hold, for our own poses or for anybody's."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.calibrate.peer import PeerCalibrator
    from sigmapose.io.predictions import Predictions3D

UnitName = Literal["mm", "cm", "m"]


@dataclass(frozen=True)
class Calibrate:
    """Calibrate error bars on labelled frames, or add calibrated error bars to poses.

    To fit a calibrator for another program, give --predictions and --truth (or --recording and --camera). To
    add its error bars to new poses, give --apply and --predictions. For sigmapose's own models, give --data.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="FILE")]
    """Calibrator to write (.json); with --apply, the poses with error bars (.json or .npz)."""
    predictions: Annotated[Path | None, tyro.conf.arg(metavar="PRED")] = None
    """3D joints from a program: .csv, .json (MediaPipe, MMPose, NLF, poses.json) or .npz."""
    truth: Annotated[Path | None, tyro.conf.arg(metavar="TRUTH")] = None
    """Ground-truth 3D joints of some of these frames, in camera axes; same formats."""
    recording: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Instead of --truth: a multi-view recording (calibration/*.qca.txt, videos/) from whose other
    cameras the ground truth is triangulated."""
    camera: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Camera of the recording that the predictions were made from."""
    apply: Annotated[Path | None, tyro.conf.arg(metavar="CAL")] = None
    """Calibrator fitted for the same program, whose error bars are added to --predictions."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Shards made by `sigmapose synth --split calibration`, to calibrate sigmapose's own models."""
    model: Literal["lite", "full", "heavy"] = "heavy"
    """Model size to calibrate with --data."""
    name: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Name stored in the calibrator; by default taken from the file name."""
    skeleton: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None
    """Joint order of the predictions if the file does not state it."""
    unit: UnitName | None = None
    """Unit of the predictions if it cannot be inferred from the size of the people."""
    by_clip: bool = False
    """Guarantee coverage on unseen clips, assuming that clips are exchangeable; wider regions, levels up to
    95 % (20 clips)."""
    overwrite: bool = False
    """Replace an existing file."""

    def __call__(self) -> int:
        from sigmapose.errors import InputError
        from sigmapose.run.places import check_free, check_no_input
        from sigmapose.writing import check_place

        for read in (self.predictions, self.truth, self.apply):
            check_no_input([self.out], read)
        check_free([self.out], self.overwrite)
        check_place(self.out, "--out")
        if self.data is not None:
            return self._ours()
        if self.predictions is None:
            raise InputError("nothing to calibrate: give --predictions and --truth, or --data")
        from sigmapose.io.predictions import read_predictions

        predictions = read_predictions(self.predictions, skeleton=self.skeleton, unit=self.unit)
        return self._apply(predictions) if self.apply is not None else self._fit(predictions)

    def _apply(self, predictions: Predictions3D) -> int:
        from sigmapose.calibrate.peer_file import load_peer, write_calibrated

        assert self.apply is not None
        calibrator = load_peer(self.apply)
        poses = calibrator.apply(predictions)
        write_calibrated(poses, calibrator, self.out)
        sys.stdout.write(
            f"{len(predictions.ids)} frames with the error bars of '{calibrator.name}' "
            f"({len(calibrator.joints)} of {len(calibrator.skeleton)} joints) -> {self.out}\n"
        )
        return 0

    def _fit(self, predictions: Predictions3D) -> int:
        from datetime import date

        from sigmapose.calibrate.conformal import LEVELS
        from sigmapose.calibrate.match import matched
        from sigmapose.calibrate.peer import METHOD, fit_peer
        from sigmapose.calibrate.peer_file import save_peer
        from sigmapose.calibrator import Provenance

        assert self.predictions is not None
        truth, names = self._truth()
        refuse_test_frames(truth)
        chosen, truth_mm = matched(predictions, truth)
        provenance = Provenance(
            data=(self.predictions.name, names),
            split=", ".join(sorted({s for s in truth.splits or () if s})) or "unstated",
            subjects=tuple(sorted({clip for clip in truth.clips if clip})), clips=len(set(truth.clips)),
            protocol="root-relative joints in the camera's axes",
            method=METHOD + (", clips exchangeable" if self.by_clip else ", frames exchangeable"),
            date=date.today().isoformat(),
        )  # fmt: skip
        levels = tuple(level for level in LEVELS if level <= 0.95) if self.by_clip else LEVELS
        calibrator = fit_peer(
            chosen, truth_mm, name=self.name or self.predictions.stem, provenance=provenance, levels=levels,
            by_clip=self.by_clip,
        )  # fmt: skip
        save_peer(calibrator, self.out)
        sys.stdout.write(f"{report(calibrator)} -> {self.out}\n")
        return 0

    def _truth(self) -> tuple[Predictions3D, str]:
        from sigmapose.errors import InputError
        from sigmapose.io.predictions import read_predictions

        if (self.truth is None) == (self.recording is None):
            raise InputError("calibration needs truth: give either --truth or --recording")
        if self.truth is not None:
            return read_predictions(self.truth), self.truth.name
        from sigmapose.bench.recording import recording_truth

        assert self.recording is not None
        return recording_truth(self.recording, self.camera), f"{self.recording.name}, camera {self.camera}"

    def _ours(self) -> int:
        from sigmapose.calibrate.own_model import calibrate_model

        assert self.data is not None
        calibrator = calibrate_model(self.data, self.model, self.name)
        calibrator.save(self.out)
        own = calibrator.radii[self.model]
        fallen = sum(group.source != name for name, group in own.relative_groups.items())
        sys.stdout.write(
            f"{self.model}: {calibrator.samples[self.model]} people, {len(own.relative_groups)} groups, "
            f"{fallen} of them too small and given their parents' radii -> {self.out}\n"
        )
        return 0


def refuse_test_frames(truth: Predictions3D) -> None:
    """DataError when a frame belongs to the test split: it says so, or its clip does."""
    import numpy as np

    from sigmapose.calibrate.match import mocap_clip, refuse_test
    from sigmapose.data.splits import Split, split_of

    splits = truth.splits or ("",) * len(truth.ids)
    of_clip = {}
    for clip in set(truth.clips):
        known = mocap_clip(clip)
        of_clip[clip] = known is not None and split_of(*known) is Split.TEST
    test = [split == Split.TEST or of_clip[clip] for split, clip in zip(splits, truth.clips, strict=True)]
    refuse_test(truth, np.array(test))


def report(calibrator: PeerCalibrator) -> str:
    """What was fitted, on one line or two."""
    from sigmapose.calibrate.conformal import fallbacks

    counts, fallen = calibrator.counts, fallbacks(calibrator.groups)
    text = (
        f"{calibrator.name}: {counts['frames']} frames, {counts['clips']} clips or blocks, "
        f"{len(calibrator.joints)} of {len(calibrator.skeleton)} joints, score: {calibrator.score}"
    )
    if counts["joints_without_prediction"]:
        text += (
            f"; {counts['joints_without_prediction']} true joints without a prediction (no region holds them)"
        )
    if fallen:
        text += (
            f"; too small, with their parents' radii: {', '.join(f'{k} ({v})' for k, v in fallen.items())}"
        )
    return text
