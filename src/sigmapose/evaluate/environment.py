"""Which code and which machine numbers come from."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path


def current_commit() -> str:
    """The commit of the checkout this package runs from, else its version."""
    folder = Path(__file__).resolve().parent
    inside_checkout = any((parent / ".git").exists() for parent in folder.parents[:3])
    if inside_checkout:
        try:
            return subprocess.run(
                ["git", "rev-parse", "--short", "HEAD"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            pass
    try:
        return metadata.version("sigmapose")
    except metadata.PackageNotFoundError:
        return "unknown"


def current_device() -> str:
    """The processor in words, and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"
