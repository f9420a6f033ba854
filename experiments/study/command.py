"""The study: what each part of the method buys, as named variants, trained, exported and scored alike.

python -m experiments study NAME --features DIR --bodies DIR --out DIR

NAME is one of `STUDIES`, or ``all`` (every variant, the most important first); afterwards ``compare`` (all
that are trained, on the test people's features) and ``parts`` (what the members of the ensemble disagree on).
Stopped at any time and started again, it goes on where it was; a head is trained once, whichever studies it
takes part in.
"""

from __future__ import annotations

import logging
import sys

import torch

from experiments.study.compare import compare
from experiments.study.parts import parts
from experiments.study.run import run
from experiments.study.study_plan import Study
from experiments.study.variants import READERS, STUDIES

PROTOCOLS = ("synth-occ", "pose2sim", "pose2sim-occ")


def main(study: Study) -> None:
    """Make what the study asks for, or say what came out."""
    torch.set_num_threads(study.threads)
    study.out.mkdir(parents=True, exist_ok=True)
    handlers = (logging.StreamHandler(), logging.FileHandler(study.out / "study.log"))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers)
    if study.name in READERS:
        sys.stdout.write({"parts": parts, "compare": compare}[study.name](study))
    else:
        run(study)
        sys.stdout.write("\n".join(commands(study)) + "\n")


def commands(study: Study) -> list[str]:
    """What scores the networks that were made, and makes tables of the scores."""
    heads, bench = study.out / "heads", study.out / "bench"
    lines = [f"mkdir -p {bench}"]
    for name, variants in STUDIES.items():
        if any((heads / name / f"{variant.name}.onnx").exists() for variant in variants):
            lines += [
                f"sigmapose bench {protocol} --models full --heads {heads / name} "
                f"--json {bench / f'{name}.{protocol}.json'}"
                for protocol in PROTOCOLS
            ]
    return [*lines, f"python -m experiments study-tables {bench}"]
