"""Photos and pictures in a row as people have them: deep, animated, huge, cut short, oddly named."""

from __future__ import annotations

import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cli_files import jpeg_with_exif
from films import encode, number_of, numbered
from sigmapose.errors import InputError
from sigmapose.io.hdr import HLG, PQ, pq_code, to_sdr
from sigmapose.io.image_headers import read_header
from sigmapose.io.images import read_image, read_photo
from sigmapose.io.sequences import Animation, FrameFolder
from sigmapose.io.video import VideoReader
from sigmapose.reading import legible
from sigmapose.run.camera_option import CameraOption
from sigmapose.run.inputs import open_input


def textured(height: int = 40, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_12_bits_in_16_are_shown_by_12(tmp_path: Path) -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)  # 0 to 4095
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    photo = read_photo(tmp_path / "deep.png")
    np.testing.assert_allclose(photo.rgb[..., 0], values / 4095 * 255, atol=0.51)
    assert len(photo.notes) == 1 and "12 bits in 16" in photo.notes[0]


def test_a_thermal_range_is_stretched_and_named(tmp_path: Path) -> None:
    values = (29315 + np.arange(1600, dtype=np.uint16)).reshape(40, 40)
    cv2.imwrite(str(tmp_path / "thermal.tiff"), values)
    photo = read_photo(tmp_path / "thermal.tiff")
    assert photo.rgb.min() == 0 and photo.rgb.max() == 255
    assert (np.diff(photo.rgb[..., 0].reshape(-1).astype(int)) >= 0).all()
    assert "2.4 % of its 16 bits" in photo.notes[0] and "29317 to 30912" in photo.notes[0]


def test_full_16_bits_are_left_alone(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 4096).astype(np.uint16).reshape(64, 64)
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    photo = read_photo(tmp_path / "deep.png")
    np.testing.assert_allclose(photo.rgb[..., 0], values / 257, atol=0.51)
    assert not photo.notes


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header says that size and whose pixels are missing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def resized(suffix: str) -> bytes:
    """A picture of 64 x 40 whose header says 30000 x 20000."""
    data = bytearray(cv2.imencode(suffix, textured())[1].tobytes())
    if suffix == ".jpg":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", 20000, 30000)
    elif suffix == ".bmp":
        data[18:26] = struct.pack("<ii", 30000, 20000)
    elif suffix == ".gif":
        data[6:10] = struct.pack("<HH", 30000, 20000)
    elif suffix == ".tiff":
        order, at = "<", struct.unpack_from("<I", data, 4)[0]
        for k in range(struct.unpack_from(order + "H", data, at)[0]):
            entry = at + 2 + 12 * k
            tag = struct.unpack_from(order + "H", data, entry)[0]
            if tag in (256, 257):
                struct.pack_into("<HII", data, entry + 2, 4, 1, {256: 30000, 257: 20000}[tag])
    else:
        data[:] = b"P6\n30000 20000\n255\n" + data[-30:]
    return bytes(data)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".tiff", ".ppm"])
def test_size_is_read_from_the_header_before_decoding(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"huge{suffix}"
    path.write_bytes(bomb(30000, 20000) if suffix == ".png" else resized(suffix))
    header = read_header(path.read_bytes())
    assert header is not None and (header.width, header.height) == (30000, 20000)
    with pytest.raises(InputError, match=r"30000 x 20000 pixels, more than \d+ million.*make it smaller"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".tiff", ".ppm", ".webp", ".jp2"])
