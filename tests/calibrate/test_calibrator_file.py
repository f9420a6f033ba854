"""The calibrator's file, what it refuses, and how poses carry what it measured."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import sigmapose
from sigmapose.calibrator import Calibrator
from sigmapose.camera import Camera
from sigmapose.errors import InputError, SkeletonError
from sigmapose.io.poses_json import PosesWriter, read_poses
from sigmapose.pose import Frame
from sigmapose.skeleton import BODY_26, VISIBILITY
from walking_person import walking_pose

SHIPPED = Path(str(resources.files("sigmapose") / "weights/calibrator.json"))


@pytest.fixture(scope="module")
def shipped() -> Calibrator:
    return Calibrator.load(SHIPPED)


def test_saving_what_was_read_gives_the_same_file(shipped: Calibrator, tmp_path: Path) -> None:
    shipped.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == SHIPPED.read_text()


def test_the_file_says_where_it_comes_from(shipped: Calibrator) -> None:
    content = json.loads(SHIPPED.read_text())
    assert content["provenance"]["split"] == "calibration"
    assert not {"02", "06", "35", "55"} & set(content["provenance"]["subjects"]), "test subjects"
    for source in ("none", "lite", "full", "heavy"):
        radii = shipped.radii_for(source)
        assert radii is not None and {0.5, 0.8, 0.9, 0.95} <= set(radii.levels)
        groups = radii.relative_groups
        assert set(groups) == {f"{part}/{v}" for part in radii.joint_groups for v in VISIBILITY}
        assert all(g.source == name or g.source in (*VISIBILITY, "all") for name, g in groups.items())
        named = [joint for joints in radii.joint_groups.values() for joint in joints]
        assert sorted(named) == sorted(set(BODY_26.joints) - {"mid_hip"})
        assert (np.diff(radii.relative, axis=-1) >= 0).all()


def version_1(shipped: Calibrator) -> dict:
    content = json.loads(SHIPPED.read_text())
    keep = ("relative", "points", "stature", "constant_sigma_mm")
    scales = {name: {k: s[k] for k in keep} for name, s in content["sources"].items()}
    head = {k: content[k] for k in ("name", "skeleton", "fitted_on", "samples")}
    return {"format": "sigmapose/calibrator", "version": 1, **head, "scales": scales}


def test_version_1_is_read_and_means_gaussian_regions(shipped: Calibrator, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text(json.dumps(version_1(shipped)))
    points = walking_pose().points_px
    poses = [
        sigmapose.lift_batch(points[None], skeleton="body_26", calibrator=file)[0] for file in (old, SHIPPED)
    ]
    assert poses[0].regions is None and poses[1].regions is not None
    np.testing.assert_allclose(poses[0].cov_mm2, poses[1].cov_mm2, rtol=1e-6)
    ratio = [np.linalg.norm(p.ellipsoid(0.9)[0], axis=-1) for p in poses]
    radius = poses[1].regions.joint_radius(0.9)[0]
    np.testing.assert_allclose(ratio[1] / ratio[0], radius / 2.5003, rtol=1e-3)


def test_radii_are_those_of_the_most_probable_class(shipped: Calibrator) -> None:
    pose = sigmapose.lift_batch(walking_pose().points_px[None], skeleton="body_26")[0]
    table = shipped.radii_for("none")
    expected = table.relative[np.arange(26), pose.visibility.argmax(-1)]
    assert pose.regions is not None
    np.testing.assert_array_equal(pose.regions.joints, expected)


def test_a_known_camera_has_scales_of_its_own_where_they_were_fitted(
    shipped: Calibrator, tmp_path: Path
) -> None:
    plain = shipped.scales_for("none")
    wider = replace(plain, relative=4 * plain.relative)
    apart = replace(shipped, scales={"none": plain, "none/camera": wider}, radii={})
    together = replace(shipped, scales={"none": plain}, radii={})
    points, covariances = walking_pose().points_px[None], {}
    for name, calibrator in (("apart", apart), ("together", together)):
        calibrator.save(tmp_path / f"{name}.json")
        for camera in (None, Camera.default(1280, 720), replace(Camera.default(1280, 720), known=True)):
            pose = sigmapose.lift_batch(
                points, skeleton="body_26", camera=camera, calibrator=tmp_path / f"{name}.json"
            )[0]
            covariances[name, camera is not None and camera.known] = pose.cov_mm2
    np.testing.assert_allclose(covariances["apart", False], covariances["together", False])
    assert (np.trace(covariances["apart", True], axis1=-2, axis2=-1)[1:19]
            > 1.5 * np.trace(covariances["together", True], axis1=-2, axis2=-1)[1:19]).all()  # fmt: skip


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"version": 3}, "version 1 to 2, got 'sigmapose/calibrator' version 3"),
     ({"format": "other"}, "is not a sigmapose/calibrator file"),
     ({"format": "sigmapose/peer-calibrator"}, "was fitted for predictions of 'gaussian-pose-everyday"),
     ({"sources": {"full": {"relative": [[1]]}}}, "damaged calibrator"),
     ({"sources": None}, "damaged calibrator")],
)  # fmt: skip
def test_other_files_are_refused(change: dict, complaint: str, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(json.loads(SHIPPED.read_text()) | change))
    with pytest.raises(InputError, match=complaint):
        sigmapose.load("lite", calibrator=file)


def test_what_it_was_not_fitted_for_is_refused(shipped: Calibrator) -> None:
    with pytest.raises(SkeletonError, match="fitted on skeleton 'coco_17'"):
        replace(shipped, skeleton="coco_17").radii_for("full")
    with pytest.raises(InputError, match=r"knows .*, none, .*, not 'other'"):
        shipped.radii_for("other")


def test_no_calibrator_no_scales() -> None:
    points = walking_pose().points_px[None]
    raw, usual = (sigmapose.lift_batch(points, skeleton="body_26", calibrator=c)[0] for c in ("none", None))
    assert raw.calibration == "none" and raw.regions is None
    assert usual.calibration == "gaussian-pose-everyday" and not np.allclose(raw.cov_mm2, usual.cov_mm2)


def test_poses_json_keeps_the_regions(tmp_path: Path) -> None:
    pose = sigmapose.lift(walking_pose().points_px[:17], camera=walking_pose().camera)
    plain = replace(pose, regions=None)
    for k, name in enumerate(("a.json", "b.json")):
        with PosesWriter(tmp_path / name) as writer:
            writer.write(Frame(0, 0.0, (pose, plain), "v.mp4"))
            writer.write(Frame(1, 0.1, (pose,), "v.mp4"))
        frames = list(read_poses(tmp_path / name))
        read, without = frames[0].poses
        assert without.regions is None and frames[1].poses[0].regions is not None
        for level in (0.5, 0.9, 0.97):
            np.testing.assert_allclose(read.ellipsoid(level), pose.ellipsoid(level), rtol=1e-4, atol=1e-3)
            np.testing.assert_allclose(read.ellipse(level), pose.ellipse(level), rtol=1e-4, atol=1e-3)
        if k == 0:
            pose, plain = read, without
    assert (tmp_path / "a.json").read_text() == (tmp_path / "b.json").read_text()


def test_regions_that_do_not_fit_the_file_are_refused(tmp_path: Path) -> None:
    pose = sigmapose.lift(walking_pose().points_px[:17], camera=walking_pose().camera)
    with PosesWriter(tmp_path / "a.json") as writer:
        writer.write(Frame(0, 0.0, (pose,), "v.mp4"))
    document = json.loads((tmp_path / "a.json").read_text())
    del document["regions"]
    (tmp_path / "b.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="regions do not fit those of the file"):
        list(read_poses(tmp_path / "b.json"))
