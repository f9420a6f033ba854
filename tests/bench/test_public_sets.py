"""Published protocols on tiny files in the true formats."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from data_readers.test_3dpw import Python2Pickler, sequence
from data_readers.test_mpi_inf_3dhp import FRAMES as TEST_FRAMES
from data_readers.test_mpi_inf_3dhp import write_test
from data_readers.test_videopose3d import FRAMES, write_2d, write_3d, write_humaneva
from sigmapose.bench import protocols, public_sets
from sigmapose.bench.options import Options
from sigmapose.data.readers.h36m import read_h36m
from sigmapose.data.readers.h36m_cameras import SERIALS
from sigmapose.errors import DataError
from sigmapose.evaluate.frames import Predictions
from sigmapose.evaluate.judge import Judge

pytestmark = pytest.mark.slow


def lifted(folder: Path, name: str):
    return protocols.run(name, Options(source=folder))


def perfect(public: public_sets.PublicSet, folder: Path, stretch: float = 1.0):
    """The truth itself as the prediction, `stretch` times as large and somewhere else."""
    judge = Judge(public_sets.layout(public), samples=0)
    for samples in public_sets.chunks(public, folder, 1):
        truth = public_sets.truth_of(public, samples)
        judge.add(truth, {"truth": Predictions(stretch * truth.joints_mm + [5.0, -80.0, 900.0])})
    return judge.results(public.full_name, "").methods["truth"].scores


def h36m(folder: Path) -> Path:
    write_3d(folder)
    views: dict[str, dict[str, list[np.ndarray]]] = {}
    for sample in read_h36m(folder):
        by_camera = views.setdefault(sample.subject, {}).setdefault(
            str(sample.facts["action"]), [np.empty((FRAMES, 17, 2)) for _ in SERIALS]
        )
        by_camera[SERIALS.index(str(sample.facts["camera"]))][sample.frame] = sample.points_px
    write_2d(folder, "cpn_ft_h36m_dbb", views)
    return folder


def threedpw(folder: Path, *names: str) -> Path:
    for split, name in zip(("test", "train", "test"), names, strict=False):
        file = folder / "sequenceFiles" / split / f"{name}.pkl"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as out:
            Python2Pickler(out, 2).dump(sequence(sequence=name))
    return folder


def test_human36m_is_the_mean_over_actions_of_the_test_subjects(tmp_path: Path) -> None:
    results = lifted(h36m(tmp_path), "h36m")
    assert set(results.methods) == {"sigmapose/lift", "sigmapose/lift-camera", "constant-sigma"}
    row = results.methods["sigmapose/lift"]
    # S9: two actions, four cameras; "Photo 1" is the action Photo. S1 is a training subject.
    assert set(row.strata) == {"Directions", "Photo"}
    assert row.scores.counts["frames"] == 2 * 4 * FRAMES
    each = [numbers["mpjpe_mm"] for numbers in row.strata.values()]
    assert row.get("mpjpe_mm") == pytest.approx(np.mean(each)) and 20 < row.get("mpjpe_mm") < 400
    assert row.get("pa_mpjpe_mm") < row.get("mpjpe_mm")
    assert results.layout.joints[results.layout.root[0]] == "hip" and len(results.layout.joints) == 17
    assert "no rows from pictures" in " ".join(results.notes)


def test_the_truth_has_no_error_under_any_protocol(tmp_path: Path) -> None:
    (tmp_path / "h36m").mkdir()
    (tmp_path / "humaneva").mkdir()
    write_humaneva(tmp_path / "humaneva")
    write_test(tmp_path / "mpi")
    sets = [
        (public_sets.H36M, h36m(tmp_path / "h36m")),
        (public_sets.MPI_INF_3DHP, tmp_path / "mpi"),
        (public_sets.THREEDPW, threedpw(tmp_path / "3dpw", "downtown_walk_00")),
        (public_sets.HUMANEVA, tmp_path / "humaneva"),
    ]  # fmt: skip
    for public, folder in sets:
        numbers = perfect(public, folder).metrics
        assert numbers["mpjpe_mm"] == pytest.approx(0, abs=1e-3), public.full_name
        assert numbers["pck_150mm"] == 1.0 and numbers["missed_rate"] == 0.0
        larger = perfect(public, folder, stretch=1.2).metrics
        assert larger["mpjpe_mm"] > 40 and larger["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-2)


def test_mpi_inf_3dhp_compares_fourteen_joints_and_not_the_pelvis(tmp_path: Path) -> None:
    write_test(tmp_path, valid=[1, 1, 0, 1, 1, 1])
    scores = perfect(public_sets.MPI_INF_3DHP, tmp_path, stretch=1.5)
    assert scores.counts["joints"] == 14 * (TEST_FRAMES - 1)
    samples = list(chain.from_iterable(public_sets.chunks(public_sets.MPI_INF_3DHP, tmp_path, 1)))
    truth = public_sets.truth_of(public_sets.MPI_INF_3DHP, samples)
    relative = truth.joints_mm - truth.joints_mm[:, :1]
    expected = 0.5 * np.linalg.norm(relative[:, 1:], axis=-1).mean()
    assert scores.metrics["mpjpe_mm"] == pytest.approx(expected, rel=1e-5)


def test_mpi_inf_3dhp_from_pictures(tmp_path: Path) -> None:
    """Black pictures: what comes out is wrong, and every frame and joint of it is counted."""
    write_test(tmp_path)
    results = lifted(tmp_path, "mpi-inf-3dhp")
    assert {"sigmapose", "sigmapose/camera", "constant-sigma"} <= set(results.methods)
    assert results.methods["sigmapose"].scores.counts["joints"] == 14 * TEST_FRAMES
    assert any("it has no head" in note for note in results.notes)
    assert results.methods["sigmapose"].worst[0].picture.read().shape == (24, 40, 3)


def test_3dpw_compares_thirteen_joints_of_valid_frames(tmp_path: Path) -> None:
    results = lifted(threedpw(tmp_path, "downtown_walk_00"), "3dpw")
    row = results.methods["sigmapose/lift"]
    assert row.scores.counts["frames"] == 4 + 5  # one frame's camera is not valid for the first person
    assert row.scores.counts["joints"] == 13 * 9
    assert "not comparable" in results.statement


def test_3dpw_occ_takes_the_listed_sequences_of_all_splits(tmp_path: Path) -> None:
    threedpw(tmp_path, "downtown_walk_00", "courtyard_backpack_00", "outdoors_fencing_01")
    taken = {s.clip for chunk in public_sets.chunks(public_sets.THREEDPW_OCC, tmp_path, 1) for s in chunk}
    assert taken == {"courtyard_backpack_00", "outdoors_fencing_01"}


def test_humaneva_by_action_and_subject(tmp_path: Path) -> None:
    write_humaneva(tmp_path)
    scores = perfect(public_sets.HUMANEVA, tmp_path)
    assert scores.counts["joints"] % 14 == 0  # the root joint makes no statement


@pytest.mark.parametrize("name", ["h36m", "mpi-inf-3dhp", "3dpw", "3dpw-occ", "humaneva"])
def test_missing_data_say_where_to_get_them(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"needs the data, which nobody may pass on: get .*--source DIR"):
        protocols.run(name, Options())
    with pytest.raises(DataError, match=r"get "):
        protocols.run(name, Options(source=tmp_path))


def test_neither_pictures_nor_detections(tmp_path: Path) -> None:
    write_3d(tmp_path)
    with pytest.raises(DataError, match="neither pictures nor 2D detections"):
        lifted(tmp_path, "h36m")
