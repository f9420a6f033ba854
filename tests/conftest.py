"""Shapes and types of the core rooms are checked in every test, never at run time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests that import onnxruntime themselves stay silent too

CHECKED_ROOMS = [
    "sigmapose.skeleton",
    "sigmapose.pose",
    "sigmapose.camera",
    "sigmapose.gaussian",
    "sigmapose.regions",
    "sigmapose.align",
    "sigmapose.evaluate",
    "sigmapose.calibrate",
]
install_import_hook(CHECKED_ROOMS, "typecheck.check")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def examples(repository: Path) -> Path:
    """The folder of sample clips and photos that ships with the project."""
    return repository / "examples"
