"""One door to every experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.__main__ import EXIT_ERROR, EXPERIMENTS, main


def test_without_a_name_everything_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().err.splitlines()[1:]]
    assert listed == list(EXPERIMENTS)
    assert main(["stduy"]) == EXIT_ERROR


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_says_what_it_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"python -m experiments {name}" in capsys.readouterr().out


def test_wrong_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["heldout", "--pictures", str(tmp_path)]) == EXIT_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("heldout: error: ") and str(tmp_path) in line
