"""`predict --export`: files of other programs beside `poses.json`, once that is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sigmapose.errors import InputError
from sigmapose.io.export.formats import FORMATS, check_export, check_installed
from sigmapose.io.export.places_of_parts import Exported
from sigmapose.run.conversion import convert_file


@dataclass(frozen=True)
class ExportOption:
    """A parsed `--export`."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str | None) -> ExportOption:
        """`trc,csv`; the libraries of all formats must be there.

        Raises:
            InputError: an unknown format. OutputError: a library is missing.
        """
        words = tuple(dict.fromkeys(w.strip().lower() for w in (text or "").split(",") if w.strip()))
        for word in words:
            if word not in FORMATS:
                raise InputError(f"--export {word}: not a format: choose from {', '.join(FORMATS)}")
            check_installed(FORMATS[word])
        return cls(words)

    def check(self, folder: Path | None, kind: str, overwrite: bool) -> None:
        """Raise now what would be in the way after the work.

        Args:
            folder: of `poses.json`.
            kind: of the input: `folder` for several photos.
            overwrite: whether earlier files may be replaced.

        Raises:
            InputError: no folder, or photos for a format of motion. OutputError: files that exist.
        """
        if self.words and folder is None:
            raise InputError("--export writes beside poses.json: give --out DIR")
        for word in self.words:
            if kind == "folder" and FORMATS[word].motion:
                raise InputError(
                    f"--export {word}: several photos are no motion: choose csv, parquet, npz or openpose"
                )
            if folder is not None and folder.is_dir():
                check_export(self.place(folder, word), overwrite=overwrite)

    def place(self, folder: Path, word: str) -> Path:
        """`poses.trc` beside `poses.json`."""
        return folder / f"poses{FORMATS[word].ending}"

    def write(self, folder: Path) -> list[Exported]:
        """Convert `poses.json` to every format.

        Raises:
            InputError: a format cannot hold the poses. OutputError: the system refuses.
        """
        return [convert_file(folder, self.place(folder, word), overwrite=True) for word in self.words]
