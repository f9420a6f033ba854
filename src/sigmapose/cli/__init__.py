"""The `sigmapose` command: thin wrappers around the library.

Exit codes: 0 done, 2 something is wrong with the input, the options or the output folder (one line on stderr
says what), 130 interrupted with Ctrl-C (what was finished is kept).
"""

from __future__ import annotations

# Nothing that takes time is imported here: until `main` runs, an interrupt is a traceback.
import os
import sys
from io import TextIOWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` are the words after the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return _say("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:  # whoever reads what is said has ended, as `head` does: that is no error
        _let_go(sys.stdout)
        return 0
    except Exception as error:
        if _interrupted(error):
            return _say("interrupted", EXIT_INTERRUPTED)
        from sigmapose.errors import SigmaposeError

        _let_go(sys.stdout)
        if isinstance(error, SigmaposeError):
            return _say(f"error: {error}", EXIT_ERROR)
        if isinstance(error, OSError) and error.errno is not None:
            place = error.filename if isinstance(error.filename, str) else "standard output"
            return _say(f"error: {place}: {error.strerror}: check this place", EXIT_ERROR)
        if isinstance(error, MemoryError):
            return _say("error: the memory does not suffice: give less at a time", EXIT_ERROR)
        raise


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        from sigmapose import __version__

        sys.stdout.write(f"sigmapose {__version__}\n")
        return 0
    from sigmapose.cli.parser import parse

    return parse(arguments)()


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: a library in C that is interrupted while it loads raises ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _open_streams() -> None:
    """A closed stream swallows what is said; characters that the encoding lacks are written as \\x..."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(text: str, code: int) -> int:
    try:
        sys.stderr.write(f"sigmapose: {' '.join(text.split())}\n")
    except OSError:
        _let_go(sys.stderr)
    return code


def _let_go(stream: object) -> None:
    """What a stream cannot write any more goes nowhere, so that Python does not complain when it ends."""
    if not isinstance(stream, TextIOWrapper):
        return
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
