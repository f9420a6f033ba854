"""Frames of two files are brought together by name, and nobody's frame stands for another's."""

from __future__ import annotations

import numpy as np

from sigmapose.io.frame_names import match_frames, namings, some


def test_numbers_with_and_without_zeros_and_clips_are_the_same_frames() -> None:
    padded = namings([f"walk/{k:06d}" for k in range(4)], ["walk"] * 4)
    plain = namings(["3", "1", "7"], [""] * 3)
    found = match_frames(padded, plain)
    np.testing.assert_array_equal(found.row, [3, 1, -1])
    assert found.missing == ("7",) and found.extra == ("0", "2")


def test_a_way_of_naming_that_does_not_tell_frames_apart_is_not_used() -> None:
    two_clips = namings(["a/1", "b/1"], ["a", "b"])
    assert two_clips == (("a/1", "b/1"),)
    assert (match_frames(two_clips, namings(["1"], [""])).row == -1).all()
    assert namings(["x", "x"], ["", ""]) == (("x", "x"),)


def test_the_files_own_names_come_first() -> None:
    ids = ("a/1", "a/2")
    found = match_frames(namings(ids, ["a", "a"]), namings(ids, ["a", "a"]))
    assert found.own == found.other == ids and not found.missing and not found.extra


def test_a_message_names_a_few() -> None:
    assert some(("1", "2")) == "1, 2"
    assert some(("1", "2", "3", "4", "5")) == "1, 2, 3 and 2 more"
