"""All benchmark protocols by name and version. docs/benchmarks.md says what each compares, exactly.

A version changes whenever the same predictions would get other numbers.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from sigmapose.bench.options import Options
from sigmapose.errors import DataError
from sigmapose.evaluate.results import Results


@dataclass(frozen=True)
class Protocol:
    """One named way of measuring."""

    name: str
    version: int
    summary: str
    module: str
    function: str

    @property
    def full_name(self) -> str:
        return f"{self.name}@{self.version}"


def _of(module: str, *rows: tuple[str, int, str, str]) -> dict[str, Protocol]:
    return {
        name: Protocol(name, version, summary, f"sigmapose.bench.{module}", function)
        for name, version, function, summary in rows
    }


PROTOCOLS: Mapping[str, Protocol] = {
    **_of(
        "pose2sim_runs",
        ("pose2sim", 2, "run", "real video, four cameras, triangulated without the one that is judged"),
        ("pose2sim-occ", 1, "run_occluded", "the same with things pasted in front: 0, 20, 40, 60, 80 %"),
    ),
    **_of(
        "synth_occ",
        ("synth-occ", 1, "run", "rendered test subjects behind things: 0 to 80 % hidden"),
        ("synth-occ-everyday", 1, "run_everyday", "the same of people and views as they are filmed"),
    ),
    **_of(
        "real_val",
        ("real-val", 1, "run", "for choosing, no test: recordings of another man, and photos without labels"),
    ),
    **_of(
        "public_sets",
        ("h36m", 1, "run_h36m", "Human3.6M, S9 and S11, 17 joints, mean over actions"),
        ("mpi-inf-3dhp", 1, "run_mpi_inf_3dhp", "MPI-INF-3DHP, TS1 to TS6, 14 joints, PCK and AUC"),
        ("3dpw", 1, "run_3dpw", "3DPW, test sequences, SMPL's joints"),
        ("3dpw-occ", 1, "run_3dpw_occ", "3DPW, the 3DPW-OC sequences, SMPL's joints"),
        ("humaneva", 1, "run_humaneva", "HumanEva-I, S1 to S3, walk, jog and box"),
    ),
}


def get_protocol(name: str) -> Protocol:
    """A protocol by name, or by name and version (`pose2sim@2`).

    Raises:
        DataError: no such protocol, or another version of it.
    """
    known, _, version = name.partition("@")
    if known not in PROTOCOLS:
        raise DataError(f"unknown benchmark '{name}': choose from {', '.join(PROTOCOLS)}")
    protocol = PROTOCOLS[known]
    if version and version != str(protocol.version):
        raise DataError(
            f"benchmark '{name}' is not in this release, which has {protocol.full_name}: install the one "
            "that has it, or measure anew"
        )
    return protocol


def run(name: str, options: Options | None = None) -> Results:
    """Run a protocol.

    Raises:
        DataError: unknown protocol, or its data are missing: where to get them.
    """
    protocol = get_protocol(name)
    return getattr(importlib.import_module(protocol.module), protocol.function)(options or Options())
