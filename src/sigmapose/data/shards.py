"""Shards: samples in plain tar files that any WebDataset reader takes, beside a manifest with checksums.

A sample is `<key>.jpg`, `<key>.clean.jpg` where there is a clean twin, and `<key>.json`, the truth. A folder
of shards holds one split and a `manifest.json`; docs/formats.md describes every field. A file is whole or
absent: it is written under a partial name and renamed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np

from sigmapose.camera import Camera
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, OutputError
from sigmapose.shapes import Array, UInt8
from sigmapose.skeleton import get_skeleton

FORMAT, VERSION = "sigmapose/shards", 1
MANIFEST = "manifest.json"
PARTIAL = ".partial"
JPEG_QUALITY = 85
# Decimals of what is stored: 0.01 mm and 0.01 px; the crop's angle to 1e-5 rad is 0.003 px at its border.
_DECIMALS = {"joints_mm": 2, "points_px": 2, "detected_px": 2, "detected_score": 4, "box_px": 2}
_CROP_DECIMALS = (3, 3, 3, 5)
_CAMERA_DECIMALS = 3


def encode_jpeg(rgb: UInt8[Array, "h w 3"], quality: int = JPEG_QUALITY) -> bytes:
    """The picture as JPEG."""
    coded = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return coded.tobytes()


def to_record(sample: Sample) -> dict[str, Any]:
    """The truth of a sample as JSON: absent knowledge is left out, absent joints are null."""
    record: dict[str, Any] = {"id": sample.id, "source": sample.source}
    if sample.split is not None:
        record["split"] = sample.split.value
    record |= {"subject": sample.subject, "clip": sample.clip, "frame": sample.frame}
    record["skeleton"] = sample.skeleton.name
    for name, decimals in _DECIMALS.items():
        if (values := getattr(sample, name)) is not None:
            record[name] = _rounded(values, decimals)
    if sample.visibility is not None:
        record["visibility"] = sample.visibility.tolist()
    if sample.camera is not None:
        camera = asdict(sample.camera)
        if camera["focal_log"] is None:
            del camera["focal_log"]
        rounded = {k: round(camera[k], _CAMERA_DECIMALS) for k in ("fx", "fy", "cx", "cy")}
        record["camera"] = camera | rounded | {"distortion": list(sample.camera.distortion)}
    if sample.crop is not None:
        record["crop"] = [round(float(v), d) for v, d in zip(sample.crop, _CROP_DECIMALS, strict=True)]
    return record | {"facts": sample.facts}


def _rounded(values: Array, decimals: int) -> list[Any]:
    """Nested lists of rounded numbers, null for NaN."""
    rounded = np.round(values.astype(np.float64), decimals) + 0.0  # -0.0 becomes 0.0
    if np.isfinite(rounded).all():
        return rounded.tolist()
    blank = rounded.astype(object)
    blank[~np.isfinite(rounded)] = None
    return blank.tolist()


def from_record(record: dict[str, Any], picture: Picture | None, clean: Picture | None = None) -> Sample:
    """The sample that `to_record` described.

    Raises:
        DataError: a field is missing or malformed.
    """
    try:
        arrays = {
            name: np.array(record[name], dtype=np.float64) for name in (*_DECIMALS, "crop") if name in record
        }
        visibility, camera = record.get("visibility"), record.get("camera")
        return Sample(
            id=record["id"],
            source=record["source"],
            split=Split(record["split"]) if "split" in record else None,
            subject=record["subject"],
            clip=record["clip"],
            frame=int(record["frame"]),
            skeleton=get_skeleton(record["skeleton"]),
            visibility=None if visibility is None else np.array(visibility, np.int8),
            camera=None if camera is None else Camera(**camera | {"distortion": tuple(camera["distortion"])}),
            picture=picture,
            clean_picture=clean,
            facts=record["facts"],
            **arrays,
        )
    except KeyError as error:
        raise DataError(f"record without {error}: it was not written by sigmapose") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise DataError(f"malformed record ({error}): make the shard again") from error


@dataclass(frozen=True)
class ShardEntry:
    """What the manifest says of one shard."""

    name: str
    samples: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a folder of shards holds and how it was made."""

    split: Split | None
    settings: dict[str, Any]
    shards: tuple[ShardEntry, ...] = ()

    def __repr__(self) -> str:
        return f"Manifest({self.split}, {len(self.shards)} shards, {self.samples} samples)"

    @property
    def samples(self) -> int:
        return sum(entry.samples for entry in self.shards)

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.shards)

    def entry(self, name: str) -> ShardEntry | None:
        """The entry of that file name."""
        return next((entry for entry in self.shards if entry.name == name), None)

    def with_entry(self, entry: ShardEntry) -> Manifest:
        """With one shard added or replaced; shards stay in the order of their names."""
        others = [e for e in self.shards if e.name != entry.name]
        return replace(self, shards=tuple(sorted([*others, entry], key=lambda e: e.name)))

    def save(self, folder: Path) -> None:
        """Write `manifest.json`, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        text = json.dumps(
            {
                "format": FORMAT,
                "version": VERSION,
                "split": None if self.split is None else self.split.value,
                "samples": self.samples,
                "bytes": self.bytes,
                "settings": self.settings,
                "shards": [asdict(entry) for entry in self.shards],
            },
            indent=1,
        )
        with whole_file(folder / MANIFEST) as file:
            file.write(text.encode() + b"\n")

    @staticmethod
    def load(folder: Path) -> Manifest | None:
        """Read `manifest.json`; None where there is none.

        Raises:
            DataError: it is damaged, or of another format or a later version.
        """
        path = folder / MANIFEST
        try:
            data = json.loads(path.read_bytes())
            if data["format"] != FORMAT or data["version"] > VERSION:
                raise DataError(
                    f"{path}: is {data['format']} version {data['version']}, this sigmapose reads {FORMAT} "
                    f"up to version {VERSION}: use a newer sigmapose"
                )
            split = None if data["split"] is None else Split(data["split"])
            return Manifest(split, data["settings"], tuple(ShardEntry(**entry) for entry in data["shards"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}): check its permissions") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}: damaged manifest ({error}): delete it, the shards are enough"
            ) from error


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears under its name when everything is written and on the disk, or not at all.

    Raises:
        OutputError: the disk is full, or the place cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: writing stopped ({error.strerror}): free some space or choose another folder; "
            "run again to continue, finished shards are kept"
        ) from error
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class _Hashing(io.RawIOBase):
    """Passes bytes on to a file and hashes them."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file, self.hash, self.count = file, hashlib.sha256(), 0

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.count += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.count


