"""A plain word instead of a traceback where an optional dependency is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sigmapose.errors import ModelError


@contextmanager
def needs_training_stack() -> Iterator[None]:
    """Turns a missing module of the `train` extra into a ModelError that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("sigmapose"):
            raise
        raise ModelError(
            f"this command needs the training stack ({error.name} is missing): pip install 'sigmapose[train]'"
        ) from error