def test_headers_agree_with_opencv(suffix: str) -> None:
    header = read_header(cv2.imencode(suffix, textured())[1].tobytes())
    assert header is not None and (header.width, header.height, header.frames) == (64, 40, 1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif"])
def test_a_cut_picture_is_cut_short(tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = cv2.imencode(suffix, textured(200, 300))[1].tobytes()
    path = tmp_path / f"half{suffix}"
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(InputError, match="cut short"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_libraries_are_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = cv2.imencode(".png", textured())[1].tobytes()
    text = b"tEXt" + b"a\0b"
    path = tmp_path / "crc.png"
    path.write_bytes(data[:33] + struct.pack(">I", 3) + text + b"\0\0\0\0" + data[33:])  # a wrong check sum
    assert read_image(path).shape == (40, 64, 3)
    assert capfd.readouterr().err == ""
    os.write(2, b"still there\n")
    assert capfd.readouterr().err == "still there\n"


def test_heic_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "phone.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + bytes(64))
    with pytest.raises(InputError, match="HEIC") as caught:
        open_input(path, CameraOption())
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_photo_is_the_upright_jpeg_that_it_was_made_of(tmp_path: Path, orientation: int) -> None:
    """Stored as the phone was held, with the orientation beside it, as phones do; written by libheif."""
    heif = pytest.importorskip("pillow_heif", reason="the extra `heic` is not installed")
    from PIL import Image

    heif.register_heif_opener()
    photo = jpeg_with_exif(tmp_path / "phone.jpg", numbered(5), orientation=orientation, focal_35mm=26)
    with Image.open(photo) as opened:
        opened.save(tmp_path / "phone.heic", quality=95)
    assert (tmp_path / "phone.heic").read_bytes()[4:12] == b"ftypheic"
    told, right = read_photo(tmp_path / "phone.heic"), read_photo(photo)
    assert told.rgb.shape == right.rgb.shape and told.focal_35mm == 26
    assert np.abs(told.rgb.astype(float) - right.rgb).mean() < 4 < np.abs(told.rgb - right.rgb.mean()).mean()
    (tmp_path / "cut.heic").write_bytes((tmp_path / "phone.heic").read_bytes()[:-200])
    with pytest.raises(InputError, match="a damaged HEIC picture") as caught:
        read_photo(tmp_path / "cut.heic")
    assert "\n" not in str(caught.value)


def animation(path: Path, count: int = 5) -> Path:
    if path.suffix == ".gif":  # eight levels of grey-green in its encoder's palette
        pictures = [np.full((64, 96, 3), 36 * k, np.uint8) for k in range(count)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb8"
            for k, rgb in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="rgb8")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path
    made = cv2.Animation()
    made.frames = [numbered(k)[..., ::-1].copy() for k in range(count)]
    made.durations = np.full(count, 40, np.int32)
    assert cv2.imwriteanimation(str(path), made, [cv2.IMWRITE_WEBP_QUALITY, 101])
    return path


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_animated_pictures_are_short_videos(tmp_path: Path, suffix: str) -> None:
    pictures = open_input(animation(tmp_path / f"walk{suffix}"), CameraOption())
    assert pictures.kind == "video" and pictures.count in (5, None)
    frames = list(pictures.reader)
    assert [f.index for f in frames] == list(range(5))
    assert (np.diff([float(f.rgb[40:, 60:].mean()) for f in frames]) > 3).all()
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(5) * 0.04, atol=1e-6)
    paced = open_input(animation(tmp_path / f"walk{suffix}"), CameraOption(), "2:4", 10.0)
    assert [(f.index, round(f.time_s, 6)) for f in paced.reader] == [(2, 0.2), (3, 0.3)]


def test_an_animation_that_does_not_fit_into_the_memory(tmp_path: Path) -> None:
    path = animation(tmp_path / "walk.webp")
    header = read_header(path.read_bytes())
    assert header is not None and header.frames == 5
    from dataclasses import replace

    with pytest.raises(InputError, match=r"convert it to \.mp4"):
        Animation(path, replace(header, width=8000, height=8000))


def frames_in(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for k, name in enumerate(names):
        cv2.imwrite(str(folder / name), numbered(k)[..., ::-1])
    return folder


def test_a_folder_of_frames_is_a_video_with_fps(tmp_path: Path) -> None:
    folder = frames_in(tmp_path / "f", [f"frame_{k}.png" for k in range(1, 13)])
    pictures = open_input(folder, CameraOption(), None, 25.0)
    frames = list(pictures.reader)
    assert pictures.kind == "video" and isinstance(pictures.reader, FrameFolder)
    assert [(f.index, number_of(f.rgb)) for f in frames] == [(k, k - 1) for k in range(1, 13)]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(12) / 25)
    some = open_input(folder, CameraOption(), "9:11", 25.0)
    assert [f.index for f in some.reader] == [9, 10]
    photos = open_input(folder, CameraOption())
    assert [file.name for file in photos.files] == [f"frame_{k}.png" for k in range(1, 13)]


def test_a_folder_of_frames_with_faults(tmp_path: Path) -> None:
    clock = frames_in(tmp_path / "a", [f"frame_1215{k}.png" for k in (30123, 30156, 30189)])
    reader = FrameFolder(clock, sorted(clock.iterdir()), 10.0)
    assert [f.index for f in reader] == [0, 1, 2] and "clock times" in reader.notes[0]
    two = frames_in(tmp_path / "b", ["cam1_0.png", "cam2_0.png", "cam1_1.png", "cam2_1.png"])
    with pytest.raises(InputError, match="a folder of its own"):
        FrameFolder(two, sorted(two.iterdir()), 10.0)
    twice = frames_in(tmp_path / "c", ["f_1.png", "f_01.png"])
    with pytest.raises(InputError, match="frame 1 occurs twice"):
        FrameFolder(twice, sorted(twice.iterdir()), 10.0)
    damaged = frames_in(tmp_path / "d", ["f_1.png", "f_2.png", "f_3.png"])
    (damaged / "f_2.png").write_bytes((damaged / "f_2.png").read_bytes()[:60])
    cv2.imwrite(str(damaged / "f_3.png"), numbered(2, (48, 32))[..., ::-1])
    reader = FrameFolder(damaged, sorted(damaged.iterdir()), 10.0)
    assert [(f.index, f.rgb.shape) for f in reader] == [(1, (64, 96, 3)), (3, (64, 96, 3))]
    assert reader.broken is not None and "f_2.png" in reader.broken and "scaled" in reader.notes[0]


def test_fps_of_one_photo_and_standard_input(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), textured())
    with pytest.raises(InputError, match="one photo"):
        open_input(tmp_path / "one.png", CameraOption(), None, 30.0)
    with pytest.raises(InputError, match="save it as a file first"):
        open_input(Path("-"), CameraOption())
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="save it as a file first"):
        open_input(tmp_path / "pipe.jpg", CameraOption())


