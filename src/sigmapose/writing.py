"""Files are written whole or not at all; their places are checked before any work; one writer per folder."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sigmapose.errors import OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_REMEDIES = {
    errno.EFBIG: "a limit of this system allows no larger file: write to another place",
    errno.EPIPE: "the program that reads it has ended",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def not_written(place: Path | str, error: OSError, remedy: str = "choose another place") -> OutputError:
    """The one line that says why a place cannot be written, and what helps."""
    if error.errno in _FULL:
        remedy = f"free some space or {remedy}"
    remedy = _REMEDIES.get(error.errno or 0, remedy)
    return OutputError(f"{place}: cannot be written ({error.strerror or error}): {remedy}")


@contextmanager
def whole_file(place: Path, remedy: str = "choose another file") -> Iterator[Path]:
    """A path to write to; at the end of the block the file takes the name of `place`.

    After an error it goes away, and a file that was at `place` stays as it was. Devices and pipes are written
    directly.

    Raises:
        OutputError: the system refuses to write.
    """
    try:
        if is_special(place):
            yield place
            return
        target = Path(os.path.realpath(place))
        part = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
        try:
            yield part
            os.replace(part, target)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    except OSError as error:
        raise not_written(place, error, remedy) from error


def write_text(text: str, place: Path, remedy: str = "choose another file") -> None:
    """Text in UTF-8, whole or not at all; OutputError when it cannot be written."""
    with whole_file(place, remedy) as part:
        part.write_text(text, "utf-8")


def check_place(place: Path, option: str, *, shown: Path | None = None) -> None:
    """OutputError unless a file can be written at `place`; nothing that is there is changed.

    Args:
        place: of the file.
        option: what the user gave it with, for the message.
        shown: what the message names instead of `place`.
    """
    remedy, shown = f"choose another {option}", shown or place
    try:
        if is_special(place):
            return
        if place.is_dir():
            raise OutputError(f"{shown}: cannot be written, it is a folder: {remedy}")
        if not place.parent.is_dir():
            raise OutputError(f"{shown}: cannot be written, there is no folder {place.parent}: make it first")
        if place.exists():
            with place.open("ab"):
                return
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        place.unlink()
    except OSError as error:
        raise not_written(shown, error, remedy) from error


def is_special(place: Path) -> bool:
    """Whether a device, pipe or socket is there, which is written as it is and never removed."""
    try:
        mode = os.stat(place).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class Lock:
    """A lock file, held until `release` or the death of the process, so that no lock outlives its run.

    Raises:
        OutputError: another process holds it, or it cannot be made.
    """

    def __init__(self, place: Path, folder: Path) -> None:
        self._place = place
        try:
            self._file = place.open("a+")
            while not _lock(self._file):  # a run that has just ended removed the name
                self._file.close()
                self._file = place.open("a+")
        except BlockingIOError:
            self._file.seek(0)
            who = self._file.readline().strip()
            self._file.close()
            by = f" (process {who})" if who.isdecimal() else ""
            raise OutputError(
                f"{folder}: another run{by} is writing here: wait for it or choose another folder"
            ) from None
        except OSError as error:
            raise not_written(folder, error, "choose another folder") from error
        with suppress(OSError):  # on a full disk the lock holds without the number
            self._file.truncate(0)
            self._file.write(f"{os.getpid()}\n")
            self._file.flush()

    def release(self) -> None:
        """Remove the file; further calls do nothing."""
        if not self._file.closed:
            with suppress(OSError):
                self._place.unlink()
            with suppress(OSError):
                self._file.close()


def _lock(file: IO[str]) -> bool:
    """Lock a file until it is closed, also by the death of the process; False when its name has gone.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error
        return True
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # a file system without locks
        return True
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except FileNotFoundError:
        return False
