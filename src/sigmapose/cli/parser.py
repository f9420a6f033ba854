"""From words to a command object. Only tyro is imported here: `--help` must be quick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tyro

from sigmapose.cli.bench import Bench
from sigmapose.cli.calibrate import Calibrate
from sigmapose.cli.convert_poses import Convert
from sigmapose.cli.evaluate import Evaluate
from sigmapose.cli.export import Export
from sigmapose.cli.lift import Lift
from sigmapose.cli.measure import Measure
from sigmapose.cli.predict import Predict
from sigmapose.cli.synth import Synth
from sigmapose.cli.train import Train
from sigmapose.cli.view import View

_COMMANDS = {
    "predict": Predict,
    "lift": Lift,
    "view": View,
    "convert": Convert,
    "measure": Measure,
    "evaluate": Evaluate,
    "bench": Bench,
    "calibrate": Calibrate,
    "synth": Synth,
    "train": Train,
    "export": Export,
}


def _one_of() -> Any:
    kinds: Any = None
    for name, command in _COMMANDS.items():
        kind = Annotated[command, tyro.conf.subcommand(name)]
        kinds = kind if kinds is None else kinds | kind
    return kinds


def parse(arguments: Sequence[str]) -> Callable[[], int]:
    """The command that the words ask for. Wrong options end the program with exit code 2, `--help` with 0."""
    return tyro.cli(
        _one_of(),
        prog="sigmapose",
        description="3D human poses with calibrated error bars from a single photo or video.",
        args=list(arguments),
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes),
    )
