"""`sigmapose synth`: rendered people with exact truth, as shards."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from sigmapose.cli.extras import needs_training_stack

if TYPE_CHECKING:
    from sigmapose.synth.plan import SynthPlan

PREVIEW = "preview.png"


@dataclass(frozen=True)
class Synth:
    """Render people behind and among objects, with exact ground truth and visibility, as WebDataset shards.

    Run the same command again to continue after an interruption, or with a larger --count to add samples.
    The output is identical byte for byte for any number of workers. docs/formats.md describes the files.
    """

    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder for the shards and their manifest; one split per folder."""
    count: Annotated[int, tyro.conf.arg(metavar="N")] = 1000
    """Number of samples."""
    seed: Annotated[int, tyro.conf.arg(metavar="S")] = 0
    """Random seed."""
    split: Literal["train", "val", "calibration", "test"] = "train"
    """Subjects to draw from; no subject is in two splits."""
    people: Literal["everyday", "anything"] = "anything"
    """Distribution of poses and camera views. `everyday`: standing, walking, sitting and sport, filmed from
    chest to eye height. `anything`: also lying, hanging and handstands, from any direction."""
    severity: Annotated[str, tyro.conf.arg(metavar="SHARE|LOW:HIGH")] = "0:0.8"
    """Fraction of the body to occlude by objects, 0 to 0.8, or a range to sample it from."""
    stray_share: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.0
    """Fraction of crops that are displaced from the person, like a tracker's crops under occlusion."""
    clean_twin: bool = False
    """Also store each picture without occluders in front of the person."""
    mocap: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of BVH, ASF/AMC or DeepMimic files; without it, poses come from the procedural sampler."""
    bodies: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Corpus of posed bodies from an earlier run; without it, one is made in --out DIR/bodies."""
    backgrounds: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of background photographs; without it, backgrounds are procedural."""
    occluders: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of RGBA cut-outs to use as occluders; without it, cut-outs are procedural."""
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 2
    """Number of rendering processes."""
    shard_size: Annotated[int, tyro.conf.arg(metavar="N")] = 500
    """Samples per shard; an interruption loses at most the current shards."""
    quality: Annotated[int, tyro.conf.arg(metavar="1-100")] = 85
    """JPEG quality of the pictures."""
    preview: Annotated[tuple[Path, ...] | None, tyro.conf.arg(metavar="[FILE]")] = None
    """Also write a contact sheet, by default DIR/preview.png: joints coloured by visibility."""

    def __call__(self) -> int:
        with needs_training_stack():
            from sigmapose.data.shards import Manifest
            from sigmapose.data.splits import Split
            from sigmapose.synth.distributions import get_distribution
            from sigmapose.synth.plan import SynthPlan

            plan = SynthPlan(
                out=self.out, count=self.count, seed=self.seed, split=Split(self.split),
                people=get_distribution(self.people),
                severity=_range(self.severity), stray_share=self.stray_share,
                clean_twin=self.clean_twin, mocap=self.mocap,
                bodies=self.bodies, backgrounds=self.backgrounds, occluders=self.occluders,
                workers=self.workers, shard_size=self.shard_size, quality=self.quality,
            )  # fmt: skip
            sheet = self._sheet()
            said = _make(plan)
            manifest = Manifest.load(self.out)
            assert manifest is not None
            if sheet is not None:
                _write_preview(self.out, sheet)
                said += f"; preview {sheet}"
        each = manifest.bytes / 1000 / manifest.samples
        sys.stdout.write(
            f"{manifest.samples} {manifest.split} samples in {len(manifest.shards)} shards, "
            f"{manifest.bytes / 1e6:.1f} MB, {each:.1f} KB each, in {self.out}; {said}\n"
        )
        return 0

    def _sheet(self) -> Path | None:
        """Where the contact sheet goes."""
        from sigmapose.errors import InputError

        if self.preview is None:
            return None
        if len(self.preview) > 1:
            raise InputError(f"--preview takes one file, got {len(self.preview)}: name one, or none")
        return self.preview[0] if self.preview else self.out / PREVIEW


def _range(text: str) -> tuple[float, float]:
    from sigmapose.errors import InputError

    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise InputError(
            f"--severity {text!r}: give one share of the body such as 0.4, or a range such as 0:0.8"
        ) from None


def _make(plan: SynthPlan) -> str:
    """Make what is missing under a progress bar; says how fast that was."""
    from tqdm import tqdm

    from sigmapose.synth.plan import synthesize

    steps = synthesize(plan)
    found = next(steps)
    begun = time.monotonic()
    started = found == plan.count
    with tqdm(
        total=plan.count,
        initial=found,
        desc="samples",
        unit="sample",
        smoothing=0.05,
        mininterval=0.5,
        disable=None,
    ) as progress:  # fmt: skip
        for made in steps:
            if not started and made:
                progress.unpause()  # the start of the workers says nothing about their speed
                started = True
            progress.update(made)
    seconds = time.monotonic() - begun
    if found == plan.count:
        return "all were there already"
    there = f", {found} were there already" if found else ""
    return f"{seconds:.0f} s, {(plan.count - found) / seconds:.1f} samples/s{there}"


def _write_preview(folder: Path, sheet: Path) -> None:
    from itertools import islice

    from sigmapose.data.preview import SAMPLES, write_contact_sheet
    from sigmapose.data.shard_reader import read_shards

    write_contact_sheet(list(islice(read_shards(folder), SAMPLES)), sheet)
