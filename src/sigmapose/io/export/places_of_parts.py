"""Where the files of one conversion lie, and writing them whole: all take their names, or none does."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sigmapose.errors import OutputError
from sigmapose.io.export.trajectories import Trajectories, Trajectory
from sigmapose.writing import not_written, whole_file

REMEDY = "choose another place"


@dataclass(frozen=True)
class Exported:
    """What a writer made."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    """What the format could not hold, or what was done so that it could."""


def person_file(path: Path, person: int) -> Path:
    """`walk.trc` of person 1 is `walk_person1.trc`."""
    return path.with_name(f"{path.stem}_person{person}{path.suffix}")


def person_files(path: Path) -> list[Path]:
    """The files of single people that are there, beside `path`."""
    pattern = re.compile(re.escape(path.stem) + r"_person\d+" + re.escape(path.suffix))
    try:
        return sorted(p for p in path.parent.iterdir() if pattern.fullmatch(p.name))
    except OSError:
        return []


def write_whole(files: Sequence[tuple[Path, Callable[[Path], object]]]) -> tuple[Path, ...]:
    """Write every file by its function; they take their names when all are done.

    Raises:
        OutputError: the system refuses; no file is left half written.
    """
    with ExitStack() as stack:
        for path, write in files:
            write(stack.enter_context(whole_file(path, REMEDY)))
    return tuple(path for path, _ in files)


def write_people(path: Path, motion: Trajectories, write: Callable[[Trajectory, Path], object]) -> Exported:
    """One file for the only person, else one for each, named by `person_file`."""
    alone = len(motion.people) == 1

    files = [(path if alone else person_file(path, p.person), partial(write, p)) for p in motion.people]
    return Exported(write_whole(files), motion.notes)


def write_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder under another name, then give it its own; one that was there goes when that is done.

    Raises:
        OutputError: the system refuses, or the folder that is there holds other things than `.json` files.
    """
    part = folder.with_name(f".{folder.name[:200]}.{os.getpid()}.part")
    aside = folder.with_name(f".{folder.name[:200]}.{os.getpid()}.earlier")
    try:
        if folder.exists() and any(p.suffix != ".json" for p in folder.iterdir()):
            raise OutputError(f"{folder}: holds other files than .json, it is not replaced: {REMEDY}")
        part.mkdir()
        try:
            fill(part)
            if folder.exists():
                os.replace(folder, aside)
            os.replace(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            with suppress(OSError):
                if not folder.exists():
                    os.replace(aside, folder)
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise not_written(folder, error, REMEDY) from error
