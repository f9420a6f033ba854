"""`sigmapose view`: the 3D page of a `poses.json`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class View:
    """Make the 3D viewer page of a poses.json, for example after editing or filtering it."""

    poses: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="POSES")]
    """poses.json, or the folder that contains it."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """HTML file to write; by default scene.html next to poses.json."""
    open: bool = False
    """Open the page in the browser."""
    overwrite: bool = False
    """Replace an existing page."""

    def __call__(self) -> int:
        from sigmapose.io.poses_json import read_poses
        from sigmapose.run.angle_bands import angle_bands
        from sigmapose.run.page_media import media_beside
        from sigmapose.run.places import check_free, check_no_input
        from sigmapose.view.scene import write_scene
        from sigmapose.writing import check_place

        file = read_poses(self.poses)
        page = self.out or file.path.with_name("scene.html")
        check_no_input([page], file.path)
        check_free([page], self.overwrite)
        check_place(page, "--out")
        title = file.sources[0].file if len(file.sources) == 1 else file.path.parent.name
        media = media_beside(file.path, page, [source.fps for source in file.sources])
        write_scene(file, page, title=title, skeleton=file.skeleton, media=media, measure=angle_bands)
        sys.stdout.write(f"wrote {page}\n")
        if self.open:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())
        return 0
