"""Read folders of shards: in any order, split among workers, past damaged files, never mixing splits."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shards import Manifest, ShardEntry, from_record
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, SigmaposeError
from sigmapose.skeleton import BODY_26

log = logging.getLogger(__name__)
OPEN_SHARDS = 16
"""Shards whose truth a `ShardLibrary` keeps in memory, about 2 MB each."""
PICTURE_SUFFIXES = ("jpg", "jpeg", "png", "webp")


@dataclass
class ReadSummary:
    """What came of reading; filled while the samples are taken."""

    shards: int = 0
    samples: int = 0
    damaged: dict[Path, str] = field(default_factory=dict)
    """Shards that were skipped, and why."""

    def __str__(self) -> str:
        skipped = "; ".join(f"{path.name}: {reason}" for path, reason in self.damaged.items())
        return f"{self.samples} samples of {self.shards} shards" + (
            f", {len(self.damaged)} damaged shards skipped ({skipped})" if skipped else ""
        )


def read_shards(
    places: Path | str | Sequence[Path | str],
    *,
    split: Split | str | Sequence[Split | str] | None = None,
    seed: int | None = None,
    part: tuple[int, int] | None = None,
    verify: bool = False,
    summary: ReadSummary | None = None,
) -> Iterator[Sample]:
    """The samples of shards; pictures stay encoded until `Sample.read_picture`.

    Args:
        places: shards (`*.tar`), folders of shards, or folders of such folders.
        split: take only samples of this split, or of these; None takes all, which must be of one split.
        seed: shuffles the order of the shards and of the samples in each; None keeps the stored order.
        part: (k, n) gives the k-th of n disjoint parts. None inside a worker of a torch DataLoader gives that
            worker's part, otherwise everything.
        verify: compare checksums with the manifest before a shard is used.
        summary: filled with what was read and what was skipped.

    Raises:
        DataError: no shards, every one damaged, splits mixed without being asked for, or none of that split.
    """
    wanted = None if split is None else frozenset(map(Split, [split] if isinstance(split, str) else split))
    shards = _find([places] if isinstance(places, (str, Path)) else places, wanted)
    if seed is not None:
        order = np.random.default_rng([seed, 5]).permutation(len(shards))
        shards = [shards[i] for i in order.tolist()]
    index, count = _part(part)
    if len(shards) >= count:
        shards, index, count = shards[index::count], 0, 1
    return _read(shards, slice(index, None, count), wanted, seed, verify, summary or ReadSummary())


class ShardLibrary:
    """The samples of shards by number, for reading in an order of one's own; damaged shards are left out.

    Raises:
        DataError: no shards, every one damaged, or none with a sample of that split.
    """

    def __init__(self, places: Path | str | Sequence[Path | str], split: Split | str) -> None:
        self._split = Split(split)
        found = _find([places] if isinstance(places, (str, Path)) else places, frozenset([self._split]))
        self._shards: list[_Shard] = []
        self.sizes: list[int] = []
        """Samples in each shard; they are numbered shard after shard."""
        self.ids: list[str] = []
        """Their names, by number."""
        for shard in found:
            try:
                rows = self._rows(shard)
            except _DamagedError as error:
                log.warning("skipped damaged shard %s: %s", shard.path, error)
                continue
            if rows:
                self._shards.append(shard)
                self.sizes.append(len(rows))
                self.ids += [row.sample.id for row in rows]
        if not self._shards:
            raise DataError(f"no '{self._split}' sample can be read from {places}: make the shards again")
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self._open: dict[int, list[_Stored]] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, number: int) -> Sample:
        """One sample with its encoded pictures; cheap while neighbours of few shards are asked for."""
        shard = int(np.searchsorted(self._starts, number, side="right")) - 1
        if not 0 <= shard < len(self._shards):
            raise DataError(f"no sample {number} in shards of {len(self)}: count from 0")
        if shard not in self._open:
            while len(self._open) >= OPEN_SHARDS:
                del self._open[next(iter(self._open))]
            self._open[shard] = self._rows(self._shards[shard])
        path = self._shards[shard].path
        with path.open("rb") as file:
            return self._open[shard][number - self._starts[shard]].load(file, path)

    def _rows(self, shard: _Shard) -> list[_Stored]:
        return [row for row in _index(shard, verify=False) if row.sample.split == self._split]


@dataclass(frozen=True)
class _Shard:
    path: Path
    entry: ShardEntry | None
    """What the manifest says of it, if there is one."""


@dataclass(frozen=True)
class _Stored:
    """One sample inside a tar: its truth, and where the bytes of its pictures lie (offset, size)."""

    sample: Sample
    pictures: dict[str, tuple[int, int]]

    def load(self, file: BinaryIO, path: Path) -> Sample:
        """The sample with its encoded pictures."""
        loaded = {}
        for name, (offset, size) in self.pictures.items():
            file.seek(offset)
            loaded[name] = Picture.of_bytes(file.read(size), path)
        return replace(self.sample, **loaded)


class _DamagedError(Exception):
    """Why a shard cannot be used."""


def _read(
    shards: Sequence[_Shard],
    part: slice,
    wanted: frozenset[Split] | None,
    seed: int | None,
    verify: bool,
    summary: ReadSummary,
) -> Iterator[Sample]:
    found: set[Split] = set()
    for shard in shards:
        try:
            stored = _index(shard, verify)
        except _DamagedError as error:
            summary.damaged[shard.path] = str(error)
            log.warning("skipped damaged shard %s: %s", shard.path, error)
            continue
        summary.shards += 1
        if seed is not None:
            name = zlib.crc32(shard.path.name.encode())
            stored = [stored[i] for i in np.random.default_rng([seed, 6, name]).permutation(len(stored))]
        found |= {item.sample.split for item in stored if item.sample.split is not None}
        if wanted is None and len(found) > 1:
            raise DataError(_mixed(found))
        with shard.path.open("rb") as file:
            for item in stored[part]:
                if wanted is None or item.sample.split in wanted:
                    summary.samples += 1
                    yield item.load(file, shard.path)
    if summary.damaged and not summary.shards:
        path, reason = next(iter(summary.damaged.items()))
        raise DataError(f"every shard is damaged, e.g. {path} ({reason}): make them again")
    if wanted is not None and found and not found & wanted:
        raise DataError(f"no {_names(wanted)} samples, only {_names(found)}: choose another split")


def _find(places: Iterable[Path | str], wanted: frozenset[Split] | None) -> list[_Shard]:
    """The shards of all places, those in folders of another split left out."""
    files: list[Path] = []
    for place in map(Path, places):
        if not place.exists():
            raise DataError(f"{place}: no such file or folder: give shards (*.tar) or a folder of them")
        here = sorted(place.rglob("*.tar")) if place.is_dir() else [place]
        if not here:
            raise DataError(f"{place}: no shards (*.tar) in this folder: make some with `sigmapose synth`")
        files += here
    manifests = {folder: Manifest.load(folder) for folder in dict.fromkeys(file.parent for file in files)}
    splits = {m.split for m in manifests.values() if m is not None and m.split is not None}
    if wanted is None and len(splits) > 1:
        raise DataError(_mixed(splits))
    shards = []
    for file in dict.fromkeys(files):
        manifest = manifests[file.parent]
        if manifest is not None and wanted is not None and manifest.split not in (None, *wanted):
            continue
        shards.append(_Shard(file, manifest.entry(file.name) if manifest is not None else None))
    if not shards and wanted is not None:
        raise DataError(f"no {_names(wanted)} samples, only {_names(splits)}: choose another split")
    return shards


def _names(splits: Iterable[Split]) -> str:
    return " or ".join(sorted(splits))


def _mixed(splits: Iterable[Split]) -> str:
    return (
        f"samples of several splits ({', '.join(sorted(splits))}) must not be read as one set: "
        "name those wanted with split="
    )


def _part(part: tuple[int, int] | None) -> tuple[int, int]:
    """Which part of how many; that of the torch worker when nothing is said."""
    if part is None:
        data = sys.modules.get("torch.utils.data")  # present in every DataLoader worker; never imported here
        worker = data.get_worker_info() if data is not None else None
        part = (0, 1) if worker is None else (worker.id, worker.num_workers)
    if not 0 <= part[0] < part[1]:
        raise DataError(f"part {part} does not exist: give (k, n) with 0 <= k < n")
    return part


def describe_shard(path: Path) -> ShardEntry | None:
    """What a manifest would say of a shard that is there; None when it is damaged."""
    try:
        samples = len(_index(_Shard(path, None), verify=False))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return ShardEntry(path.name, samples, path.stat().st_size, digest)
    except (_DamagedError, OSError):
        return None


def _index(shard: _Shard, verify: bool) -> list[_Stored]:
    """What lies where in a shard, read without its pictures.

    Raises:
        _DamagedError: cut short, changed, or with a record that cannot be read.
    """
    try:
        size = shard.path.stat().st_size
        if shard.entry is not None and size != shard.entry.bytes:
            raise _DamagedError(f"{size} bytes, the manifest says {shard.entry.bytes}")
        if verify and shard.entry is not None:
            with shard.path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard.entry.sha256:
                    raise _DamagedError("its checksum is not the manifest's")
        with tarfile.open(shard.path, "r:") as tar:
            members = [member for member in tar if member.isfile()]
            _check_end(tar, members)
            stored = _group(tar, members)
    except (OSError, tarfile.TarError, SigmaposeError, ValueError) as error:
        raise _DamagedError(" ".join(str(error).split()) or type(error).__name__) from error
    if shard.entry is not None and len(stored) != shard.entry.samples:
        raise _DamagedError(f"{len(stored)} samples, the manifest says {shard.entry.samples}")
    return stored


def _check_end(tar: tarfile.TarFile, members: Sequence[tarfile.TarInfo]) -> None:
    """tarfile takes a broken header for the end of the archive; a real end is two blocks of zeros."""
    assert tar.fileobj is not None
    last = members[-1] if members else None
    end = 0 if last is None else last.offset_data + -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    tar.fileobj.seek(end)
    tail = tar.fileobj.read(2 * tarfile.BLOCKSIZE)
    if len(tail) < 2 * tarfile.BLOCKSIZE or any(tail):
        raise _DamagedError(f"cut short or damaged after {end} bytes")


def _group(tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo]) -> list[_Stored]:
    """Samples from members: the name up to the first dot of the file name is the key."""
    records: dict[str, bytes | None] = {}
    pictures: dict[str, dict[str, tuple[int, int]]] = {}
    for member in members:
        folder, _, name = member.name.rpartition("/")
        stem, _, suffix = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        records.setdefault(key, None)
        if suffix == "json":
            file = tar.extractfile(member)
            assert file is not None
            records[key] = file.read()
        elif suffix.removeprefix("clean.") in PICTURE_SUFFIXES:
            which = "clean_picture" if suffix.startswith("clean.") else "picture"
            pictures.setdefault(key, {})[which] = (member.offset_data, member.size)
    stored = []
    for key, text in records.items():
        if text is None:  # somebody's pictures without our truth
            sample = Sample(id=key, source="shard", skeleton=BODY_26)
        else:
            try:
                sample = from_record(json.loads(text), None)
            except (ValueError, DataError) as error:
                raise _DamagedError(f"{key}.json: {error}") from error
        stored.append(_Stored(sample, pictures.get(key, {})))
    return stored
