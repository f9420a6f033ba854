"""The places a run writes to: checked before the work, made when there is a result, else left alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sigmapose.errors import OutputError
from sigmapose.writing import Lock, check_place, is_special, not_written

LOCK = ".sigmapose.lock"
REMEDY = "choose another --out"


def check_folder(folder: Path) -> None:
    """OutputError unless the folder is there or can be made, and files can be written in it."""
    there = folder
    try:
        while not there.exists():
            there = there.parent
        if not there.is_dir():
            which = "" if there == folder else f"{there} "
            raise OutputError(f"{folder}: {which}is a file, not a folder: {REMEDY}")
    except OSError as error:
        raise not_written(folder, error, REMEDY) from error
    check_place(there / f".sigmapose.{os.getpid()}.probe", "--out", shown=folder)


def check_free(places: list[Path], overwrite: bool) -> None:
    """OutputError where a result of an earlier run would be lost without `overwrite`."""
    there = next((place for place in places if place.exists() and not is_special(place)), None)
    if there is not None and not overwrite:
        raise OutputError(f"{there}: exists already: add --overwrite, or {REMEDY}")


def check_no_input(places: list[Path], read: Path | None) -> None:
    """OutputError where a result would take the place of what is read."""
    for place in places:
        if read is not None and read.exists() and place.exists() and place.samefile(read):
            raise OutputError(f"{place}: is the input of this run: {REMEDY}")


class Room:
    """The folder of a run, with a lock against a second one, and the results of the earlier run set aside.

    They go when the new run has written something, and come back when it has not.

    Raises:
        OutputError: the folder cannot be made, or another run writes there.
    """

    def __init__(self, folder: Path | None) -> None:
        self._made: list[Path] = []
        self._aside: dict[Path, Path] = {}
        self._lock: Lock | None = None
        if folder is None:
            return
        try:
            missing = [p for p in (folder, *folder.parents) if not p.exists()]
            for part in reversed(missing):
                part.mkdir(exist_ok=True)
                self._made.append(part)
        except OSError as error:
            self.leave()
            raise not_written(folder, error, REMEDY) from error
        self._lock = Lock(folder / LOCK, folder)

    def set_aside(self, places: list[Path]) -> None:
        """Give the files of an earlier run other names."""
        for place in places:
            if place.is_file():
                aside = place.with_name(f".{place.name[:200]}.earlier")
                try:
                    place.replace(aside)
                except OSError as error:
                    raise OutputError(f"{place}: cannot be replaced ({error.strerror}): {REMEDY}") from error
                self._aside[place] = aside

    def bring_back(self) -> None:
        """The earlier run's files have their names again."""
        for place, aside in self._aside.items():
            with suppress(OSError):
                aside.replace(place)
        self._aside = {}

    def leave(self) -> None:
        """Remove what was set aside and not brought back, empty folders that this run made, and the lock."""
        for aside in self._aside.values():
            with suppress(OSError):
                aside.unlink()
        self._aside = {}
        if self._lock is not None:
            self._lock.release()
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()
        self._made = []
