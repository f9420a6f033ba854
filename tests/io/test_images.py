"""Photos as people have them: every bit depth, transparency and orientation, and files that are no photos."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.exif import read_exif
from sigmapose.io.images import list_images, read_image, read_photo


def exif_tiff(orientation: int, focal_35mm: int, order: str = "<") -> bytes:
    """A minimal EXIF block: orientation in the first directory, 35 mm focal length in the second."""
    mark = b"II" if order == "<" else b"MM"
    first = struct.pack(order + "H", 2)
    first += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    first += struct.pack(order + "HHII", 0x8769, 4, 1, 8 + 2 + 24 + 4) + struct.pack(order + "I", 0)
    second = struct.pack(order + "HHHIHHI", 1, 0xA405, 3, 1, focal_35mm, 0, 0)
    return mark + struct.pack(order + "HI", 42, 8) + first + second


def jpeg_with_exif(bgr: np.ndarray, tiff: bytes) -> bytes:
    data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    block = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def corners(height: int = 40, width: int = 64) -> np.ndarray:
    """BGR picture whose four quarters have different colours."""
    bgr = np.zeros((height, width, 3), np.uint8)
    bgr[: height // 2, : width // 2] = (0, 0, 200)
    bgr[: height // 2, width // 2 :] = (0, 200, 0)
    bgr[height // 2 :, : width // 2] = (200, 0, 0)
    return bgr


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_agrees_with_opencv(tmp_path: Path, orientation: int, order: str) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(jpeg_with_exif(corners(), exif_tiff(orientation, 26, order)))
    expected = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(read_image(path), expected)
    assert read_photo(path).focal_35mm == 26.0


def test_focal_length_from_the_sensor_when_the_35mm_tag_is_absent() -> None:
    # An APS-C camera: 50 mm lens, 6000 px over a 22.5 mm wide sensor, resolution in px per inch.
    rows = [(0xA002, 4, 6000), (0xA003, 4, 4000), (0xA20E, 5, None), (0x920A, 5, None), (0xA210, 3, 2)]
    start, rationals = 8, struct.pack("<II", 677_333, 100) + struct.pack("<II", 50, 1)
    main = struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, start + 18) + struct.pack("<I", 0)
    data_at = start + 18 + 2 + 12 * len(rows) + 4
    detail = struct.pack("<H", len(rows))
    for tag, kind, value in rows:
        number = value if value is not None else data_at + (0 if tag == 0xA20E else 8)
        detail += struct.pack("<HHII", tag, kind, 1, number)
    tiff = b"II*\0" + struct.pack("<I", start) + main + detail + struct.pack("<I", 0) + rationals
    focal = read_exif(tiff).focal_35mm
    assert focal == pytest.approx(50 * 36 / 22.5, rel=1e-4)


def test_a_photo_without_exif_has_no_focal_length(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "plain.jpg"), corners())
    assert read_photo(tmp_path / "plain.jpg").focal_35mm is None


@pytest.mark.parametrize("cut", [0, 3, 9, 15, 25, 40])
def test_broken_exif_counts_as_absent(cut: int) -> None:
    tiff = exif_tiff(6, 26)[:cut]
    assert (
        read_exif(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff).focal_35mm
        is None
    )


def test_rgba_lies_over_white(tmp_path: Path) -> None:
    bgra = np.dstack([corners(), np.full((40, 64), 255, np.uint8)])
    bgra[20:, 32:] = (10, 20, 30, 0)
    bgra[0, 0] = (0, 0, 200, 51)
    cv2.imwrite(str(tmp_path / "cut.png"), bgra)
    rgb = read_image(tmp_path / "cut.png")
    assert rgb[30, 50].tolist() == [255, 255, 255]
    assert rgb[0, 0].tolist() == [244, 204, 204]
    assert rgb[5, 5].tolist() == [200, 0, 0]


def test_16_bit_keeps_its_brightness(tmp_path: Path) -> None:
    for name, shape in (("grey16.png", (9, 7)), ("rgb16.png", (9, 7, 3)), ("rgb16.tif", (9, 7, 3))):
        picture = np.full(shape, 257 * 100, np.uint16)
        picture[0, 0] = 65535
        cv2.imwrite(str(tmp_path / name), picture)
        rgb = read_image(tmp_path / name)
        assert (rgb.shape, rgb.dtype) == ((9, 7, 3), np.uint8)
        assert rgb[5, 5].tolist() == [100] * 3 and rgb[0, 0].tolist() == [255] * 3


def test_grey_palette_and_one_pixel(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.jpg"), np.full((8, 6), 90, np.uint8))
    assert read_image(tmp_path / "grey.jpg").shape == (8, 6, 3)
    cv2.imwrite(str(tmp_path / "dot.png"), np.full((1, 1, 3), (1, 2, 3), np.uint8))
    assert read_image(tmp_path / "dot.png").tolist() == [[[3, 2, 1]]]
    palette = _palette_png([(255, 0, 0), (0, 0, 255)], np.array([[0, 1], [1, 1]]))
    (tmp_path / "palette.png").write_bytes(palette)
    assert read_image(tmp_path / "palette.png").tolist() == [
        [[255, 0, 0], [0, 0, 255]],
        [[0, 0, 255], [0, 0, 255]],
    ]


def _palette_png(colours: list[tuple[int, int, int]], index: np.ndarray) -> bytes:
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", index.shape[1], index.shape[0], 8, 3, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(row.tolist()) for row in index)
    body = chunk(b"PLTE", bytes(v for c in colours for v in c)) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"this is a shopping list, not a photo\n" * 20, "not a picture"),
        (b"\0\0\0\x18ftypheic" + bytes(64), "convert it to JPEG|a damaged HEIC picture"),
        (b"\0\0\0\x18ftypisom" + bytes(64), "looks like a video"),
    ],
)
def test_files_that_are_no_photo(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file: check the path"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


def test_list_images_sorts_and_refuses_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no pictures in this folder"):
        list_images(tmp_path)
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(InputError, match="no such folder"):
        list_images(tmp_path / "none")
