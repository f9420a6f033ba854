"""All data sets by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sigmapose.data.sample import Sample
from sigmapose.errors import DataError

_READERS: Mapping[str, tuple[str, str]] = {
    "h36m": ("sigmapose.data.readers.h36m", "read_h36m"),
    "mpi-inf-3dhp": ("sigmapose.data.readers.mpi_inf_3dhp", "read_mpi_inf_3dhp"),
    "3dpw": ("sigmapose.data.readers.threedpw", "read_3dpw"),
    "humaneva": ("sigmapose.data.readers.humaneva", "read_humaneva"),
    "coco": ("sigmapose.data.readers.coco", "read_coco"),
    "lsp": ("sigmapose.data.readers.lsp", "read_lsp"),
    "multiview": ("sigmapose.data.readers.multiview", "read_multiview"),
    "unlabelled": ("sigmapose.data.readers.unlabelled", "read_unlabelled"),
    "synth": ("sigmapose.data.shard_reader", "read_shards"),
}
DATASETS = tuple(_READERS)
"""Names that `open_dataset` knows; docs/datasets.md says what each expects."""


def open_dataset(name: str, path: str | Path, **options: Any) -> Iterator[Sample]:
    """The samples of a data set, one by one.

    Args:
        name: one of `DATASETS`.
        path: its folder or file.
        options: of that reader, such as `split="test"` or `every=5`; see its docstring and docs/datasets.md.

    Raises:
        DataError: an unknown name or option, or whatever is wrong with the files.
    """
    if name not in _READERS:
        raise DataError(f"unknown data set {name!r}: choose from {', '.join(DATASETS)}")
    module, function = _READERS[name]
    reader = getattr(importlib.import_module(module), function)
    known = list(inspect.signature(reader).parameters)[1:]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise DataError(f"{name} has no option {', '.join(unknown)}: choose from {', '.join(known)}")
    return reader(path, **options)
