"""The protocol `synth-occ`: rendered people of the test split behind things, with exact truth.

The same people, cameras, clothes and scenes at every severity; 0 % is the clean twin. Rendered once into the
user's cache, from a fixed seed. The crop is given to every method.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sigmapose.bench.crops import CropRows
from sigmapose.bench.methods import PROCEDURAL, chosen_joints, own_methods, refuse_test_calibrators
from sigmapose.bench.options import Options
from sigmapose.data.sample import Sample
from sigmapose.data.splits import Split, only, unit_of
from sigmapose.errors import DataError
from sigmapose.estimate.crop import CROP_PX
from sigmapose.estimate.network import cache_folder
from sigmapose.evaluate.frames import Truth
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.layout import layout_of
from sigmapose.evaluate.results import CLEAN, Results
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, COCO_17, VISIBILITY

log = logging.getLogger(__name__)

SEVERITIES = (0.2, 0.4, 0.6, 0.8)
QUICK_SEVERITIES = (0.4,)
SEED = 20260
PEOPLE, QUICK_PEOPLE = 128, 32
BODIES, QUICK_BODIES = 2048, 512
"""Made to draw from, for so many people; one in sixteen or so is of the test split."""
JOINTS = (*COCO_17.joints, "left_heel", "right_heel")
"""What BlazePose and body_26 both have, as the same anatomical points."""
LAYOUT = layout_of(BODY_26, JOINTS)
TITLE = "rendered test subjects behind things, the same people at every severity, crops given"


def run_everyday(options: Options) -> Results:
    """`synth-occ-everyday`: `run` on people and views as they are filmed."""
    return run(options, "everyday")


def run(options: Options, distribution: str = "anything") -> Results:
    """`synth-occ`.

    Args:
        distribution: name in `sigmapose.synth.distributions`.

    Raises:
        DataError: the training stack is not installed, the motion capture is unusable, or too few people.
    """
    if options.people is not None and options.people < PEOPLE:
        raise DataError(f"synth-occ needs at least {PEOPLE} people, got {options.people}: or give --quick")
    methods = own_methods(options.models, options.heads, options.looks)
    judge = Judge(LAYOUT, samples=options.samples)
    folder = prepare(options)
    samples = {s: people(folder, s, options, distribution) for s in (CLEAN, *_severities(options))}
    refuse_test_calibrators(methods, {unit_of(s.clip, s.subject) for some in samples.values() for s in some})
    rows = CropRows(
        methods, chosen_joints(BODY_26, JOINTS), chosen_joints(BLAZEPOSE_33, JOINTS), intervals=True
    )
    for severity, some in samples.items():
        judge.add(truth_of(some), rows(some), severity)
        shares = [float(s.facts["occluded_fraction"]) for s in some]
        hidden = [
            float((s.visibility[INDEX] == VISIBILITY.index("object_occluded")).mean())
            for s in some
            if s.visibility is not None
        ]
        judge.note(severity, reached=float(np.median(shares)), hidden=float(np.mean(hidden)))
    clean = samples[CLEAN]
    poses = "procedural poses" if options.mocap is None else f"motion capture of '{options.mocap.name}'"
    statement: dict[str, object] = {
        "people": f"{len(clean)} pictures of {len({_body(s) for s in clean})} bodies, {poses}, test split, "
        f"seed {SEED}",
        "joints": f"{len(JOINTS)} joints relative to the middle of the hips: COCO's 17 and the heels",
        "visibility": "exact, by ray",
        "renderer": folder.name,
    }
    notes = (
        "crops are given: nobody detects, nobody is left out",
        "fps: network and assembly only, pictures in batches of 16",
        "rendered people: for what happens on video see pose2sim-occ",
        *rows.notes,
    )
    name = "synth-occ@1" if distribution == "anything" else f"synth-occ-{distribution}@1"
    name += "" if options.mocap is None else ", motion capture"
    name += f", {len(clean)} people" if len(clean) != PEOPLE and not options.quick else ""
    name += f" (first {len(clean)} people)" if options.quick else ""
    return judge.results(options.named(name), TITLE, statement=statement, notes=notes)


INDEX = [BODY_26.index(name) for name in JOINTS]


def _severities(options: Options) -> tuple[float, ...]:
    return options.hidden(SEVERITIES, QUICK_SEVERITIES)


def prepare(options: Options) -> Path:
    """Folder of the pictures in the user's cache, with the bodies in it.

    Its name changes with everything that decides a picture, our own code included: pictures of an older
    renderer are never taken for those of a newer one.
    """
    try:
        from sigmapose.synth.mocap.files import find_clips
        from sigmapose.synth.people.bodies import build_bodies
    except ImportError as error:
        raise DataError(
            f"synth-occ renders people and needs {error.name}: pip install 'sigmapose[train]'"
        ) from error
    digest = hashlib.sha256(f"{SEED} {_bodies(options)}".encode())
    for file in sorted(_sources()):
        digest.update(file.read_bytes())
    if options.mocap is not None:
        for clip in find_clips(options.mocap):
            digest.update(f"{clip.relative_to(options.mocap)} {clip.stat().st_size}".encode())
    folder = cache_folder() / "bench" / "synth-occ" / digest.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    build_bodies(options.mocap, _bodies(options), SEED, folder / "bodies")
    return folder


def _bodies(options: Options) -> int:
    return QUICK_BODIES if options.quick else BODIES * _people(options) // PEOPLE


def _people(options: Options) -> int:
    return QUICK_PEOPLE if options.quick else options.people or PEOPLE


def _sources() -> Iterator[Path]:
    """The code that decides what a rendered person looks like."""
    package = Path(str(resources.files("sigmapose")))
    root = package / "synth"
    yield from (package / "rotation.py", root / "plan.py", root / "distributions.py")
    for room in ("render", "people", "mocap"):
        yield from (root / room).glob("*.py")


def people(folder: Path, severity: float, options: Options, distribution: str = "anything") -> list[Sample]:
    """The pictures of one severity, rendered where they are not there yet."""
    from sigmapose.data.shard_reader import read_shards
    from sigmapose.synth.distributions import get_distribution
    from sigmapose.synth.plan import SynthPlan, synthesize

    count, kind = _people(options), "" if distribution == "anything" else f"{distribution}-"
    plan = SynthPlan(
        out=folder / f"{kind}{100 * severity:02.0f}-{count}", count=count, seed=SEED, split=Split.TEST,
        people=get_distribution(distribution),
        severity=(severity, severity), bodies=folder / "bodies", shard_size=count,
    )  # fmt: skip
    with tqdm(total=count, desc=f"{100 * severity:.0f} % hidden", unit="picture", disable=None) as progress:
        for done in synthesize(plan):
            progress.update(done)
    samples = list(read_shards(plan.out, split=Split.TEST))
    only([s.split for s in samples if s.split is not None], Split.TEST)
    return samples


def _body(sample: Sample) -> str:
    """Who it is: the same body may stand before several cameras."""
    shape = hashlib.sha256(str(sample.facts["body"]["phenotypes"]).encode()).hexdigest()[:12]
    return f"{sample.subject}/{sample.clip}/{shape}"


def truth_of(samples: list[Sample]) -> Truth:
    """What the methods are judged on."""
    joints = np.stack([s.joints_mm for s in samples if s.joints_mm is not None])[:, INDEX]
    visibility = np.stack([s.visibility for s in samples if s.visibility is not None])[:, INDEX]
    if not len(joints) == len(visibility) == len(samples):
        raise DataError("rendered samples without joints or visibility: empty the cache's bench/synth-occ")
    down = np.array([s.facts["body"]["rotation"][2][1] for s in samples], float)
    return Truth(
        ids=[f"{s.id}@{s.facts['severity']:g}" for s in samples],
        joints_mm=joints,
        clusters=[_body(s) if s.subject == PROCEDURAL else f"{s.subject}/{s.clip}" for s in samples],
        visibility=visibility.astype(int),
        root_mm=joints[:, list(LAYOUT.root)].mean(1),
        tilt_deg=np.degrees(np.arcsin(np.clip(down, -1.0, 1.0))),
        points_px=np.stack([s.points_in_picture(CROP_PX)[INDEX] for s in samples]),
        picture=lambda row: samples[row].picture,
    )
