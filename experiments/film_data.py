"""Everything that a stage on people as they are filmed learns from and is chosen by, made from raw material.

Folders below ``out``: `encoders` (Θ as it ships), `bodies`, `pictures/SPLIT/DISTRIBUTION` (renders),
`photos` (crops of people in photographs, clean and covered), `features` (what encoders see of the renders),
`photo-features` (what the teacher's encoder sees of the clean crops, and every encoder of the covered ones).
Whatever is there is kept: run it again to go on. The same arguments give the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sigmapose.data.splits import Split
from sigmapose.estimate.network import weights_path
from sigmapose.learn.convert.convert_blazepose import export_encoder
from sigmapose.learn.convert.onnx_load import encoder_in
from sigmapose.learn.data.features import FeaturePlan, View, extract_features
from sigmapose.learn.networks.blazepose import ARCHITECTURES
from sigmapose.learn.stages.teaching import TeachingPlan, make_clean_views, make_views
from sigmapose.learn.stages.training_plan import follow
from sigmapose.photos.photo_shards import UnlabelledPlan, make_unlabelled
from sigmapose.synth.distributions import ANYTHING, EVERYDAY, Distribution
from sigmapose.synth.people.bodies import build_bodies
from sigmapose.synth.plan import SynthPlan, synthesize

COUNTS: dict[Split, dict[Distribution, int]] = {
    Split.TRAIN: {EVERYDAY: 14_000, ANYTHING: 5_000},
    Split.VAL: {EVERYDAY: 700, ANYTHING: 300},
    Split.CALIBRATION: {EVERYDAY: 2_000, ANYTHING: 1_000},
    Split.TEST: {EVERYDAY: 1_000, ANYTHING: 500},
}
SEVERITY, OCCLUDED_SHARE, CLEAN_SHARE, STRAY_SHARE = (0.03, 0.7), 0.75, 0.35, 0.2


@dataclass(frozen=True)
class FilmData:
    """Raw material, and where to leave what is made of it."""

    out: Path
    """Folder to make or to continue."""
    mocap: Path
    """Folder of BVH, AMC with ASF, and DeepMimic files."""
    photos: Path
    """Folder with `backgrounds`, `occluders` and `people`."""
    seed: int = 20
    bodies: int = 40_000
    variants: int = 5
    """Crops and coverings of every person in the photos."""
    splits: tuple[Split, ...] = tuple(COUNTS)
    """Which renders to make."""
    heavy: float = 0.0
    """Part of the training renders that `heavy` sees, for a Φ on cached features; `full` sees two thirds and
    `lite` one third as many. Training end to end needs none of `heavy`."""
    part: float = 1.0
    """Of the training renders, to save time; a folder made with less can be continued with more."""
    workers: int = 2


def make_film_data(plan: FilmData) -> None:
    """Make what is missing, what trains first."""
    for size in ARCHITECTURES:
        encoder = plan.out / "encoders" / f"encoder_{size}.onnx"
        encoder.parent.mkdir(parents=True, exist_ok=True)
        if not encoder.exists():
            export_encoder(encoder_in(weights_path(size), size), encoder)
    build_bodies(plan.mocap, plan.bodies, plan.seed, plan.out / "bodies", workers=plan.workers)
    for split in plan.splits:
        for people, most in COUNTS[split].items():
            count = round(plan.part * most) if split is Split.TRAIN else most
            synth = _renders(plan, split, people, count)
            follow(synthesize(synth), count, f"{split} pictures ({people.name})")
    photos = UnlabelledPlan(
        plan.photos / "people",
        plan.out / "photos",
        variants=plan.variants,
        occluders=plan.photos / "occluders",
        seed=plan.seed,
        workers=plan.workers,
    )
    follow(make_unlabelled(photos), None, "people in photos")
    _see(plan, Split.VAL, {"heavy": 1.0, "full": 1.0, "lite": 0.5}, ("picture", "mirrored"))
    if plan.heavy:
        shares = {"heavy": plan.heavy, "full": 0.67 * plan.heavy, "lite": 0.33 * plan.heavy}
        _see(plan, Split.TRAIN, shares, ("picture",))
    teaching = teaching_plan(plan)
    make: Callable[[TeachingPlan, Split], Iterator[int]] = make_views if plan.heavy else make_clean_views
    follow(make(teaching, Split.TRAIN), None, "photos of train as teacher and students see them")
    for split in (Split.CALIBRATION, Split.TEST):
        _see(plan, split, {"heavy": 1.0, "full": 1.0, "lite": 0.5}, ("picture",))
    follow(make_clean_views(teaching, Split.VAL), None, "photos of val as the teacher sees them")


def teaching_plan(plan: FilmData) -> TeachingPlan:
    """What the teacher sees of the photos; its own errors are measured on validation renders."""
    features = plan.out / "features"
    return TeachingPlan(
        plan.out / "photos",
        plan.out / "photo-features",
        plan.out / "encoders",
        weights_path("heavy"),
        annotated=features / "picture" / Split.VAL,
        annotated_mirrored=features / "mirrored" / Split.VAL,
        students={"heavy": 1.0, "full": 0.67, "lite": 0.33},
        mirrored_students={},
        workers=plan.workers,
    )


def _renders(plan: FilmData, split: Split, people: Distribution, count: int) -> SynthPlan:
    return SynthPlan(
        out=plan.out / "pictures" / split / people.name,
        count=count,
        seed=plan.seed,
        split=split,
        people=people,
        severity=SEVERITY,
        occluded_share=OCCLUDED_SHARE,
        clean_share=CLEAN_SHARE,
        stray_share=STRAY_SHARE,
        bodies=plan.out / "bodies",
        backgrounds=plan.photos / "backgrounds",
        occluders=plan.photos / "occluders",
        workers=plan.workers,
    )


def _see(plan: FilmData, split: Split, shares: dict[str, float], views: tuple[View, ...]) -> None:
    for people, count in COUNTS[split].items():
        shards = plan.out / "pictures" / split / people.name
        for view in views if any(shards.glob("*.tar")) else ():
            features = plan.out / "features" / view / split / people.name
            seen = FeaturePlan(shards, features, plan.out / "encoders", shares, view, plan.workers)
            follow(extract_features(seen), count, f"{split} features ({people.name}, {view})")
