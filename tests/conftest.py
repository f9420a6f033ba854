"""Shapes and types of the core rooms are checked in every test, never at run time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests that import onnxruntime themselves stay silent too

CHECKED_ROOMS = [
    "sigmapose.skeleton",
    "sigmapose.pose",
    "sigmapose.camera",
    "sigmapose.gaussian",
    "sigmapose.regions",
    "sigmapose.kinematics",
    "sigmapose.measurement",
    "sigmapose.align",
    "sigmapose.evaluate",
    "sigmapose.calibrate",
]
install_import_hook(CHECKED_ROOMS, "typecheck.check")

# A busy machine is no fault of a property.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

MAKE_BODY_MODEL = "from sigmapose.synth.people.body import load_body_model; load_body_model()"
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """The body model's first load on a machine writes files that a second process must not find half done."""
    if "not slow" not in config.option.markexpr:
        subprocess.run([sys.executable, "-W", "ignore", "-c", MAKE_BODY_MODEL], check=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes, files with slow tests come first, so that none is left with one at the end."""
    if hasattr(config, "workerinput"):
        slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
        items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def examples(repository: Path) -> Path:
    """The folder of sample clips and photos that ships with the project."""
    return repository / "examples"
