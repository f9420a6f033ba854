"""A queue between two threads that is bounded by items and by bytes: large pictures wait in smaller
numbers, and the largest are handed over without waiting in between."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST_BYTES = 64 << 20
"""Ten pictures of 1920 x 1080; less than one of 7680 x 4320."""


class BoundedQueue(Generic[Item]):
    """First in, first out. `put` waits while the queue is full, and until an item is taken that alone exceeds
    its bytes."""

    def __init__(self, most_items: int, most_bytes: int = MOST_BYTES) -> None:
        self._most_items, self._most_bytes = most_items, most_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item, size: int = 0) -> bool:
        """Queue an item of that many bytes; False, and nothing queued, once the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._has_room(size))
            if self._closed:
                return False
            self._items.append((item, size))
            self._bytes += size
            self._changed.notify_all()
            if size > self._most_bytes:
                self._changed.wait_for(lambda: self._closed or not self._items)
            return True

    def get(self) -> Item:
        """The oldest item; waits for one."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items))
            item, size = self._items.popleft()
            self._bytes -= size
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let nothing more in: whoever waits in `put` goes on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < self._most_items and self._bytes + size <= self._most_bytes
