"""Keeps what image libraries print off standard error: their errors are told in words of ours."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """libpng, libjpeg and libtiff write to the file descriptor itself, so that it points nowhere for the
    while."""
    with _LOCK:
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
