"""The body corpus. Everything here loads the body model, whose first load on a machine takes minutes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sigmapose.data.splits import Split
from sigmapose.errors import DataError, OutputError
from sigmapose.skeleton import BODY_26
from sigmapose.synth.people.bodies import (
    SHARD_SIZE,
    BodyCorpus,
    build_bodies,
    load_corpus,
    load_meshes,
)
from sigmapose.synth.people.body import PARTS, PHENOTYPES, SEGMENTS, load_body_model, sample_phenotypes

pytestmark = pytest.mark.slow
J = {name: j for j, name in enumerate(BODY_26.joints)}
COUNT = 64

CMU = """HIERARCHY
ROOT Hips
{
 OFFSET 0 0 0
 CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
%s}
MOTION
Frames: 40
Frame Time: 0.0333
%s
"""


def joint(name: str, offset: str, inside: str = "") -> str:
    return f"JOINT {name}\n{{\nOFFSET {offset}\nCHANNELS 3 Zrotation Yrotation Xrotation\n{inside}}}\n"


def cmu_bvh(seed: int) -> str:
    """A BVH with the joint names of the CMU archive and a random smooth motion."""
    trunk = joint("Neck", "0 1.5 0", joint("Head", "0 1.5 0"))
    legs = ""
    for side, x in (("Left", 1), ("Right", -1)):
        arm = joint(f"{side}ForeArm", f"{5 * x} 0 0", joint(f"{side}Hand", f"{4 * x} 0 0"))
        trunk += joint(f"{side}Shoulder", "0 1 0", joint(f"{side}Arm", f"{3 * x} 0 0", arm))
        leg = joint(
            f"{side}Leg", "0 -7 0", joint(f"{side}Foot", "0 -7 0", joint(f"{side}ToeBase", "0 -0.5 2"))
        )
        legs += joint(f"{side}UpLeg", f"{1.7 * x} -1.8 0", leg)
    tree = legs + joint("LowerBack", "0 2 0", joint("Spine1", "0 4 0", trunk))
    rng = np.random.default_rng(seed)
    phase = np.linspace(0, 2 * np.pi, 40)[:, None] + rng.uniform(0, 6, 3 * (tree.count("JOINT") + 1))
    rows = np.concatenate([np.zeros((40, 3)), 25 * np.sin(phase)], axis=1)
    return CMU % (tree, "\n".join(" ".join(f"{v:.3f}" for v in row) for row in rows))


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mocap")
    for seed, name in enumerate(("05_01", "05_02", "06_01", "07_01", "08_01")):
        (folder / f"{name}.bvh").write_text(cmu_bvh(seed))
    return folder


@pytest.fixture(scope="module")
def corpus(mocap: Path, tmp_path_factory: pytest.TempPathFactory) -> BodyCorpus:
    return build_bodies(mocap, COUNT, 4, tmp_path_factory.mktemp("corpus"))


def test_splits_follow_the_subjects_and_every_clip_is_used(corpus: BodyCorpus) -> None:
    pairs = set(zip(corpus.clip.tolist(), corpus.split.tolist(), strict=True))
    recorded = {p for p in pairs if not p[0].startswith("procedural/")}
    assert recorded == {
        ("05_01", "train"), ("05_02", "train"), ("06_01", "test"), ("07_01", "val"), ("08_01", "calibration")
    }  # fmt: skip
    assert len(corpus.of(Split.TRAIN)) == round(0.82 * COUNT)
    assert 0.15 < np.mean(corpus.subject == "procedural") < 0.25


def test_bodies_are_people(corpus: BodyCorpus) -> None:
    stature = corpus.stature_mm
    assert stature.min() > 800 and stature.max() < 2300 and 1500 < np.median(stature) < 1800
    np.testing.assert_allclose(corpus.joints_mm[:, BODY_26.root], 0.0, atol=1e-3)

    def length(a: str, b: str) -> np.ndarray:
        return np.linalg.norm(corpus.joints_mm[:, J[a]] - corpus.joints_mm[:, J[b]], axis=1) / stature

    for side in ("left", "right"):
        # Parts of the stature, with room for children and soft hips
        # (Drillis and Contini: 0.245, 0.246, 0.186, 0.146).
        for a, b, low, high in (("hip", "knee", 0.16, 0.27), ("knee", "ankle", 0.18, 0.27),
                                ("shoulder", "elbow", 0.11, 0.2), ("elbow", "wrist", 0.1, 0.17)):  # fmt: skip
            ratio = length(f"{side}_{a}", f"{side}_{b}")
            assert low < ratio.min() and ratio.max() < high


def test_the_same_arguments_give_the_same_corpus_and_it_resumes(
    corpus: BodyCorpus, mocap: Path, tmp_path: Path
) -> None:
    again = build_bodies(mocap, COUNT, 4, tmp_path)
    np.testing.assert_array_equal(again.joints_mm, corpus.joints_mm)
    np.testing.assert_array_equal(again.clip, corpus.clip)
    (shard,) = tmp_path.glob("bodies-*.npz")
    written = shard.stat().st_mtime_ns
    build_bodies(mocap, COUNT, 4, tmp_path)
    assert shard.stat().st_mtime_ns == written
    shard.unlink()
    np.testing.assert_array_equal(build_bodies(mocap, COUNT, 4, tmp_path).joints_mm, corpus.joints_mm)
    with pytest.raises(OutputError, match="made with other settings"):
        build_bodies(mocap, COUNT, 5, tmp_path)


def test_the_number_of_processes_changes_nothing_and_a_corpus_is_mapped_from_disk(
    mocap: Path, tmp_path: Path
) -> None:
    count = SHARD_SIZE + 40
    one = build_bodies(mocap, count, 3, tmp_path / "one")
    two = build_bodies(mocap, count, 3, tmp_path / "two", workers=2)
    for name in BodyCorpus.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert isinstance(two.joints_mm, np.memmap)
    for column in (tmp_path / "two").glob("column-*.npy"):
        column.unlink()
    again = load_corpus(tmp_path / "two")
    assert not isinstance(again.joints_mm, np.memmap)
    np.testing.assert_array_equal(again.quaternions, one.quaternions)


def test_meshes_are_rebuilt_with_the_joints_they_were_made_with(corpus: BodyCorpus) -> None:
    rows = [0, 7, COUNT - 1]
    bodies = load_meshes(corpus, rows)
    np.testing.assert_allclose(bodies.joints_mm, corpus.joints_mm[rows], atol=0.01)
    model = load_body_model()
    mesh = load_meshes(corpus, [7]).vertices_mm[0]
    assert mesh.shape == (len(model.part_labels), 3)
    np.testing.assert_allclose(mesh, bodies.vertices_mm[1], atol=0.01)
    assert model.faces.max() < len(mesh)


def test_joints_lie_in_the_part_they_are_named_after() -> None:
    model = load_body_model()
    shapes = model.rest(sample_phenotypes(8, np.random.default_rng(0)))
    still = np.broadcast_to(np.eye(3), (8, len(SEGMENTS), 3, 3))
    bodies = model.pose(still, shapes)
    np.testing.assert_allclose(bodies.joints_mm, shapes.joints_mm, atol=0.1)
    for name, parts in {
        "nose": ("face",), "head_top": ("scalp",),
        "left_elbow": ("upper_arm", "forearm"),
        "left_wrist": ("forearm", "hand"), "right_knee": ("thigh", "shin"), "left_big_toe": ("foot",),
        "right_small_toe": ("foot",), "left_heel": ("foot",), "right_hip": ("pelvis", "thigh"),
    }.items():  # fmt: skip
        distance = np.linalg.norm(bodies.vertices_mm - bodies.joints_mm[:, [J[name]]], axis=-1)
        nearest = model.part_labels[np.argmin(distance, axis=1)]
        assert {PARTS[p] for p in nearest} <= set(parts), name
    at = {name: bodies.joints_mm[:, j] for name, j in J.items()}
    # At rest a person faces the camera: left is at +x, up is -y, forward is -z.
    for side, sign in (("left", 1), ("right", -1)):
        for part in ("shoulder", "hip", "ankle", "big_toe"):
            assert (sign * at[f"{side}_{part}"][:, 0] > 0).all()
        assert (at[f"{side}_big_toe"][:, 2] < at[f"{side}_heel"][:, 2]).all()
        assert (sign * (at[f"{side}_small_toe"] - at[f"{side}_big_toe"])[:, 0] > 0).all()
    assert (at["nose"][:, 2] < at["left_ear"][:, 2]).all()
    order = ("head_top", "nose", "neck", "left_hip", "left_knee", "left_ankle", "left_heel")
    heights = np.stack([at[name][:, 1] for name in order])
    assert (np.diff(heights, axis=0) > 0).all()
    top, bottom = bodies.vertices_mm[..., 1].min(axis=1), bodies.vertices_mm[..., 1].max(axis=1)
    np.testing.assert_allclose(bottom - top, shapes.stature_mm, atol=1.0)
    assert (np.abs(at["head_top"][:, 1] - top) < 20).all()


def test_turning_one_segment_moves_only_what_hangs_on_it() -> None:
    model = load_body_model()
    shapes = model.rest(np.full((1, len(PHENOTYPES)), 0.5, dtype=np.float32))
    turns = np.broadcast_to(np.eye(3), (1, len(SEGMENTS), 3, 3)).copy()
    bend = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turns[:, [SEGMENTS.index(f"left_{s}") for s in ("shin", "foot", "toes")]] = bend
    change = np.linalg.norm(model.pose(turns, shapes).joints_mm - shapes.joints_mm, axis=-1)[0]
    assert change[J["left_ankle"]] > 200
    assert change[J["left_big_toe"]] > 200
    still = [J[n] for n in ("right_ankle", "left_wrist", "nose", "left_shoulder", "right_knee")]
    assert change[still].max() < 1.0


def test_without_mocap_everything_is_invented(tmp_path: Path) -> None:
    corpus = build_bodies(None, 40, 1, tmp_path)
    assert set(corpus.subject.tolist()) == {"procedural"}
    assert set(corpus.split.tolist()) == {s.value for s in Split}


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no motion-capture folder"):
        build_bodies(tmp_path / "nowhere", 10, 0, tmp_path / "out")
    with pytest.raises(DataError, match=r"no bodies-\*\.npz"):
        load_corpus(tmp_path)
