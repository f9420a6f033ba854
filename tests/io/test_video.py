"""Videos as people have them: rotated, cut short, damaged, odd-sized; reading overlaps and stops cleanly."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sigmapose.errors import InputError, OutputError
from sigmapose.io.video import VideoReader, VideoWriter

COUNT, FPS, SIZE = 60, 25.0, (96, 64)


def numbered(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame whose grey level tells its number; its top-left quarter is red."""
    rgb = np.full((size[1], size[0], 3), 30 + 3 * index, np.uint8)
    rgb[: size[1] // 2, : size[0] // 2] = (220, 20, 20)
    return rgb


def number_of(rgb: np.ndarray) -> int:
    return round((float(np.median(rgb[-20:, -20:])) - 30) / 3)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with VideoWriter(path, FPS, SIZE, crf=10) as writer:
        for k in range(COUNT):
            writer.write(numbered(k))
    return path


def test_reads_what_was_written(clip: Path) -> None:
    reader = VideoReader(clip)
    assert (reader.width, reader.height, reader.fps, reader.frame_count) == (*SIZE, FPS, COUNT)
    frames = list(reader)
    assert [f.index for f in frames] == list(range(COUNT)) == [number_of(f.rgb) for f in frames]
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(COUNT) / FPS, atol=1e-6)
    assert np.abs(frames[0].rgb[5, 5].astype(int) - (220, 20, 20)).max() < 12
    assert reader.broken is None


@pytest.mark.parametrize(("first", "last"), [(0, 7), (13, 20), (37, None), (50, 500)])
def test_ranges_hold_exactly_their_frames(clip: Path, first: int, last: int | None) -> None:
    reader = VideoReader(clip, frames=(first, last))
    expected = list(range(first, min(last or COUNT, COUNT)))
    frames = list(reader)
    assert [f.index for f in frames] == expected == [number_of(f.rgb) for f in frames]
    assert reader.frame_count == len(expected)
    assert frames[0].time_s == pytest.approx(first / FPS)


