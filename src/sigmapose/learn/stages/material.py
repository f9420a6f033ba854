"""The stages that make what is learned from: encoders, bodies, rendered people and their features."""

from __future__ import annotations

import itertools

from sigmapose.data.splits import Split
from sigmapose.learn.convert.convert_blazepose import convert
from sigmapose.learn.data.features import FeaturePlan, View, extract_features
from sigmapose.learn.data.sources import EVERYDAY_SHARE
from sigmapose.learn.stages.training_plan import TrainingPlan, follow
from sigmapose.synth.distributions import ANYTHING, EVERYDAY
from sigmapose.synth.people.bodies import build_bodies
from sigmapose.synth.plan import SynthPlan, synthesize

SPLIT_SHARES = {Split.TRAIN: 0.85, Split.VAL: 0.05, Split.CALIBRATION: 0.05, Split.TEST: 0.05}
LEAST_PICTURES = 16
"""Of a split: with fewer, encoders that see only a part of the pictures have nothing to be measured on."""
VIEWS: dict[View, dict[str, float]] = {
    "picture": {"lite": 0.4, "full": 1.0, "heavy": 0.3},
    "mirrored": {"lite": 0.15, "full": 0.4, "heavy": 0.1},
}
"""Which part of the pictures every encoder sees, as they are and in a mirror."""
SHARES = {EVERYDAY: EVERYDAY_SHARE, ANYTHING: 1 - EVERYDAY_SHARE}
"""Of every distribution among the pictures."""
CLEAN_SHARE = 0.3
"""Share of pictures without occluders and camera faults: Θ does on them nearly as well as on photographs."""
OCCLUDED_SHARE, SEVERITY = 0.75, (0.03, 0.8)
"""How many of the others have something in front of the person, and how much of them it aims to hide."""
STRAY_SHARE = 0.2
"""Share of crops that have strayed from the person, as those of somebody followed behind things do."""


def make_encoders(plan: TrainingPlan) -> None:
    """Θ in its three sizes as ONNX, for the feature shards."""
    folder = plan.folder("encoders")
    if not (folder / "detector.onnx").exists():
        convert(plan.original_models(), folder)


def make_bodies(plan: TrainingPlan) -> None:
    """The body corpus."""
    build_bodies(plan.mocap, plan.bodies, plan.seed, plan.folder("bodies"))


def make_pictures(plan: TrainingPlan) -> None:
    """Rendered people in shards, one set a split, and what the encoders see of them."""
    for (split, share), people in itertools.product(SPLIT_SHARES.items(), SHARES):
        synth = SynthPlan(
            out=plan.folder("pictures") / split / people.name,
            count=max(LEAST_PICTURES, round(plan.pictures * share * SHARES[people])),
            seed=plan.seed,
            split=split,
            people=people,
            severity=SEVERITY,
            occluded_share=OCCLUDED_SHARE,
            clean_share=CLEAN_SHARE,
            stray_share=STRAY_SHARE,
            bodies=plan.folder("bodies"),
            backgrounds=plan.backgrounds,
            occluders=plan.occluders,
            workers=plan.workers,
        )
        follow(synthesize(synth), synth.count, f"{split} pictures ({people.name})")
        for view, shares in VIEWS.items():
            if view == "picture" or split is not Split.TEST:
                folder = plan.folder("features") / view / split / people.name
                features = FeaturePlan(synth.out, folder, plan.folder("encoders"), shares, view, plan.workers)
                follow(extract_features(features), synth.count, f"{split} features ({view})")
