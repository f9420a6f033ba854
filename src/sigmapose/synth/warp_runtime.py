"""Starts Warp, which compiles the kernels, without a word on the terminal."""

from __future__ import annotations

import ctypes
import functools
import os
import sys

import warp as wp


@functools.cache
def start_warp() -> None:
    """Start Warp once a process.

    A library prints nothing: no banner, no notice of every compiled module. Without a CUDA driver, which the
    renderer does not need, Warp's native part warns on the standard error stream itself, into progress bars.
    """
    wp.config.log_level = wp.LOG_ERROR
    if _has_cuda_driver():
        wp.init()
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no such stream
        wp.init()
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