def write_shard(path: Path, samples: Iterable[Sample], quality: int = JPEG_QUALITY) -> ShardEntry:
    """Write one shard; equal samples give equal bytes, whoever writes them and when.

    A picture held as JPEG bytes is stored as it is, any other is encoded with `quality`.

    Raises:
        OutputError: the disk is full, or the place cannot be written; nothing is left behind.
        DataError: two samples with the same id.
    """
    keys: set[str] = set()
    with whole_file(path) as file:
        hashing = _Hashing(file)
        with tarfile.open(fileobj=hashing, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for sample in samples:
                key = sample.id.replace(".", "_")  # WebDataset takes what precedes the first dot as the key
                if key in keys:
                    raise DataError(f"{path}: two samples with id {sample.id!r}: give each its own")
                keys.add(key)
                for suffix, picture in (("jpg", sample.picture), ("clean.jpg", sample.clean_picture)):
                    if picture is not None:
                        _add(tar, f"{key}.{suffix}", _jpeg(picture, quality))
                record = json.dumps(to_record(sample), separators=(",", ":"), allow_nan=False)
                _add(tar, f"{key}.json", record.encode())
    return ShardEntry(path.name, len(keys), hashing.count, hashing.hash.hexdigest())


def _jpeg(picture: Picture, quality: int) -> bytes:
    if picture.data is not None and picture.data[:2] == b"\xff\xd8":
        return picture.data
    return encode_jpeg(picture.read(), quality)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    header = tarfile.TarInfo(name)  # mtime, uid and gid are 0, names of owners empty
    header.size = len(data)
    tar.addfile(header, io.BytesIO(data))
