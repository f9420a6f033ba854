"""One error family. Messages are one line: what is wrong, what was got, what to do."""

from __future__ import annotations


class SigmaposeError(Exception):
    """Base of every error that sigmapose raises for its caller; the command line exits with 2."""


class InputError(SigmaposeError):
    """An input file, array or option is unusable."""


class SkeletonError(SigmaposeError):
    """An unknown skeleton or joint, or two skeletons that do not fit."""


class CameraError(SigmaposeError):
    """A camera that cannot exist: singular, non-finite, or without a positive focal length."""


class OutputError(SigmaposeError):
    """The output cannot be written, or exists already."""


class ModelError(SigmaposeError):
    """A network file is missing, damaged, or not the one that was asked for."""


class DataError(SigmaposeError):
    """Training or benchmark data is missing or malformed."""
