"""`sigmapose bench`: scorecards, and whether what the README claims still holds."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from sigmapose.bench.scorecard import Scorecard

BROKEN = 1


@dataclass(frozen=True)
class Bench:
    """Measure accuracy and the truth of error bars, beside other methods on the same frames.

    Protocols: pose2sim, pose2sim-occ (real video, with things pasted in front; downloaded once by pip),
    synth-occ (rendered on the fly; needs the training stack), and for those who have the data h36m,
    mpi-inf-3dhp, 3dpw, 3dpw-occ, humaneva. docs/benchmarks.md says what each compares. Exit code 1: a claim
    of --check no longer holds.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """The protocol, e.g. pose2sim."""
    source: Annotated[Path | None, tyro.conf.arg(metavar="PATH")] = None
    """Where the data lie: the recording of pose2sim (folder or wheel), or the folder of the data set."""
    models: tuple[Literal["lite", "full", "heavy"], ...] = ()
    """Model sizes to measure; the first one is the row `sigmapose`. By default full, and heavy if made."""
    heads: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of networks made by `sigmapose export --phi ... --out DIR/NAME.onnx`: each is a row
    `sigmapose/NAME`, with NAME.json beside it as its calibrator."""
    mocap: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Motion capture for synth-occ; without it poses are procedural."""
    videos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The original recordings, for h36m; without them its 2D detections are lifted."""
    quick: bool = False
    """A small part only, to see that it works."""
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write the scorecard as JSON here too."""
    report: Annotated[Path | None, tyro.conf.arg(metavar="FILE.html")] = None
    """Write a page with figures and pictures here."""
    check: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Expectations to compare with, e.g. benchmarks/expectations.json."""

    def __call__(self) -> int:
        from sigmapose.bench.check import read_claims
        from sigmapose.bench.methods import installed_sizes
        from sigmapose.bench.options import Options
        from sigmapose.bench.protocols import get_protocol, run
        from sigmapose.bench.scorecard import card_of
        from sigmapose.errors import InputError, OutputError

        # what is wrong with the options is said before minutes of work
        protocol = get_protocol(self.name)
        if self.check is not None:
            read_claims(self.check, protocol.full_name)
            if self.quick:
                raise InputError("claims are about whole runs: leave out --quick or --check")
        for file in (self.json, self.report):
            if file is not None and not file.absolute().parent.is_dir():
                raise OutputError(f"{file}: no such folder: make it, or choose another file")
        options = Options(
            self.source, self.models or installed_sizes(), self.heads, self.mocap, self.videos, self.quick
        )
        results = run(self.name, options)
        card = card_of(results)
        sys.stdout.write(card.table())
        if self.json is not None:
            self._write(card)
        if self.report is not None:
            from sigmapose.bench.report import write

            write(results, self.report)
        return self._checked(card)

    def _write(self, card: Scorecard) -> None:
        from sigmapose.errors import OutputError

        assert self.json is not None
        try:
            self.json.write_text(card.to_json(), "utf-8")
        except OSError as error:
            raise OutputError(
                f"{self.json}: cannot be written ({error.strerror}): choose another file"
            ) from error

    def _checked(self, card: Scorecard) -> int:
        from sigmapose.bench.check import broken_claims, read_claims

        if self.check is None:
            return 0
        claims = read_claims(self.check, card.protocol)
        broken = broken_claims(card, claims)
        for why in broken:
            sys.stderr.write(f"sigmapose: claim no longer holds: {why}\n")
        if not broken:
            sys.stdout.write(f"all {len(claims)} claims hold\n")
        return BROKEN if broken else 0
