"""What the page shows beside the 3D view: the annotated film or photo, and the film as it was filmed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sigmapose.view.scene import PageMedia


def page_media(folder: Path, kind: str, overlay: Path | None, read: Path | None) -> PageMedia:
    """Addresses relative to the folder of the page.

    Args:
        folder: of the page.
        kind: photo, folder, video or keypoints.
        overlay: the annotated film, photo, or folder of photos, if there is one.
        read: the input.
    """
    from sigmapose.view.scene import PageMedia

    if kind == "keypoints":
        return PageMedia()
    marked = "" if overlay is None else overlay.name
    if kind == "folder" and marked:
        marked += "/{}.jpg"
    film = kind == "video"
    plain = _relative(read, folder) if film and read is not None and read.is_file() else ""
    return PageMedia(marked, plain, film)


def _relative(file: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return ""


def media_beside(poses: Path, page: Path, fps: Sequence[float | None]) -> PageMedia:
    """The annotated film or photo that an earlier run left beside its `poses.json`, for a page elsewhere.

    Args:
        poses: the file of poses.
        page: that is made of it.
        fps: of the sources of the poses; None: of a photo.
    """
    from sigmapose.run.output_files import OVERLAYS

    film = any(fps)
    kind = "video" if film else "photo" if len(fps) == 1 else "folder"
    name = OVERLAYS[kind]
    overlay = poses.parent / name if name else None
    media = page_media(page.parent, kind, overlay if overlay is not None and overlay.exists() else None, None)
    if not media.marked or page.parent.resolve() == poses.parent.resolve():
        return media
    return replace(
        media, marked=media.marked.replace(str(name), _relative(poses.parent / str(name), page.parent), 1)
    )
