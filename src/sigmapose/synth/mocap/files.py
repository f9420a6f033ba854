"""Motion-capture files: which there are below a folder, and the reader of each format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sigmapose.errors import DataError
from sigmapose.reading import guarded
from sigmapose.synth.mocap.amc import find_asf, read_amc, read_asf
from sigmapose.synth.mocap.bvh import read_bvh
from sigmapose.synth.mocap.deepmimic import read_deepmimic
from sigmapose.synth.mocap.motion_clip import DEEPMIMIC_PREFIX, REMEDY, MotionClip


def read_clip(path: Path, *, skeleton: Path | None = None) -> MotionClip:
    """Read one BVH, AMC or DeepMimic file; the format follows the suffix (`.bvh`, `.amc`, `.txt`, `.json`).

    An AMC file takes its skeleton from `skeleton`, or from `<subject>.asf` beside it, or from the first ASF
    there.

    Raises:
        DataError: if the suffix is unknown or the file is broken, with file and line.
    """
    suffix = path.suffix.lower()
    with guarded(path, REMEDY, DataError), np.errstate(all="ignore"):
        if suffix == ".bvh":
            return read_bvh(path)
        if suffix == ".amc":
            bones = skeleton or find_asf(path)
            with guarded(bones, REMEDY, DataError):
                told = read_asf(bones)
            return read_amc(path, told)
        if suffix in (".txt", ".json"):
            return read_deepmimic(path)
    raise DataError(
        f"{path}: unknown motion format {suffix!r}: use .bvh, .amc (with .asf) or DeepMimic .txt/.json"
    )


def find_clips(folder: Path) -> list[Path]:
    """Motion files below a folder, sorted, so that the same folder gives the same order everywhere.

    Raises:
        DataError: if the folder is missing or holds no motion.
    """
    if not folder.is_dir():
        raise DataError(
            f"no motion-capture folder at {folder}: give a folder of BVH, AMC or DeepMimic files, or none"
        )
    found = [p for p in folder.rglob("*") if p.suffix.lower() in (".bvh", ".amc")]
    found += [p for p in folder.rglob(f"{DEEPMIMIC_PREFIX}*") if p.suffix.lower() in (".txt", ".json")]
    if not found:
        raise DataError(f"no .bvh, .amc or {DEEPMIMIC_PREFIX}*.txt file below {folder}")
    return sorted(found)
