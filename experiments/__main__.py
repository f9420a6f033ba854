"""One door to everything here: `python -m experiments NAME ...`; without a name, what there is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, get_type_hints

from sigmapose.errors import SigmaposeError

EXIT_ERROR = 2
EXPERIMENTS = {
    "study": ("experiments.study.command:main", "train and compare the variants of the method"),
    "study-tables": ("experiments.study.tables:main", "tables of the study from its scorecards"),
    "domain-gap": ("experiments.domain_gap.gap:main", "how far renders are from real pictures"),
    "follow-bed": ("experiments.following.bed:main", "how well people are followed behind things"),
    "crossings": ("experiments.following.identities:main", "whether people who cross and hide keep numbers"),
    "heldout": ("experiments.networks:measure_heldout", "the shipped depth network on the test subjects"),
    "heldout-intervals": ("experiments.heldout_intervals:main", "intervals of angles and lengths on them"),
    "person-score": ("experiments.person_or_not:main", "fit the weights of the person score"),
    "fit-calibrator": ("experiments.networks:fit", "fit the calibrator of the shipped weights"),
    "fit-laws": ("experiments.fit_laws:main", "fit the laws of angles of the shipped calibrator"),
    "convert-blazepose": ("experiments.networks:convert_networks", "MediaPipe's files to torch and ONNX"),
    "fine-tune": ("experiments.networks:fine_tune", "an encoder with Φ, end to end, from files"),
    "movenet": ("experiments.movenet.accuracy:main", "a second opinion in the picture plane"),
    "movenet-convert": ("experiments.movenet.convert:main", "MoveNet Thunder to ONNX"),
    "film-data": ("experiments.film_data:make_film_data", "all data of a stage on people as they are filmed"),
    "two-modes": ("experiments.two_modes:main", "whether ambiguous depth is a mixture of two poses"),
    "depth-stage": ("experiments.depth_stage:main", "one more stage of Φ on cached features"),
    "joint-transformer": (
        "experiments.joint_transformer:compare",
        "attention between joints against the MLP",
    ),
    "critic-train": ("experiments.critic.critic_train:main", "train a critic of poses"),
    "critic-judge": (
        "experiments.critic.critic_judge:main",
        "critics beside Φ's own sigma, on validation subjects",
    ),
    "critic-join": ("experiments.critic.critic_join:main", "export networks with a critic in them"),
    "page-opening": ("experiments.page_opening:measure_opening", "how fast the page of a long film opens"),
    "smooth-noise": ("experiments.smoothing.process_noise:main", "how joints move, by likelihood on mocap"),
    "smooth-clips": ("experiments.smoothing.moving_clips:main", "rendered people who move, with the truth"),
    "smooth-measure": ("experiments.smoothing.before_after:main", "what smoothing in time changes"),
    "measure-coverage": (
        "experiments.smoothing.measure_coverage:main",
        "whether measured angles, lengths, speeds and steps hold the truth",
    ),
    "temporal-data": (
        "experiments.smoothing.lifted_motion:main",
        "mocap as `lift` sees it, smoothed",
    ),
    "temporal-network": (
        "experiments.smoothing.temporal_network:main",
        "a small net behind the smoother",
    ),
    "temporal-judge": ("experiments.smoothing.temporal_judge:main", "that network against the smoother"),
    "side-exchanges": ("experiments.smoothing.side_exchanges:main", "exchanged limbs, put right or not"),
    "critic-ceiling": ("experiments.critic.ceiling:main", "how well mistakes can be known at all"),
    "disagreement": ("experiments.critic.disagreement:main", "mistakes found where several answers differ"),
    "adversarial": ("experiments.adversarial:main", "what is said of evidence that lies"),
    "absolute-positions": (
        "experiments.absolute_positions:main",
        "intervals of absolute positions at 2 to 8 m",
    ),
    "passing": ("experiments.smoothing.passing:main", "joints that a thing passing hides for half a second"),
    "bodies": ("experiments.make_material:make_bodies", "a corpus of posed bodies"),
    "unlabelled": ("experiments.make_material:make_shards", "shards of photos that nobody annotated"),
    "teach": (
        "experiments.make_material:teach",
        "features of such shards, and how much a teacher keeps of them",
    ),
    "coarse-body": (
        "experiments.make_material:store_coarse_body",
        "store the coarse triangles of the body again",
    ),
}
"""Name -> MODULE:FUNCTION, which takes one options dataclass, and what it does."""


def main(words: Sequence[str]) -> int:
    """Run one experiment; returns the exit code, 2 where its input is wrong."""
    if not words or words[0] not in EXPERIMENTS:
        lines = [f"  {name:18s} {does}" for name, (_, does) in EXPERIMENTS.items()]
        sys.stderr.write("\n".join(("python -m experiments NAME [--help]", *lines)) + "\n")
        return 0 if words in ([], ["--help"], ["-h"]) else EXIT_ERROR
    import tyro

    name = words[0]
    module, function = EXPERIMENTS[name][0].split(":")
    run: Callable[[Any], None] = getattr(importlib.import_module(module), function)
    options = next(iter(get_type_hints(run, include_extras=True).values()))
    try:
        run(tyro.cli(options, prog=f"python -m experiments {name}", args=words[1:]))
    except SigmaposeError as error:
        sys.stderr.write(f"{name}: error: {error}\n")
        return EXIT_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
