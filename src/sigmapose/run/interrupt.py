"""Ctrl-C, or SIGTERM, that lets the current frame finish."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def finish_first() -> Iterator[Callable[[], None]]:
    """While active, Ctrl-C is noted and raised as KeyboardInterrupt by the next call of the given function.

    The same goes for SIGTERM, by which job schedulers and containers end a run. A second one is raised at
    once. Outside the main thread signals cannot be caught and nothing is noted.
    """
    asked = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
