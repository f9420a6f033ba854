"""Which module writes which file, by the end of its name, and the one way in: `export`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sigmapose.errors import InputError, OutputError
from sigmapose.io.export.places_of_parts import REMEDY, Exported, person_files
from sigmapose.pose import Frame
from sigmapose.reading import legible
from sigmapose.writing import check_place


@dataclass(frozen=True)
class ExportFormat:
    """One kind of file."""

    ending: str
    """Of the name."""
    module: str
    """In this package; has `write(frames, path)`."""
    needs: str = ""
    """Module of the extra `export`, where it takes one."""
    by_person: bool = False
    """Whether several people make several files."""
    motion: bool = True
    """Whether all frames must be of one video."""
    folder: bool = False


FORMATS = {
    "csv": ExportFormat(".csv", "csv_file", motion=False),
    "parquet": ExportFormat(".parquet", "parquet_file", needs="pyarrow", motion=False),
    "npz": ExportFormat(".npz", "npz_file", motion=False),
    "trc": ExportFormat(".trc", "trc_file", by_person=True),
    "mot": ExportFormat(".mot", "mot_file", by_person=True),
    "c3d": ExportFormat(".c3d", "c3d_file", needs="ezc3d", by_person=True),
    "bvh": ExportFormat(".bvh", "bvh_file", by_person=True),
    "glb": ExportFormat(".glb", "glb_file"),
    "openpose": ExportFormat("_json", "openpose_folder", motion=False, folder=True),
}
"""By the word that `--export` takes."""


def format_of(path: Path) -> ExportFormat:
    """The format that a name asks for.

    Raises:
        OutputError: none.
    """
    name = path.name.lower()
    for kind in FORMATS.values():
        if name.endswith(kind.ending) and name != kind.ending:
            return kind
    endings = ", ".join(("a folder ..." if kind.folder else "") + kind.ending for kind in FORMATS.values())
    raise OutputError(f"{legible(str(path))}: not a format to convert to: let the name end in {endings}")


def check_installed(kind: ExportFormat) -> None:
    """OutputError where the library of a format is missing; it is not loaded."""
    if kind.needs and find_spec(kind.needs) is None:
        raise OutputError(f"{kind.ending} needs {kind.needs}: pip install 'sigmapose[export]'")


def check_export(path: Path, *, overwrite: bool) -> ExportFormat:
    """The format of `path`, all that can be known before there are poses being in order.

    Raises:
        OutputError: unknown format, missing library, a place that cannot be written, or files that exist.
    """
    kind = format_of(path)
    check_installed(kind)
    if not (kind.folder and path.is_dir()):
        check_place(path, "OUT")
    there = earlier(path, kind)
    if there and not overwrite:
        raise OutputError(f"{there[0]}: exists already: add --overwrite, or {REMEDY}")
    return kind


def earlier(path: Path, kind: ExportFormat) -> list[Path]:
    """What an earlier conversion to `path` may have written and is there."""
    return [*([path] if path.exists() else []), *(person_files(path) if kind.by_person else [])]


def export(frames: Iterable[Frame], path: Path | str, *, overwrite: bool = False) -> Exported:
    """Write poses in the format that the end of `path` names; see docs/formats.md.

    Args:
        frames: of `read_poses` or `Estimator.video`; gone through once.
        path: file or folder; formats that hold one person make `..._person0` and so on of several people.
        overwrite: replace what is there, files of people that are no more included.

    Raises:
        OutputError: as `check_export`, or the system refuses; nothing is left half written.
        InputError: the format cannot hold these poses.
    """
    path = Path(path)
    kind = check_export(path, overwrite=overwrite)
    before = earlier(path, kind)
    done = import_module(f"sigmapose.io.export.{kind.module}").write(_somebody(frames), path)
    for place in before:
        if place not in done.paths:
            with suppress(OSError):
                place.unlink()
    return done


def _somebody(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; InputError behind the last one when nobody was in any."""
    count, found = 0, False
    for frame in frames:
        count, found = count + 1, found or bool(frame.poses)
        yield frame
    if not found:
        raise InputError(
            f"nobody is in its {count} frame{'' if count == 1 else 's'}: there is nothing to write"
        )
