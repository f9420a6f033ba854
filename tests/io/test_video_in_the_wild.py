"""Videos of phones, drones, editors and broken copies: what their files say is believed, never silently
misread."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from films import SIZE, encode, number_of, numbered, spoil
from sigmapose.errors import InputError
from sigmapose.io.file_ends import ends_early
from sigmapose.io.video import VideoReader, VideoWriter

COUNT = 40
FRAMES = [numbered(k) for k in range(COUNT)]
X264 = {"preset": "ultrafast", "crf": "10"}


def seen(reader: VideoReader) -> list[tuple[int, int]]:
    """Number by the reader and by the picture."""
    return [(frame.index, number_of(frame.rgb)) for frame in reader]


TURNS = {
    "as it is": ((1, 0, 0, 1), lambda p: p),
    "mirrored": ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
    "upside down and mirrored": ((1, 0, 0, -1), lambda p: p[::-1]),
    "half turn": ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
    "quarter turn right": ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "quarter turn left": ((0, -1, 1, 0), lambda p: np.rot90(p)),
    "transposed": ((0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
    "transposed the other way": ((0, -1, -1, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", TURNS)
def test_the_whole_display_matrix_is_applied(tmp_path: Path, name: str) -> None:
    # ISO 14496-12, 8.3.2: a point (x, y), y down, is shown at (a x + c y, b x + d y); here (a, b, c, d)
    matrix, expected = TURNS[name]
    data = bytearray(encode(tmp_path / "film.mp4", FRAMES[:3], options=X264).read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for k, value in zip((0, 1, 3, 4), matrix, strict=True):
        data[at + 4 * k : at + 4 * k + 4] = struct.pack(">i", value * 0x10000)
    (tmp_path / "turned.mp4").write_bytes(data)
    reader = VideoReader(tmp_path / "turned.mp4")
    first, right = next(iter(reader)).rgb, expected(FRAMES[0])
    assert first.shape == (reader.height, reader.width, 3) == right.shape
    assert np.abs(first.astype(int) - right).mean() < 6


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    path = encode(tmp_path / "wide.mp4", FRAMES[:3], options=X264, sample_aspect_ratio=Fraction(3, 2))
    reader = VideoReader(path)
    assert (reader.width, reader.height) == (144, 64)
    first = next(iter(reader)).rgb
    assert first.shape == (64, 144, 3)
    assert first[10, 60, 0] > 180 and first[10, 84, 0] < 60  # red on the left half, of 72 pixels now


def two_streams(path: Path, first: tuple[str, int, tuple[int, int]], second: tuple[str, int, tuple[int, int]],
                cover: bool = False, muxer: dict[str, str] | None = None) -> Path:  # fmt: skip
    """Codec, number of frames and size of each."""
    with av.open(str(path), "w", options=muxer or {}) as container:
        streams = []
        for codec, count, size in (first, second):
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            streams.append((stream, count, size))
        if cover:
            streams[0][0].disposition = av.stream.Disposition.attached_pic
        for stream, count, size in streams:
            for k in range(count):
                frame = av.VideoFrame.from_ndarray(numbered(k, size), format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    "other",
    [
        ("mjpeg", 1, (64, 48)),
        ("mjpeg", 1, (192, 128)),
        ("libx264", COUNT, (64, 48)),
        ("libx264", 1, (192, 128)),
    ],
    ids=["thumbnail", "large thumbnail", "preview", "still"],
)
def test_the_film_is_read_and_not_what_stands_before_it(
    tmp_path: Path, suffix: str, other: tuple[str, int, tuple[int, int]]
) -> None:
    path = two_streams(tmp_path / f"film.{suffix}", other, ("libx264", COUNT, SIZE))
    reader = VideoReader(path)
    assert (reader.width, reader.height) == SIZE
    assert seen(reader) == [(k, k) for k in range(COUNT)]
    assert reader.broken is None and not reader.notes


def test_a_cover_is_no_film(tmp_path: Path) -> None:
    path = two_streams(tmp_path / "film.mp4", ("mjpeg", 1, (192, 128)), ("libx264", COUNT, SIZE), cover=True)
    assert len(list(VideoReader(path))) == COUNT
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        voice = container.add_stream("aac", rate=44100)
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(numbered(0, (64, 48)), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 44100, 0
        container.mux(voice.encode(sound))
        container.mux(voice.encode(None))
    with pytest.raises(InputError, match="holds no video, only a cover picture"):
        VideoReader(tmp_path / "song.mp4")


SPOILED = [("mp4", "libx264"), ("mkv", "libx264"), ("mp4", "mpeg4"), ("avi", "mpeg4"), ("avi", "mjpeg")]


@pytest.mark.parametrize(("suffix", "codec"), SPOILED)
def test_frames_behind_a_bad_packet_keep_their_numbers_and_times(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    options = {**X264, "g": "1"} if codec == "libx264" else {"qmin": "1", "qmax": "2", "g": "1"}
    path = spoil(encode(tmp_path / f"film.{suffix}", FRAMES, codec=codec, options=options), [8])
    reader = VideoReader(path)
    frames = list(reader)
    assert len(frames) == COUNT - 1
    for frame in frames:
        assert frame.index == number_of(frame.rgb) != 8
        assert frame.time_s == pytest.approx(frame.index / 25, abs=1e-3)
    assert reader.broken is not None and "1 damaged packet skipped" in reader.broken
    assert "frames missing: 1, the first is 8" in reader.broken and "\n" not in reader.broken


def test_bad_packets_at_the_beginning(tmp_path: Path) -> None:
    path = encode(tmp_path / "film.mp4", FRAMES, options={**X264, "g": "20", "sc_threshold": "0"})
    reader = VideoReader(spoil(path, [0, 1, 2]))
    frames = list(reader)
    assert [f.index for f in frames] == list(range(20, COUNT)) == [number_of(f.rgb) for f in frames]
    assert frames[0].time_s == pytest.approx(20 / 25)
    assert reader.broken is not None and "frames missing: 20, the first is 0" in reader.broken


def test_reordered_frames_behind_a_bad_packet(tmp_path: Path) -> None:
    path = encode(tmp_path / "film.mp4", FRAMES, options={"bf": "3", "crf": "10", "g": "10"})
    whole = seen(VideoReader(path))
    assert whole == [(k, k) for k in range(COUNT)]
    left = seen(VideoReader(spoil(path, [12])))
    assert len(left) < COUNT and left[-1] == (COUNT - 1, COUNT - 1)
    assert all(index == number for index, number in left if index < 8 or index >= 30)


def test_a_range_behind_a_bad_packet(tmp_path: Path) -> None:
    path = spoil(encode(tmp_path / "film.mp4", FRAMES, options={**X264, "g": "1"}), [8])
    assert seen(VideoReader(path, (5, 12))) == [(k, k) for k in (5, 6, 7, 9, 10, 11)]


def test_a_losslessly_trimmed_film_is_complete(tmp_path: Path) -> None:
    whole = encode(tmp_path / "film.mp4", FRAMES, options={**X264, "g": "20", "sc_threshold": "0"})
    path = tmp_path / "trimmed.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.pts -= round(9 / 25 / packet.time_base)  # frames 0 to 8 are hidden by an edit list
                packet.dts -= round(9 / 25 / packet.time_base)
                packet.stream = stream
                target.mux(packet)
    reader = VideoReader(path)
    frames = list(reader)
    assert [number_of(f.rgb) for f in frames] == list(range(9, COUNT))
    assert [f.index for f in frames] == list(range(COUNT - 9)) and frames[0].time_s == 0
    assert reader.broken is None and not reader.notes


def test_frames_that_an_avi_dropped_are_not_missed(tmp_path: Path) -> None:
    times = [k for k in range(60) if k % 3 != 1]
    path = encode(
        tmp_path / "dropped.avi",
        FRAMES,
        codec="mpeg4",
        options={"qmin": "1", "qmax": "2"},
        times=times[:COUNT],
    )
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames > COUNT  # empty chunks are counted
    reader = VideoReader(path)
    frames = list(reader)
    assert [(f.index, number_of(f.rgb)) for f in frames] == [(k, k) for k in range(COUNT)]
    np.testing.assert_allclose([f.time_s for f in frames], np.array(times[:COUNT]) / 25, atol=1e-3)
    assert reader.broken is None


def test_times_of_an_avi_rise_though_its_codec_reorders(tmp_path: Path) -> None:
    path = encode(tmp_path / "film.avi", FRAMES, options={"bf": "2", "crf": "10"})
    frames = list(VideoReader(path))
    assert [number_of(f.rgb) for f in frames] == list(range(COUNT)) == [f.index for f in frames]
    steps = np.diff([f.time_s for f in frames])
    assert (steps > 0).all() and np.median(steps) == pytest.approx(1 / 25, abs=1e-3)
    assert seen(VideoReader(path, (30, 33))) == [(k, k) for k in (30, 31, 32)]


CONTAINERS = [
    ("mkv", "libx264", None), ("webm", "libvpx-vp9", None), ("ts", "libx264", "mpegts"),
    ("avi", "mpeg4", None),
    ("mp4", "libx264", None), ("mov", "libx264", None), ("flv", "libx264", None), ("wmv", "wmv2", "asf"),
    ("mpg", "mpeg2video", "mpeg"),
]  # fmt: skip


@pytest.mark.parametrize("sound", [False, True], ids=["silent", "sound"])
@pytest.mark.parametrize(("suffix", "codec", "form"), CONTAINERS)
def test_a_file_that_was_cut_says_so_and_a_whole_one_does_not(
    tmp_path: Path, suffix: str, codec: str, form: str | None, sound: bool
) -> None:
    if sound and suffix in ("webm", "wmv", "mpg"):
        pytest.skip("other codecs of sound")
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.integers(-20, 20, f.shape), 0, 255).astype(np.uint8) for f in FRAMES]
    muxer = {"movflags": "faststart"} if suffix in ("mp4", "mov") else None
    path = encode(tmp_path / f"film.{suffix}", noisy, codec=codec, form=form, sound=sound, muxer=muxer,
                  bit_rate=4_000_000)  # fmt: skip
    whole = VideoReader(path)
    assert [frame.index for frame in whole] == list(range(COUNT)) and whole.broken is None
    data = path.read_bytes()
    for share in (0.5, 0.83):
        path.write_bytes(data[: int(len(data) * share) | 1])
        reader = VideoReader(path)
        frames = seen(reader)
        assert 3 < len(frames) <= COUNT
        if len(frames) == COUNT:  # only the index at the end is gone
            continue
        assert reader.broken is not None and "cut short" in reader.broken and str(path) in reader.broken


STREAMS = [("ts", "libx264"), ("ts", "mpeg2video"), ("h264", "libx264"), ("m4v", "mpeg4"), ("mjpeg", "mjpeg")]


@pytest.mark.parametrize(("suffix", "codec"), STREAMS)
def test_a_stream_that_does_not_say_where_it_ends_and_breaks_off_in_a_picture(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    """Of a transport stream whole packets are left: only its last picture tells that it was cut."""
    rng = np.random.default_rng(0)
    noisy = [np.clip(f + rng.integers(-20, 20, f.shape), 0, 255).astype(np.uint8) for f in FRAMES]
    path = encode(
        tmp_path / f"film.{suffix}", noisy, codec=codec, form={"ts": "mpegts", "m4v": "m4v"}.get(suffix),
        bit_rate=4_000_000,
    )  # fmt: skip
    fps, unit = (None, 188) if suffix == "ts" else (25.0, 1)
    whole = VideoReader(path, fps=fps)
    assert len(seen(whole)) == COUNT and whole.broken is None
    data = path.read_bytes()
    for share in (0.56, 0.71, 0.81):  # of 40 pictures of equal size
        path.write_bytes(data[: int(len(data) * share) // unit * unit])
        reader = VideoReader(path, fps=fps)
        assert COUNT // 3 < len(seen(reader)) < COUNT
        assert reader.broken is not None and "cut short" in reader.broken


def test_a_fragmented_film_that_was_cut(tmp_path: Path) -> None:
    muxer = {"movflags": "frag_keyframe+empty_moov"}
    path = encode(tmp_path / "film.mp4", FRAMES, options={**X264, "g": "5"}, muxer=muxer)
    assert not ends_early(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"mdat") + 40])
    assert ends_early(path)


def test_a_picture_size_that_changes(tmp_path: Path) -> None:
    first = encode(tmp_path / "a.ts", FRAMES[:20], form="mpegts", options=X264)
    larger = [numbered(k, (128, 64)) for k in range(20, COUNT)]
    second = encode(tmp_path / "b.ts", larger, form="mpegts", options=X264, times=range(20, COUNT))
    path = tmp_path / "film.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    reader = VideoReader(path)
    frames = list(reader)
    assert len(frames) == COUNT and {f.rgb.shape for f in frames} == {(64, 96, 3)}
    assert reader.broken is None
    assert reader.notes == [f"{path}: the picture size changes at frame 20: scaled to the first one, 96x64"]
    assert [f.index for f in VideoReader(path, (18, 23))] == [18, 19, 20, 21, 22]
    later = frames[30].rgb.astype(int)  # 128 x 64 in 96 x 64: three quarters as high, black above and below
    assert later[:7].max() < 20 and later[-7:].max() < 20
    assert later[20, 10, 0] > 180 and abs(later[40, 80] - (30 + 150)).max() < 12


NAMES = [
    "12:30:00.mp4",
    "a%03d.mp4",
    "-x.mp4",
    "two\nlines.mp4",
    "http:x.mp4",
    "concat:a|b.mp4",
    "pipe:0",
    "#1 [ü].mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_names_and_no_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with VideoWriter(name, 25, SIZE) as writer:
        for rgb in FRAMES[:5]:
            writer.write(rgb)
    assert os.listdir() == [name]
    assert len(list(VideoReader(name))) == 5


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    try:
        with VideoWriter(path, 25, SIZE) as writer:
            writer.write(FRAMES[0])
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert len(list(VideoReader(path))) == 1


@pytest.mark.parametrize(("suffix", "codec"), [("h264", "libx264"), ("mjpeg", "mjpeg"), ("m4v", "mpeg4")])
def test_raw_streams_need_fps(tmp_path: Path, suffix: str, codec: str) -> None:
    form = suffix
    path = encode(tmp_path / f"film.{suffix}", FRAMES, codec=codec, form=form, options={"bf": "0"})
    with pytest.raises(InputError, match="add --fps, for example --fps 30"):
        VideoReader(path)
    reader = VideoReader(path, fps=50)
    frames = list(reader)
    assert [f.index for f in frames] == list(range(COUNT))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(COUNT) / 50)
    assert reader.fps == 50 and reader.broken is None
    assert [f.index for f in VideoReader(path, (7, 9), fps=50)] == [7, 8]


def test_fps_replaces_the_times_of_a_film(tmp_path: Path) -> None:
    path = encode(tmp_path / "slow.mp4", FRAMES, options=X264)
    frames = list(VideoReader(path, (10, 20), fps=240))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(10, 20) / 240)


def test_only_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    for path in (tmp_path / "film.mp4", Path("/dev/zero")):
        with pytest.raises(InputError, match=r"a pipe or a device.*save it as a file first"):
            VideoReader(path)
    with (tmp_path / "sparse.mp4").open("wb") as file:
        file.truncate(20 << 30)
    with pytest.raises(InputError, match="not a video"):
        VideoReader(tmp_path / "sparse.mp4")


def test_a_play_list_does_not_reach_out(tmp_path: Path) -> None:
    path = tmp_path / "list.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError):
        VideoReader(path)


def test_pictures_beyond_8k_are_refused_by_their_header(tmp_path: Path) -> None:
    path = encode(tmp_path / "film.avi", FRAMES[:2], codec="rawvideo")
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 8  # BITMAPINFOHEADER: width and height behind its own size
    assert struct.unpack_from("<i", data, at + 4)[0] == 96
    struct.pack_into("<ii", data, at + 4, 16384, 8640)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"16384 x 8640 pixels.*make the video smaller first"):
        VideoReader(path)


def test_a_film_without_codec_parameters_is_one_line(tmp_path: Path) -> None:
    data = bytearray(encode(tmp_path / "film.mp4", FRAMES[:3], options=X264).read_bytes())
    for name in (b"avc1", b"avcC"):
        at = data.rindex(name)
        data[at : at + 4] = b"zzzz"
    (tmp_path / "odd.mp4").write_bytes(data)
    with pytest.raises(InputError) as caught:
        VideoReader(tmp_path / "odd.mp4")
    assert "\n" not in str(caught.value) and "odd.mp4" in str(caught.value)
