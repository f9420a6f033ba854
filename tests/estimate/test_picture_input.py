"""A photo as an array, a file or a picture of Pillow: the same people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

import sigmapose
from sigmapose.errors import InputError
from sigmapose.io.images import read_image


@pytest.fixture(scope="module")
def est() -> sigmapose.Estimator:
    """The smallest model, one look."""
    return sigmapose.load("lite", looks=1)


@pytest.fixture(scope="module")
def photo(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo that lies on its side, with a focal length."""
    with Image.open(examples / "behind_tree.jpg") as upright:
        small = upright.convert("RGB").resize((upright.width // 2, upright.height // 2))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 40
    path = tmp_path_factory.mktemp("photo") / "lying.png"
    small.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    return path


def test_file_and_pillow_are_the_array(est: sigmapose.Estimator, photo: Path) -> None:
    by_array = est(read_image(photo))
    assert by_array and not by_array[0].camera.known
    with Image.open(photo) as image:
        by_pillow = est(image)
    for poses in (est(photo), est(str(photo)), by_pillow):
        assert len(poses) == len(by_array)
        assert poses[0].camera.known  # EXIF says 40 mm
        assert poses[0].camera.focal_px == pytest.approx(
            40 / 36 * max(poses[0].camera.width, poses[0].camera.height)
        )
        assert poses[0].points_px == pytest.approx(by_array[0].points_px, abs=20.0)
    given = est(photo, camera=by_array[0].camera)
    assert given[0].joints_mm == pytest.approx(by_array[0].joints_mm, abs=0.5)


def test_transparent_pictures_are_laid_over_white(est: sigmapose.Estimator) -> None:
    from sigmapose.estimate.picture_checks import open_picture

    clear = Image.new("RGBA", (60, 40))
    rgb, camera = open_picture(clear, None)
    assert rgb.shape == (40, 60, 3) and (rgb == 255).all() and camera.width == 60


def test_what_is_no_picture_is_refused(est: sigmapose.Estimator, tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture")
    for wrong in (tmp_path / "notes.jpg", tmp_path / "nowhere.jpg", 7, np.zeros((3, 3))):
        with pytest.raises(InputError):
            est(wrong)
