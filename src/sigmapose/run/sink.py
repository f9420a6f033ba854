"""A thread that consumes what the main thread makes, behind a small bounded queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from sigmapose.io.bounded_queue import MOST_BYTES, BoundedQueue

Item = TypeVar("Item")


class Sink(Generic[Item]):
    """Calls `consume` on each item in order. Its errors are raised by the next `put` or `close`."""

    def __init__(self, consume: Callable[[Item], None], depth: int = 3) -> None:
        self._consume = consume
        self._queue: BoundedQueue[tuple[Item, threading.Event] | None] = BoundedQueue(depth)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(
            target=self._run, name="sigmapose-write", daemon=True
        )
        self._thread.start()

    def put(self, item: Item, size: int = 0) -> None:
        """Queue one item of that many bytes; waits while the queue is full, and for the largest until they
        are consumed: two of them at once are too many."""
        if self._error is not None:
            raise self._error
        done = threading.Event()
        self._queue.put((item, done), size)
        if size > MOST_BYTES:
            done.wait()

    def close(self) -> None:
        """Wait for the items that are queued; further calls do nothing."""
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join()
        self._thread = None
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (queued := self._queue.get()) is not None:
            item, done = queued
            try:
                if self._error is None:
                    self._consume(item)
            except BaseException as error:  # raised again in the thread that feeds this one
                self._error = error
            finally:
                done.set()
            del queued, item  # the next one may be long in coming