def test_uneven_frame_times_survive(tmp_path: Path) -> None:
    times = np.cumsum(np.tile([0.03, 0.05, 0.02], 10))
    with VideoWriter(tmp_path / "vfr.mp4", 30.0, SIZE) as writer:
        for k, time_s in enumerate(times):
            writer.write(numbered(k), time_s)
    frames = list(VideoReader(tmp_path / "vfr.mp4", frames=(11, 14)))
    assert [f.index for f in frames] == [11, 12, 13] == [number_of(f.rgb) for f in frames]
    np.testing.assert_allclose([f.time_s for f in frames], times[11:14] - times[0], atol=1e-4)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_rotation_metadata_turns_the_picture(clip: Path, tmp_path: Path, quarter_turns: int) -> None:
    # The matrix of the track header (ISO 14496-12, 8.3.2): x' = a x + c y, y' = b x + d y, clockwise turns.
    one = 0x10000
    a, b = {1: (0, one), 2: (-one, 0), 3: (0, -one)}[quarter_turns]
    data = bytearray(clip.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for k, value in enumerate((a, b, 0, -b, a, 0)):
        data[at + 4 * k : at + 4 * k + 4] = value.to_bytes(4, "big", signed=True)
    path = tmp_path / "phone.mp4"
    path.write_bytes(data)
    reader = VideoReader(path)
    first = next(iter(reader)).rgb
    assert first.shape == (reader.height, reader.width, 3)
    expected = np.rot90(numbered(0), -quarter_turns)
    assert first.shape == expected.shape
    assert np.abs(first.astype(int) - expected).mean() < 6


def test_a_title_in_another_encoding_does_not_matter(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    start = data.index(b"Lavf")  # the encoder's name, the only tag
    (tmp_path / "latin1.mp4").write_bytes(data[:start] + b"caf\xe9" + data[start + 4 :])
    assert len(list(VideoReader(tmp_path / "latin1.mp4"))) == COUNT


def test_odd_sizes_lose_a_row_and_a_column(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "odd.mp4", 30, (95, 63)) as writer:
        writer.write(numbered(0, (95, 63)))
    reader = VideoReader(tmp_path / "odd.mp4")
    assert (reader.width, reader.height, len(list(reader))) == (94, 62, 1)
    with VideoWriter(tmp_path / "dot.mp4", 30, (1, 1)) as writer:
        writer.write(np.zeros((1, 1, 3), np.uint8))
    assert len(list(VideoReader(tmp_path / "dot.mp4"))) == 1


def test_a_file_cut_short_gives_its_frames_and_says_so(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 6 // 10])  # the index stands in front (faststart)
    reader = VideoReader(path)
    frames = list(reader)
    assert 10 < len(frames) < COUNT
    assert [number_of(f.rgb) for f in frames][:-1] == list(range(len(frames) - 1))
    assert reader.broken is not None and "kept" in reader.broken and "\n" not in reader.broken


def test_damage_in_the_middle_never_raises(clip: Path, tmp_path: Path) -> None:
    data = bytearray(clip.read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    numbers = [number_of(f.rgb) for f in VideoReader(path)]
    assert numbers[:20] == list(range(20))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"hello\n" * 400, "not a video"), (None, "no such file")],
)
def test_files_that_are_no_video(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        VideoReader(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_video_without_its_index_is_refused(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    path = tmp_path / "unfinished.mp4"
    at = data.index(b"moov") - 4
    path.write_bytes(data[:at] + data[at + int.from_bytes(data[at : at + 4], "big") :])
    with pytest.raises(InputError, match="not a video, or cut short"):
        VideoReader(path)


def test_empty_ranges_are_refused(clip: Path) -> None:
    for frames in ((5, 5), (-1, 3), (9, 2)):
        with pytest.raises(InputError, match="hold nothing"):
            VideoReader(clip, frames=frames)
    with pytest.raises(InputError, match="the video has 60"):
        VideoReader(clip, frames=(60, None))


def test_leaving_early_ends_the_decoding_thread(clip: Path) -> None:
    others = set(threading.enumerate())  # those of readers that earlier tests have left in cycles
    for frame in VideoReader(clip):
        assert [t for t in threading.enumerate() if t.name == "sigmapose-decode" and t not in others]
        if frame.index == 3:
            break
    assert not [t for t in threading.enumerate() if t.name == "sigmapose-decode" and t not in others]


def test_an_error_in_the_loop_keeps_the_frames_written_so_far(tmp_path: Path) -> None:
    path = tmp_path / "kept.mp4"
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, FPS, SIZE) as writer:
        for k in range(5):
            writer.write(numbered(k))
        raise KeyboardInterrupt
    assert len(list(VideoReader(path))) == 5
    assert [p.name for p in tmp_path.iterdir()] == ["kept.mp4"]


def test_no_frames_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "none.mp4", FPS, SIZE):
        pass
    assert not list(tmp_path.iterdir())


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="choose another folder"):
        VideoWriter(tmp_path / "file" / "out.mp4", FPS, SIZE)
    with VideoWriter(tmp_path / "size.mp4", FPS, SIZE) as writer, pytest.raises(OutputError, match="resize"):
        writer.write(np.zeros((5, 5, 3), np.uint8))


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    script = (
        "import resource, sys, numpy as np\n"
        "from sigmapose.io.video import VideoWriter\n"
        "from sigmapose.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "rng = np.random.default_rng(0)\n"
        "try:\n"
        "    with VideoWriter(sys.argv[1], 25, (320, 240)) as w:\n"
        "        for _ in range(40):\n"
        "            w.write(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8))\n"
        "except OutputError as error:\n"
        "    sys.exit(7 if 'a limit of this system allows no larger file' in str(error) else 8)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "full.mp4")], capture_output=True, timeout=60
    )
    assert done.returncode == 7, done.stderr.decode()
    assert not list(tmp_path.iterdir())
