"""A folder's pictures in one file that any number of processes share, instead of a copy in each."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sigmapose.errors import DataError, OutputError
from sigmapose.synth.render.cutouts import PictureFolder, list_pictures, read_picture

log = logging.getLogger(__name__)
MOST_PICTURES = 1000
"""More than these are thinned evenly: about 1 GB."""


@dataclass(frozen=True)
class PackedPictures:
    """Where the decoded pictures lie, one after the other, and their shapes."""

    path: Path
    shapes: tuple[tuple[int, ...], ...] = ()

    def load(self) -> PictureFolder:
        """The pictures as views of the file; they take memory once for all processes."""
        if not self.shapes:
            return PictureFolder()
        data = np.memmap(self.path, np.uint8, mode="r")
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        parts = np.split(data, ends[:-1])
        return PictureFolder(tuple(p.reshape(s) for p, s in zip(parts, self.shapes, strict=True)))


def pack_pictures(folder: Path | None, path: Path) -> PackedPictures:
    """Decode the pictures of a folder into the file `path`; None gives an empty collection.

    A picture that cannot be decoded is left out with a warning.

    Raises:
        DataError: no such folder, no pictures in it, or none that can be decoded.
        OutputError: the file cannot be written.
    """
    from tqdm import tqdm

    if folder is None:
        return PackedPictures(path)
    files = list_pictures(folder)
    if len(files) > MOST_PICTURES:
        log.warning("%s: %d of its %d pictures are used", folder, MOST_PICTURES, len(files))
        files = [files[i * len(files) // MOST_PICTURES] for i in range(MOST_PICTURES)]
    shapes = []
    try:
        with path.open("wb") as file:
            for name in tqdm(files, folder.name, unit="picture", leave=False):
                picture = read_picture(name)
                if picture is not None:
                    file.write(picture.tobytes())
                    shapes.append(picture.shape)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: writing stopped ({error.strerror}): free some space or choose another folder"
        ) from error
    if not shapes:
        raise DataError(f"{folder}: none of its {len(files)} pictures can be decoded: replace them")
    return PackedPictures(path, tuple(shapes))
