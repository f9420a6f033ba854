"""The `sigmapose` command: thin wrappers around the library.

Exit codes: 0 done, 2 something is wrong with the input, the options or the output folder (one line on stderr
says what), 130 interrupted with Ctrl-C (what was finished is kept).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `argv` are the words after the program's name."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments == ["--version"]:
            from sigmapose import __version__

            sys.stdout.write(f"sigmapose {__version__}\n")
            return 0
        from sigmapose.cli.parser import parse

        return parse(arguments)()
    except KeyboardInterrupt:
        sys.stderr.write("sigmapose: interrupted\n")
        return EXIT_INTERRUPTED
    except Exception as error:
        from sigmapose.errors import SigmaposeError

        if not isinstance(error, SigmaposeError):
            raise
        sys.stderr.write(f"sigmapose: error: {' '.join(str(error).split())}\n")
        return EXIT_ERROR
