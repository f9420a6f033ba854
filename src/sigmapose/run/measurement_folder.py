"""The folder of `sigmapose measure`: checked before the work; earlier results stay until there are others."""

from __future__ import annotations

import re
from pathlib import Path
from types import TracebackType

from sigmapose.run.places import Room, check_folder, check_free, check_no_input

_PLOT = re.compile(r"(\d+_[A-Za-z0-9._-]*_)?person_\d+\.(svg|png)")


class MeasurementFolder:
    """Use as a context manager around the writing.

    Raises:
        OutputError: the folder cannot be made, or holds results and `overwrite` is not set.
    """

    def __init__(self, path: Path, names: tuple[str, ...], read: Path, overwrite: bool) -> None:
        self.path = path
        check_folder(path)
        self._places = [path / name for name in names]
        check_no_input(self._places, read)
        check_free(self._places, overwrite)
        self._room: Room | None = None

    def __enter__(self) -> MeasurementFolder:
        self._room = Room(self.path)
        try:
            self._room.set_aside(self._places + self._earlier_plots())
        except BaseException:
            self._leave(kept=False)
            raise
        return self

    def _earlier_plots(self) -> list[Path]:
        """Figures of an earlier run, whoever they show, where its tables are."""
        if not any(place.is_file() for place in self._places):
            return []
        return [place for place in self.path.iterdir() if _PLOT.fullmatch(place.name)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave(kept=kind is None)

    def _leave(self, kept: bool) -> None:
        if self._room is not None:
            if not kept:
                self._room.bring_back()
            self._room.leave()
