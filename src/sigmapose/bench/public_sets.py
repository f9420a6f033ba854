"""Published protocols on data that the user has: Human3.6M, MPI-INF-3DHP, 3DPW, HumanEva.

Two kinds of rows, where the data allow: from pictures, with the crop of the true joints (`sigmapose`,
`blazepose-*`), and from the 2D detections that come with the data (`sigmapose/lift`). THESE ARE TEST DATA.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from sigmapose.bench.crops import CropRows, camera_of
from sigmapose.bench.methods import from_poses, own_methods, refuse_test_calibrators
from sigmapose.bench.options import Options
from sigmapose.data.readers import h36m, humaneva, mpi_inf_3dhp, threedpw
from sigmapose.data.readers.registry import open_dataset
from sigmapose.data.sample import Sample
from sigmapose.errors import DataError
from sigmapose.estimate.api import lift_batch, resolve_calibrator
from sigmapose.estimate.lifter import MIN_JOINTS
from sigmapose.evaluate.frames import Predictions, Truth, with_constant_sigma
from sigmapose.evaluate.judge import Judge
from sigmapose.evaluate.layout import Layout, layout_of
from sigmapose.evaluate.results import Results
from sigmapose.pose import Pose
from sigmapose.skeleton import BLAZEPOSE_33, BODY_26, H36M_17, JointMap, Skeleton, joint_map

CHUNK = 512
QUICK_EVERY = 64
LIMBS = tuple(
    f"{side}_{part}"
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)


@dataclass(frozen=True)
class PublicSet:
    """One protocol."""

    full_name: str
    dataset: str
    title: str
    where: str
    """Where to get the data."""
    skeleton: Skeleton
    joints: tuple[str, ...]
    """Those of the skeleton that are in the layout, its root among them."""
    splits: tuple[str | None, ...] = ("test",)
    reader: dict[str, Any] = field(default_factory=dict)
    uncompared: tuple[str, ...] = ()
    """Joints that give the origin only."""
    keep: Callable[[Sample], bool] = lambda sample: True
    stratum: Callable[[Sample], str] | None = None
    """Averages are the mean over these; None: over all joints of all frames."""
    cluster: Callable[[Sample], str] = lambda sample: f"{sample.subject}/{sample.clip}"
    statement: dict[str, object] = field(default_factory=dict)


H36M = PublicSet(
    "h36m@1", "h36m", "Human3.6M, subjects S9 and S11, every frame of four cameras", h36m.WHERE,
    H36M_17, H36M_17.joints,
    stratum=lambda s: str(s.facts["action"]).split(" ")[0],
    cluster=lambda s: f"{s.subject}/{s.facts['action']}",
    statement={
        "protocol": "that of VideoPose3D (Pavllo et al. 2019): 17 joints relative to the pelvis, which "
        "counts as a joint; mean over frames, then over the 15 actions; mpjpe_mm is protocol 1, "
        "pa_mpjpe_mm protocol 2, n_mpjpe_mm protocol 3",
        "joints": "hips, spine, thorax, neck_nose and head of ours are approximate (JointMap.status)",
    },
)  # fmt: skip
MPI_INF_3DHP = PublicSet(
    "mpi-inf-3dhp@1", "mpi-inf-3dhp", "MPI-INF-3DHP, valid frames of TS1 to TS6", mpi_inf_3dhp.WHERE,
    H36M_17, ("hip", "head", "thorax", *(j.replace("ankle", "foot") for j in LIMBS)),
    reader={"universal": True, "skeleton": "h36m_17"}, uncompared=("hip",),
    statement={
        "protocol": "14 joints (head top, neck, limbs) relative to the pelvis, universal skeleton, as the "
        "data set's own script; pck_150mm, auc_150mm (thresholds 0 to 150 mm), mpjpe_mm; mean over frames",
    },
)  # fmt: skip
THREEDPW = PublicSet(
    "3dpw@1", "3dpw", "3DPW, test sequences", threedpw.WHERE, BODY_26, (*LIMBS, "neck"),
    reader={"skeleton": "body_26"}, cluster=lambda s: s.clip,
    statement={
        "protocol": "13 joints of SMPL's kinematic tree (12 limb joints and the neck), relative to the "
        "middle of the hips; pa_mpjpe_mm after Procrustes; mean over all valid frames",
        "not comparable": "published numbers use 14 joints regressed from the SMPL mesh, which needs the "
        "SMPL model; the tree has no head top, and its hips and neck lie elsewhere",
    },
)  # fmt: skip
OC_SEQUENCES = (
    "courtyard_backpack", "courtyard_basketball", "courtyard_bodyScannerMotions", "courtyard_box",
    "courtyard_golf", "courtyard_jacket", "courtyard_laceShoe", "downtown_stairs", "flat_guitar",
    "flat_packBags", "outdoors_climbing", "outdoors_crosscountry", "outdoors_fencing", "outdoors_freestyle",
    "outdoors_golf", "outdoors_parcours", "outdoors_slalom",
)  # fmt: skip
"""Sequences that begin like this make up 3DPW-OC, of all three splits, by the loader that ROMP (Sun et al.
2021) publishes; introduced by Zhang et al. 2020 (object-occluded human shape and pose)."""
THREEDPW_OCC = replace(
    THREEDPW,
    full_name="3dpw-occ@1",
    title="3DPW, the sequences of 3DPW-OC: people behind things",
    splits=(None,),
    keep=lambda s: s.clip.startswith(OC_SEQUENCES),
    statement=THREEDPW.statement
    | {
        "sequences": "those whose names begin as in the list that ROMP's loader publishes as 3DPW-OC, of all "
        "splits (nothing here is trained on 3DPW): " + ", ".join(OC_SEQUENCES)
    },
)
HUMANEVA = PublicSet(
    "humaneva@1", "humaneva", "HumanEva-I, S1 to S3, walking, jogging and boxing, the validation part",
    humaneva.WHERE, BODY_26, ("mid_hip", "neck", "head_top", *LIMBS),
    keep=lambda s: str(s.facts["action"]).startswith(("Walk", "Jog", "Box")),
    stratum=lambda s: f"{str(s.facts['action']).split(' ')[0]} {s.subject}",
    cluster=lambda s: f"{s.subject}/{s.facts['action']}",
    statement={
        "protocol": "that of VideoPose3D: 15 joints relative to the pelvis, which counts as a joint; mean "
        "over frames, then over actions and subjects; pa_mpjpe_mm is the published one",
    },
)  # fmt: skip


def run_h36m(options: Options) -> Results:
    """Raises as `run_set`."""
    extra = {"videos": options.videos} if options.videos is not None else {}
    return run_set(replace(H36M, reader=H36M.reader | extra), options)


def run_mpi_inf_3dhp(options: Options) -> Results:
    """Raises as `run_set`."""
    return run_set(MPI_INF_3DHP, options)


def run_3dpw(options: Options) -> Results:
    """Raises as `run_set`."""
    return run_set(THREEDPW, options)


def run_3dpw_occ(options: Options) -> Results:
    """Raises as `run_set`."""
    return run_set(THREEDPW_OCC, options)


def run_humaneva(options: Options) -> Results:
    """Raises as `run_set`."""
    return run_set(HUMANEVA, options)


def run_set(public: PublicSet, options: Options) -> Results:
    """A published protocol on the user's copy of the data.

    Raises:
        DataError: no folder given, files missing or malformed, nothing of these sequences, or neither
            pictures nor detections to predict from.
    """
    if options.source is None:
        raise DataError(
            f"{public.full_name} needs the data, which nobody may pass on: {public.where}; then give "
            "--source DIR (docs/datasets.md)"
        )
    every = QUICK_EVERY if options.quick else 1
    judge = Judge(layout(public), samples=options.samples)
    rows: _Rows | None = None
    for chunk in chunks(public, options.source, every):
        rows = rows or _Rows(public, options, chunk)
        judge.add(truth_of(public, chunk), rows(chunk))
    if rows is None:
        raise DataError(f"{public.full_name}: no such frames in '{options.source}': {public.where}")
    name = public.full_name + (f" (every {every}th frame)" if options.quick else "")
    return judge.results(name, public.title, statement=public.statement, notes=rows.notes)


def layout(public: PublicSet) -> Layout:
    """The joints that are compared."""
    return layout_of(public.skeleton, public.joints)


def chunks(public: PublicSet, source: Path, every: int) -> Iterator[list[Sample]]:
    """Samples of one person in one clip at a time, and of no more than CHUNK frames."""
    for split in public.splits:
        samples = open_dataset(public.dataset, source, split=split, every=every, **public.reader)
        kept = (s for s in samples if public.keep(s))
        for _, group in groupby(kept, key=lambda s: (s.subject, s.clip)):
            while chunk := list(islice(group, CHUNK)):
                yield chunk


def truth_of(public: PublicSet, samples: Sequence[Sample]) -> Truth:
    """What the methods are judged on."""
    index = [public.skeleton.index(name) for name in public.joints]
    joints = np.stack([s.joints_mm for s in samples if s.joints_mm is not None])[:, index]
    points = [s.points_px[index] for s in samples if s.points_px is not None]
    seen = [s.visibility[index] for s in samples if s.visibility is not None]
    used = np.asarray(np.isfinite(joints).all(-1))
    root = list(layout(public).root)
    used &= used[:, root].all(1, keepdims=True)
    used[:, [public.joints.index(name) for name in public.uncompared]] = False
    return Truth(
        ids=[s.id for s in samples],
        joints_mm=joints,
        clusters=[public.cluster(s) for s in samples],
        used=used,
        visibility=np.stack(seen).astype(int) if len(seen) == len(samples) else None,
        root_mm=joints[:, root].mean(1),
        strata=None if public.stratum is None else [public.stratum(s) for s in samples],
        points_px=np.stack(points) if len(points) == len(samples) else None,
        picture=lambda row: samples[row].picture,
    )


class _Rows:
    """The methods that the data allow, decided by the first samples."""

    def __init__(self, public: PublicSet, options: Options, first: Sequence[Sample]) -> None:
        self.ours = _chosen(joint_map(BODY_26, public.skeleton), public.joints)
        self.pictures = None
        self.notes: list[str] = []
        if any(s.picture is not None for s in first):
            methods = own_methods(options.models, options.heads, options.looks)
            refuse_test_calibrators(methods, ())
            peer = _chosen(joint_map(BLAZEPOSE_33, public.skeleton), public.joints)
            self.pictures = CropRows(methods, self.ours, peer)
            self.notes += ["pictures: the crop is that of the true joints", *self.pictures.notes]
        else:
            self.notes.append("no rows from pictures: the data come without")
        self.detections = any(s.detected_px is not None for s in first)
        if not self.detections:
            self.notes.append("no row sigmapose/lift: the data come without 2D detections")
        if self.pictures is None and not self.detections:
            raise DataError(
                f"{public.full_name}: neither pictures nor 2D detections beside the truth: {public.where}"
            )
        calibrator = resolve_calibrator(None)
        sigma = calibrator.scales_for("none").constant_sigma_mm if calibrator is not None else np.zeros(0)
        self.sigma_mm = float(np.sqrt(np.mean(sigma[sigma > 0] ** 2))) if (sigma > 0).any() else None

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Predictions]:
        rows = self.pictures(samples) if self.pictures is not None else {}
        if self.detections:
            rows["sigmapose/lift"] = self._lifted(samples, told=False)
            rows["sigmapose/lift-camera"] = self._lifted(samples, told=True)
            if "constant-sigma" not in rows and self.sigma_mm is not None:
                rows["constant-sigma"] = with_constant_sigma(rows["sigmapose/lift"], self.sigma_mm)
        return rows

    def _lifted(self, samples: Sequence[Sample], *, told: bool) -> Predictions:
        """Keypoints of one clip and camera at a time; too few keypoints are a person not found."""
        poses: list[Pose | None] = [None] * len(samples)
        usable = [
            k
            for k, s in enumerate(samples)
            if s.detected_px is not None and np.isfinite(s.detected_px).all(-1).sum() >= MIN_JOINTS
        ]
        if usable:
            some = [samples[k] for k in usable]
            scores = [s.detected_score for s in some if s.detected_score is not None]
            camera = camera_of(some[0], told=told)
            lifted = lift_batch(
                np.stack([s.detected_px for s in some if s.detected_px is not None]),
                np.stack(scores) if len(scores) == len(some) else None,
                camera=camera if told else None,
                skeleton=some[0].skeleton,
                image_size=(camera.width, camera.height),
            )
            for k, row in enumerate(usable):
                poses[row] = lifted[k]
        return from_poses(poses, self.ours)


def _chosen(joints: JointMap, names: tuple[str, ...]) -> JointMap:
    """Some target joints of a map."""
    rows = [joints.target.index(name) for name in names]
    target = Skeleton(
        f"{len(names)} joints of {joints.target.name}", names, (), None, tuple(range(len(names)))
    )
    return JointMap(joints.source, target, joints.weights[rows], tuple(joints.status[r] for r in rows))
