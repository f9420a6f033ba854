"""`sigmapose bench`: scorecards, and whether what the README claims still holds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.report.scorecard import Scorecard

BROKEN = 1


@dataclass(frozen=True)
class Bench:
    """Measure accuracy and calibration, compared with baselines on the same frames.

    Protocols: pose2sim and pose2sim-occ (real video, without and with pasted occluders; pip downloads it
    once); synth-occ and synth-occ-everyday (rendered on the fly; need the training stack); h36m,
    mpi-inf-3dhp, 3dpw, 3dpw-occ and humaneva (you supply the data); real-val (your own recordings and photos,
    for model selection). docs/benchmarks.md describes each protocol. Exit code 1: a claim of --check failed.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """The protocol, e.g. pose2sim."""
    source: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Location of the data: the recording of pose2sim (folder or wheel), the recordings of real-val, or the
    folder of the data set."""
    photos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Photos of people, for the label-free checks of real-val."""
    models: tuple[Literal["lite", "full", "heavy", "best"], ...] = ()
    """Models to evaluate; the first is the row `sigmapose`. By default heavy and full."""
    looks: Literal[1, 2] = 1
    """2: also evaluate the first model averaged over each picture and its mirror image, as the row
    `sigmapose/2-looks`."""
    heads: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of networks made by `sigmapose export --phi ... --out DIR/NAME.onnx`: each is evaluated
    as a row `sigmapose/NAME`, with the calibrator NAME.json from the same folder."""
    mocap: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Motion capture for synth-occ; without it, poses are procedural."""
    videos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The original videos of h36m; without them, the 2D detections of the data set are lifted."""
    people: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Number of people that synth-occ renders for each severity; 128 by default."""
    severities: Annotated[tuple[float, ...], tyro.conf.arg(metavar="SHARE ...")] = ()
    """Occluded fractions of the body to run, for pose2sim-occ and synth-occ, e.g. 0.4; by default all."""
    quick: bool = False
    """Run a small subset, as a smoke test."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the scorecard to this file, as JSON."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE.html")] = None
    """Write an HTML report with figures and pictures to this file."""
    check: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Claims to check the results against: benchmarks/expectations.json (what the README states) or
    benchmarks/targets.json (our goals)."""

    def __call__(self) -> int:
        from sigmapose.bench.check import read_claims
        from sigmapose.bench.options import SIZES, Options
        from sigmapose.bench.protocols import get_protocol, run
        from sigmapose.errors import InputError
        from sigmapose.report.scorecard import card_of
        from sigmapose.writing import check_place, write_text

        # what is wrong with the options is said before minutes of work
        protocol = get_protocol(self.name)
        if self.check is not None:
            read_claims(self.check, protocol.full_name)
            if self.quick or self.severities:
                given = "--quick" if self.quick else "--severities"
                raise InputError(f"claims are about whole runs: leave out {given} or --check")
        for option, file in (("--json", self.json), ("--report", self.report)):
            if file is not None:
                check_place(file, option)
        options = Options(
            self.source, self.models or SIZES, self.heads, self.mocap, self.videos, self.quick,
            self.people, self.severities, self.photos, self.looks,
        )  # fmt: skip
        results = run(self.name, options)
        card = card_of(results)
        sys.stdout.write(card.table())
        if self.json is not None:
            write_text(card.to_json(), self.json)
        if self.report is not None:
            from sigmapose.report.page import write

            write(results, self.report)
        return self._checked(card)

    def _checked(self, card: Scorecard) -> int:
        from sigmapose.bench.check import read_claims, verdicts

        if self.check is None:
            return 0
        found = verdicts(card, read_claims(self.check, card.protocol))
        sys.stdout.write(f"\n{self.check.name}\n")
        for verdict in found:
            sys.stdout.write(f"  {'holds' if verdict.holds else 'FAILS'}  {verdict.text}\n")
            if not verdict.holds:
                sys.stderr.write(f"sigmapose: does not hold: {verdict.text}\n")
        held = sum(verdict.holds for verdict in found)
        sys.stdout.write(f"{'all' if held == len(found) else f'{held} of'} {len(found)} claims hold\n")
        return 0 if held == len(found) else BROKEN
