"""Frame numbers from names: believed, renumbered with a message, or refused."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest

from sigmapose.errors import InputError
from sigmapose.io.frame_numbers import natural_key, number_ids, number_names
from sigmapose.io.images import list_images


def numbered(names: list[str]) -> list[tuple[int, str]]:
    """Number and name of every frame, in order; the names come shuffled."""
    shuffled = random.Random(0).sample(names, len(names))
    told = number_names(shuffled, "folder")
    return [(index, shuffled[k]) for k, index in zip(told.order, told.indices, strict=True)]


def test_unpadded_numbers_come_in_their_order() -> None:
    names = [f"frame_{k}.json" for k in range(1, 13)]
    assert numbered(names) == [(k, f"frame_{k}.json") for k in range(1, 13)]
    assert sorted(["b10", "B9", "a", "b09x", "b1"], key=natural_key) == ["a", "b1", "B9", "b09x", "b10"]


def test_pictures_of_a_folder_come_in_natural_order(tmp_path: Path) -> None:
    for k in (1, 2, 10, 11, 100):
        cv2.imwrite(str(tmp_path / f"frame_{k}.png"), np.zeros((2, 2, 3), np.uint8))
    assert [p.stem for p in list_images(tmp_path)] == [f"frame_{k}" for k in (1, 2, 10, 11, 100)]


@pytest.mark.parametrize(
    "name",
    [
        "walk_{:012d}_keypoints.json", "{}.jpg", "cam01_{:06d}.json", "20240501_{:06d}.json",
        "VID_20240501_121530_{:012d}_keypoints.json", "run_12-15-30_{:04d}.png", "v1.2_{}",
        "walk_{:012d}_keypoints_1.json",
    ],
)  # fmt: skip
def test_frame_numbers_are_believed(name: str) -> None:
    names = [name.format(k) for k in (7, 8, 9, 10)]
    assert numbered(names) == list(zip((7, 8, 9, 10), names, strict=True))
    assert number_names(names, "folder").message is None


@pytest.mark.parametrize(
    "names",
    [
        ["20240501_121530123_keypoints.json", "20240501_121530156_keypoints.json"],
        ["20240501_121530.json", "20240501_121531.json"],
        ["2024-05-01 12-15-30_900.json", "2024-05-01 12-15-31_033.json"],
        ["12-15-30_900.json", "12-15-31_033.json"],
        ["2024-05-01_12-15-59.png", "2024-05-01_12-16-00.png"],
        ["1714566930123.jpg", "1714566930156.jpg"],
        ["x" + "9" * 900, "x" + "9" * 901],
    ],
)
def test_clock_digits_are_no_frame_numbers(names: list[str]) -> None:
    assert numbered(names) == list(enumerate(names))
    message = number_names(names, "folder").message
    assert message is not None and "clock times" in message and "numbered 0, 1, 2" in message


def test_names_without_numbers_are_counted() -> None:
    assert numbered(["left.jpg", "right.jpg"]) == [(0, "left.jpg"), (1, "right.jpg")]
    assert number_names(["left.jpg", "right.jpg"], "folder").message is None
    assert "only 1 of 2 names" in (number_names(["left.jpg", "a7.jpg"], "folder").message or "")
    assert "read as one recording" in (number_names(["IMG_3.jpg", "DSC_4.jpg"], "folder").message or "")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["cam1_000000.json", "cam2_000000.json", "cam1_000001.json"], "2 recordings (cam1_*, cam2_*)"),
        (["v_01_keypoints.json", "v_01_keypoints_1.json"], "files of 2 cameras"),
        (["a_20240501_121530123.json", "b_20240501_121530123.json"], "2 recordings"),
        (["f_1.json", "f_01.json"], "frame 1 occurs twice (f_1.json, f_01.json)"),
        (["9" * 2000], "more than 1000 characters"),
    ],
)
def test_several_cameras_and_doubled_frames_are_refused(names: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        number_names(names, "folder")
    assert words in str(caught.value) and str(caught.value).startswith("folder: ")


def test_numbers_that_a_file_states() -> None:
    assert number_ids([785, 139], "f").indices == (139, 785)
    for odd in (-1, 10**9, 10**400):
        told = number_ids([5, odd], "f")
        assert told.indices == (0, 1) and "is no frame number" in (told.message or "")
    with pytest.raises(InputError, match="frame 4 occurs twice"):
        number_ids([4, 5, 4], "f")
