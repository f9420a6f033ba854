"""One hostile input: what is made, the command, and the line that refuses it (a pattern), or OK."""

from __future__ import annotations

from typing import NamedTuple

from hostile.files import Maker

OK = "OK"
"""Exit code 0: the input is usual enough to be read, or a warning says what was left out."""


class Case(NamedTuple):
    name: str
    make: Maker
    words: str
    """The command, in the folder of the made files."""
    says: str
    """A pattern that the line on standard error matches, or OK."""
