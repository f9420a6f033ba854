"""Two processes train what one does: the same total batch, the same weights, one writer."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_system import train_phi, train_system, write_people

SCRIPT = Path(__file__).parents[1] / "tiny_system.py"


def launch(kind: str, out: Path, steps: int) -> None:
    """Train in two processes that speak over gloo."""
    options = "--multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no"
    launcher = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        *options.split(),
        "--main_process_port",
        "0",
    ]
    done = subprocess.run(
        [*launcher, str(SCRIPT), kind, str(out), str(steps)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "world 2" in done.stdout


def last_row(out: Path) -> dict[str, float]:
    with (out / "log.csv").open() as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert len({row["step"] for row in rows}) == len(rows), "one process writes"
    return rows[-1]


@pytest.mark.slow
def test_two_processes_train_phi_like_one_with_the_same_total_batch(tmp_path: Path) -> None:
    launch("phi", tmp_path / "two", 60)
    train_phi(tmp_path / "one", 60)
    two, one = last_row(tmp_path / "two"), last_row(tmp_path / "one")
    assert two["step"] == one["step"] == 60
    seeds = []
    for seed in (11, 12, 13):
        train_phi(tmp_path / str(seed), 60, seed=seed)
        seeds.append(last_row(tmp_path / str(seed)))
    for name in ("none/mpjpe_mm", "loss"):
        noise = np.std([row[name] for row in (*seeds, one)], ddof=1)
        assert abs(two[name] - one[name]) < 5 * noise
        assert two[name] != one[name], "other people in every batch"


@pytest.mark.slow
def test_two_processes_see_the_pictures_that_one_sees(tmp_path: Path) -> None:
    """Without dropout and bare joints nothing but the order of sums differs; the second launch
    resumes on both."""
    for name in ("one", "two"):
        write_people(tmp_path / name / "shards")
    for steps in (4, 10):
        launch("system", tmp_path / "two", steps)
        train_system(tmp_path / "one", steps)
    two, one = (torch.load(tmp_path / name / "run" / "checkpoint.pt") for name in ("two", "one"))
    assert two["step"] == one["step"] == 10
    for part in ("model", "average"):
        for name, value in one[part].items():
            # weights move by up to 1e-2; what is hidden, and so what counts, is averaged by each process
            torch.testing.assert_close(two[part][name], value, rtol=0.02, atol=5e-3, msg=f"{part} {name}")
    rows = [last_row(tmp_path / name / "run") for name in ("two", "one")]
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=0.02)
    assert rows[0]["lite/mpjpe_mm"] == pytest.approx(rows[1]["lite/mpjpe_mm"], rel=0.02)