def test_names_that_cannot_be_shown_are_escaped() -> None:
    assert legible(os.fsdecode(b"caf\xe9\n.jpg")) == "caf\\xe9\\x0a.jpg"
    assert legible("ü 人 d'été.mp4") == "ü 人 d'été.mp4"


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_below_the_knee_looks_as_sdr_does(transfer: int) -> None:
    """Greys of a screen whose white is 203 cd/m², written in PQ or HLG (BT.2408), come back as they were."""
    grey = np.arange(20, 160)
    nits = 203.0 * (grey / 255.0) ** 2.4
    if transfer == PQ:
        code = pq_code(nits)
    else:  # BT.2100: display light is scene light to the power 1.2, of 1000 cd/m²
        scene = (nits / 1000.0) ** (1 / 1.2)
        linear = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), linear)
    rgb = np.repeat(np.rint(code * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
    shown = to_sdr(rgb, transfer)
    assert np.abs(shown[0].astype(int) - grey[:, None]).max() <= 2
    white = to_sdr(np.full((1, 1, 3), 65535, np.uint16), transfer)
    assert white.min() == 255


def test_an_hlg_film_is_tone_mapped_and_ten_bits_are_not(tmp_path: Path) -> None:
    flat = [np.full((64, 96, 3), 128, np.uint8)] * 3
    plain = encode(tmp_path / "plain.mkv", flat, codec="ffv1")
    hlg = encode(tmp_path / "hlg.mkv", flat, codec="ffv1", color_trc=HLG, color_primaries=9, colorspace=9)
    levels = [int(np.median(next(iter(VideoReader(path))).rgb)) for path in (plain, hlg)]
    assert abs(levels[0] - 128) <= 2
    # half of HLG's range is 1/12 of scene light: 50.6 cd/m² of 203, (50.6 / 203) ^ (1 / 2.4) of 255
    assert abs(levels[1] - 143) <= 3
