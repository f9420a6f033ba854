from __future__ import annotations

from pathlib import Path

import pytest

from sigmapose.learn.convert.convert_blazepose import cached_models


@pytest.fixture(scope="session")
def original_models() -> dict[str, bytes]:
    """MediaPipe's files by name, fetched from the registries once."""
    return cached_models(Path(__file__).parents[2] / ".cache" / "blazepose")
