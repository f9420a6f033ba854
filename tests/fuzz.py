"""Seeded damage for readers of files: bytes that flip or vanish, and parts of documents that change."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.errors import SigmaposeError

JUNK: list[Any] = [
    None, True, -1, 0, 1.5, 1e308, -1e308, float("nan"), float("inf"), 10**400, "", "x", "9" * 50, "\ud800",
    [], {}, [None], [[]], [1, 2, 3], {"a": 1}, [[[[[1]]]]], {"id": [1]}, "2024-05-01T12:30:00", 2**63,
]  # fmt: skip


def damaged_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, cut out, repeated, or the rest cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) + 1))
        length = int(rng.integers(1, 40))
        kind = int(rng.integers(5))
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[at : at + length]
        elif kind == 2:
            data[at:at] = data[at : at + length]
        elif kind == 3:
            data[at:at] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def damaged_document(document: Any, rng: np.random.Generator) -> bytes:
    """JSON with one to three of its parts replaced, removed or moved."""
    copy = json.loads(json.dumps(document))
    for _ in range(int(rng.integers(1, 4))):
        holder, key = _somewhere(copy, rng)
        if holder is None:
            break
        kind = int(rng.integers(4))
        if kind == 0 and len(holder):
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[str(JUNK[int(rng.integers(len(JUNK)))])[:9]] = holder.pop(key)
        else:
            holder[key] = deepcopy(JUNK[int(rng.integers(len(JUNK)))])
    return json.dumps(copy).encode("utf-8", "surrogatepass")


def _somewhere(document: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    holder, key, at = None, None, document
    while isinstance(at, dict | list) and at:
        holder, key = (
            at,
            list(at)[int(rng.integers(len(at)))] if isinstance(at, dict) else int(rng.integers(len(at))),
        )
        at = holder[key]
        if rng.random() < 0.25:
            break
    return holder, key


def foreign_exceptions(
    read: Callable[[Path], object],
    path: Path,
    contents: Callable[[np.random.Generator], bytes],
    rounds: int,
    *,
    blamed: tuple[str, ...] = (),
    share: int = 1,
) -> list[str]:
    """What `read` raises besides a one-line `SigmaposeError` that names the file, over many damaged files.

    An error may also name one of the files `blamed`, which are read together with the damaged one.
    `FUZZ_SECONDS` in the environment (`make fuzz`) goes on with further seeds for so long, and says
    how many there were; of a reader of `share` kinds of files each has its part of that time.
    """
    seconds = float(os.environ.get("FUZZ_SECONDS", 0)) / share
    found, end, names, refused = [], time.monotonic() + seconds, (path.name, *blamed), 0
    for seed in count():
        if seed >= rounds and time.monotonic() >= end:
            break
        path.write_bytes(contents(np.random.default_rng(seed)))
        try:
            read(path)
        except SigmaposeError as error:
            refused += 1
            told = str(error)
            if not any(name in told for name in names) or len(told) > 1000 or "Warning" in told:
                found.append(f"seed {seed}: {told[:300]}")
        except Exception as error:
            found.append(f"seed {seed}: {type(error).__name__}: {error}"[:300])
    if seconds:
        print(f"\n{path.name}: {seed} damaged files, {refused} refused, {len(found)} answered wrongly")
    return found
