"""What makers of shards are built from: choice of bodies, worker processes, shared pictures, the sheet."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shard_samples import full_picture, noisy_person
from sigmapose.data.pool import run_jobs
from sigmapose.data.preview import CELL_PX, COLOURS, GAP_PX, LEGEND_PX, contact_sheet
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.skeleton import VISIBILITY
from sigmapose.synth.packed_pictures import pack_pictures
from sigmapose.synth.plan import MOST_BODIES, bodies_for, choose_rows
from sigmapose.synth.render.cutouts import PictureFolder


@given(st.integers(1, 40), st.integers(0, 9), st.integers(0, 100), st.integers(1, 60))
def test_every_body_is_shown_before_any_is_shown_again(
    bodies: int, seed: int, start: int, count: int
) -> None:
    rows = choose_rows(bodies, seed, 0, start + count)
    for turn in range(len(rows) // bodies):
        assert sorted(rows[turn * bodies : (turn + 1) * bodies]) == list(range(bodies))
    assert np.array_equal(rows[start:], choose_rows(bodies, seed, start, count)), "wherever one starts"


def test_held_out_splits_get_more_bodies_for_they_are_rarer() -> None:
    assert bodies_for(1000, Split.TRAIN) == 1000
    assert bodies_for(1000, Split.TEST) == 16_000
    assert bodies_for(10**6, Split.TRAIN) == MOST_BODIES and bodies_for(1, Split.TRAIN) == 256


def start_squares(folder: Path) -> Callable[[int, Callable[[], None]], int]:
    """A worker that squares numbers, and dies, fails or gives up on some."""
    (folder / str(os.getpid())).touch()

    def square(number: int, tick: Callable[[], None]) -> int:
        tick()
        if number == -1:
            os._exit(9)
        if number == -2:
            raise DataError("no such number: give another")
        if number == -3:
            raise ValueError("a bug")
        time.sleep(0.02)
        return number**2

    return square


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 3])
def test_all_jobs_are_done_by_as_many_workers_as_were_asked_for(tmp_path: Path, workers: int) -> None:
    done = list(run_jobs(functools.partial(start_squares, tmp_path), range(200), workers))
    assert sorted(d.result for d in done if d.result is not None) == [k**2 for k in range(200)]
    assert sum(d.ticks for d in done) == 200
    assert len(list(tmp_path.iterdir())) == workers


def test_no_jobs_start_no_workers(tmp_path: Path) -> None:
    assert list(run_jobs(functools.partial(start_squares, tmp_path), [], 2)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("job", "kind", "words"),
    [
        (-1, DataError, r"a worker process died \(exit code 9\), perhaps out of memory"),
        (-2, DataError, "no such number: give another"),
        (-3, RuntimeError, "(?s)in a worker process:.*ValueError: a bug"),
    ],
)
def test_what_happens_in_a_worker_is_told(tmp_path: Path, job: int, kind: type, words: str) -> None:
    with pytest.raises(kind, match=words):
        list(run_jobs(functools.partial(start_squares, tmp_path), [1, 2, job, 3], 2))


def test_packed_pictures_are_the_folders(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k, shape in enumerate([(30, 40, 3), (1000, 900, 3), (20, 20, 4), (25, 25)]):
        cv2.imwrite(str(folder / f"{k}.png"), rng.integers(0, 255, shape, dtype=np.uint8))
    packed = pack_pictures(folder, tmp_path / "packed").load()
    read = PictureFolder.read(folder)
    assert len(packed.pictures) == len(read.pictures) == 4
    assert all(map(np.array_equal, packed.pictures, read.pictures))
    assert pack_pictures(None, tmp_path / "none").load().pictures == ()


@pytest.mark.parametrize("kind", range(4))
def test_the_sheet_marks_joints_where_they_are_in_the_colour_of_their_class(kind: int) -> None:
    sample = noisy_person(0)
    points = np.full((26, 2), np.nan)
    points[9] = (63.5, 191.5)
    sample = replace(
        sample, crop=None, points_px=points, visibility=np.full(26, kind, np.int8),
        picture=full_picture(np.zeros((256, 256, 3), np.uint8)),
    )  # fmt: skip
    sheet = contact_sheet([sample])
    cell = sheet[LEGEND_PX : LEGEND_PX + CELL_PX, GAP_PX : GAP_PX + CELL_PX]
    assert cell[CELL_PX * 3 // 4, CELL_PX // 4].tolist() == list(COLOURS[VISIBILITY[kind]])
    assert (cell.sum(2) > 60).sum() < 60, "one joint and nothing else"


def test_a_twin_stands_beside_its_picture() -> None:
    pair, alone = noisy_person(0, twin=True), noisy_person(0)
    assert contact_sheet([pair]).shape[1] == contact_sheet([alone]).shape[1] + CELL_PX
    assert contact_sheet([alone] * 24).shape == (LEGEND_PX + 4 * (CELL_PX + 26 + GAP_PX), 6 * 326 + 6, 3)
