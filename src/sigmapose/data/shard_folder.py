"""A folder of shards while it is being made: one split, one set of settings, one writer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from sigmapose.data.shard_reader import describe_shard
from sigmapose.data.shards import MANIFEST, PARTIAL, Manifest, ShardEntry
from sigmapose.data.splits import Split
from sigmapose.errors import OutputError
from sigmapose.writing import Lock

LOCK = ".writing"


@dataclass(frozen=True)
class ShardJob:
    """A shard to be made: samples `first` to `first + count` of the plan."""

    name: str
    first: int
    count: int


class ShardFolder:
    """The folder, locked against a second writer. Use as a context manager.

    Leftovers of runs that were killed are removed on entering and leaving.

    Raises:
        OutputError: it cannot be written, or another run is writing into it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest | None = None
        self._lock: Lock | None = None

    def __enter__(self) -> ShardFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputError(f"{self.path}: is a file, not a folder: choose another folder") from None
        except OSError as error:
            raise OutputError(
                f"{self.path}: cannot be written ({error.strerror}): choose another folder"
            ) from error
        self._lock = Lock(self.path / LOCK, self.path)
        self._sweep()
        self.manifest = Manifest.load(self.path)
        if self.manifest is None and any(self.path.glob("*.tar")):
            self.__exit__(None, None, None)
            raise OutputError(f"{self.path}: holds shards without {MANIFEST}: choose another folder")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sweep()
        assert self._lock is not None
        self._lock.release()

    def _sweep(self) -> None:
        """Remove half-written files; under the lock nobody else writes here."""
        for left in self.path.glob(f"*{PARTIAL}"):
            left.unlink(missing_ok=True)

    def refuse_other_split(self, split: Split) -> None:
        """Check, before anything costly, that a claim for this split can succeed.

        Raises:
            OutputError: the folder holds samples of another split.
        """
        if self.manifest is not None and self.manifest.split not in (None, split):
            raise OutputError(
                f"{self.path}: holds {self.manifest.split} samples, and a folder holds one split: choose "
                f"another folder for {split}"
            )

    def claim(self, split: Split, settings: dict[str, Any], count: int) -> None:
        """Record what the folder is for, or check that it is for the same.

        Raises:
            OutputError: it holds another split, or was made with other settings, or holds more samples.
        """
        self.refuse_other_split(split)
        if self.manifest is None:
            self.manifest = Manifest(split, settings)
            self.manifest.save(self.path)
            return
        before = self.manifest.settings
        changed = sorted(k for k in {*before, *settings} if before.get(k) != settings.get(k))
        if changed:
            was = ", ".join(f"{k.replace('_', ' ')} {_brief(before.get(k))}" for k in changed)
            raise OutputError(f"{self.path}: was made with {was}: use that, or choose another folder")
        if self.manifest.samples > count:
            raise OutputError(
                f"{self.path}: holds {self.manifest.samples} samples already: ask for at least as many, or "
                "choose another folder"
            )

    def missing(self, count: int, shard_size: int) -> list[ShardJob]:
        """What is still to be made; shards that a killed run finished without telling are taken up."""
        jobs = []
        for number, first in enumerate(range(0, count, shard_size)):
            job = ShardJob(f"shard-{number:06d}.tar", first, min(shard_size, count - first))
            if not self._finished(job):
                jobs.append(job)
        return jobs

    def _finished(self, job: ShardJob) -> bool:
        assert self.manifest is not None
        path, entry = self.path / job.name, self.manifest.entry(job.name)
        if not path.exists():
            return False
        if entry is not None and path.stat().st_size == entry.bytes:
            return entry.samples == job.count
        found = describe_shard(path)
        if found is None or found.samples != job.count:
            return False
        self.add(found)
        return True

    def add(self, entry: ShardEntry) -> None:
        """Record a finished shard.

        Raises:
            OutputError: the manifest cannot be written.
        """
        assert self.manifest is not None
        self.manifest = self.manifest.with_entry(entry)
        self.manifest.save(self.path)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return "of other files"
    return ":".join(map(str, value)) if isinstance(value, list) else str(value)
