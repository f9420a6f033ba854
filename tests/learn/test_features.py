"""Features of shards: what encoders see, beside the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shard_samples import full_picture, noisy_person, tiny_encoder
from sigmapose.camera import Camera
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shards import write_shard
from sigmapose.errors import DataError, OutputError
from sigmapose.learn.data.features import (
    IMAGE_OUTPUTS,
    OUTPUTS,
    EncoderBank,
    FeaturePlan,
    crop_picture,
    extract_features,
    features_of,
    runs_on,
)
from sigmapose.skeleton import BODY_26, COCO_17, joint_map


def test_encoders_run_where_wanted_and_leave_nan_elsewhere(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    bank = EncoderBank(tmp_path, ["full"])
    pictures = np.arange(0, 200, 10, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 256, 256, 3), np.uint8
    )
    wanted = np.arange(20) % 5 != 0
    fields = bank.extract("full", pictures, wanted)
    assert set(fields) == {*(f"{key}_full" for key in (*OUTPUTS, *IMAGE_OUTPUTS)), "has_full"}
    assert fields["landmarks_full"].shape == (20, 39, 5) and fields["flag_full"].shape == (20,)
    assert np.array_equal(np.isfinite(fields["flag_full"]), wanted)
    assert np.isnan(fields["spread_full"][~wanted]).all()
    expected = np.arange(0, 200, 10)[wanted] / 255
    assert np.allclose(fields["flag_full"][wanted], expected, atol=1e-3)
    assert np.allclose(fields["world_full"][wanted], expected[:, None, None], atol=1e-3)


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no encoder at .*encoder_heavy\.onnx: convert it first"):
        EncoderBank(tmp_path, ["heavy"])


def test_truth_and_pictures_reach_the_features(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    bank = EncoderBank(tmp_path, ["full"])
    samples = [noisy_person(i) for i in range(5)]
    fields = features_of(samples, bank, {"full": 1.0})
    for i, sample in enumerate(samples):
        assert np.allclose(fields["joints_camera_mm"][i], sample.joints_mm, atol=1e-3, equal_nan=True)
        assert np.allclose(fields["points_px"][i], sample.points_px, atol=1e-3, equal_nan=True)
        assert np.array_equal(fields["visibility"][i], sample.visibility)
        assert fields["flag_full"][i] == pytest.approx(sample.read_picture().mean() / 255, abs=1e-4)
        assert fields["id"][i] == sample.id and fields["split"][i] == "train"
        assert fields["intrinsics"][i].tolist() == [800.0, 810.0, 319.5, 239.5]
    assert fields["stature_mm"].tolist() == [1700.0 + i for i in range(5)]


def test_clean_and_mirrored_views_keep_picture_and_truth_together(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    bank = EncoderBank(tmp_path, ["full"])
    samples = [noisy_person(i, twin=True) for i in range(3)] + [noisy_person(3)]
    seen, clean = (features_of(samples, bank, {"full": 1.0}, view=view) for view in ("picture", "clean"))
    assert clean["id"].tolist() == ["s0000", "s0001", "s0002"], "nobody without a twin"
    assert not (clean["visibility"] == 2).any() and (clean["occluded_fraction"] == 0).all()
    assert not np.allclose(clean["flag_full"], seen["flag_full"][:3])
    mirrored = features_of(samples, bank, {"full": 1.0}, view="mirrored")
    fx, fy, cx, cy = mirrored["intrinsics"].T[..., None]
    joints = mirrored["joints_camera_mm"]
    again_px = np.stack(
        [joints[..., 0] / joints[..., 2] * fx + cx, joints[..., 1] / joints[..., 2] * fy + cy], -1
    )
    assert np.allclose(again_px, mirrored["points_px"], rtol=1e-4, equal_nan=True), (
        "still the picture of those joints"
    )
    left, right = BODY_26.index("left_knee"), BODY_26.index("right_knee")
    assert np.allclose(mirrored["points_px"][:, left, 0], 639 - seen["points_px"][:, right, 0], atol=1e-3)
    assert np.allclose(mirrored["crop"][:, 3], -seen["crop"][:, 3])
    with pytest.raises(DataError, match="no sample has a clean twin"):
        features_of(samples[3:], bank, {"full": 1.0}, view="clean")


def test_one_broken_picture_costs_one_sample_and_all_broken_is_an_error(tmp_path: Path, caplog) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    bank = EncoderBank(tmp_path, ["full"])
    broken = [replace(noisy_person(i), picture=Picture.of_bytes(b"no picture")) for i in (1, 2)]
    fields = features_of([noisy_person(0), *broken, noisy_person(3)], bank, {"full": 1.0})
    assert fields["id"].tolist() == ["s0000", "s0003"]
    assert "left out s0001" in caplog.text and "left out s0002" in caplog.text
    with pytest.raises(DataError, match=r"no picture can be read \(2 tried\)"):
        features_of(broken, bank, {"full": 1.0})


def test_a_photo_is_cropped_around_the_person() -> None:
    sample = noisy_person(0)
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    boxed = Sample(
        id="a", source="coco", skeleton=COCO_17, box_px=np.array([100.0, 50, 300, 450]),
        picture=full_picture(photo), camera=Camera(640, 480, 600, 600, 320, 240),
    )  # fmt: skip
    picture, crop = crop_picture(boxed)
    assert picture.shape == (256, 256, 3)
    assert crop.tolist() == [200.0, 250.0, 500.0, 0.0], "the box's centre and longer side, a quarter larger"
    whole = replace(sample, crop=None, points_px=rng.uniform(100, 300, (26, 2)), picture=full_picture(photo))
    _, crop = crop_picture(whole)
    assert np.allclose(crop[:2], whole.points_px[BODY_26.root]), "MediaPipe's crop is centred on the hips"
    with pytest.raises(DataError, match="has no crop, joints or box: detect people first"):
        crop_picture(replace(boxed, box_px=None))


def test_joints_of_another_skeleton_are_converted(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    rng = np.random.default_rng(1)
    points = rng.uniform(50, 200, (17, 2))
    coco = Sample(
        id="a", source="coco", skeleton=COCO_17, points_px=points,
        visibility=np.arange(17, dtype=np.int8) % 3, box_px=np.array([50.0, 50, 200, 200]),
        picture=full_picture(np.zeros((256, 256, 3), np.uint8)),
    )  # fmt: skip
    fields = features_of([coco], EncoderBank(tmp_path, ["full"]), {"full": 0.0})
    expected, present = joint_map(COCO_17, BODY_26).apply(points)
    assert np.allclose(fields["points_px"][0], expected, atol=1e-3, equal_nan=True)
    assert np.array_equal(fields["visibility"][0, :17], coco.visibility)
    assert (fields["visibility"][0, 17:] == -1).all(), "a mean of two joints has no class of its own"
    assert np.isnan(fields["stature_mm"]).all() and not fields["has_full"].any() and not present[20]


def test_an_encoder_runs_on_its_share_whatever_the_shard() -> None:
    samples = [noisy_person(i) for i in range(2000)]
    chosen = np.array([runs_on("lite", s, 0.25) for s in samples])
    assert chosen.mean() == pytest.approx(0.25, abs=0.03)
    assert not any(runs_on("lite", s, 0.0) for s in samples) and all(runs_on("lite", s, 1.0) for s in samples)
    both = chosen & [runs_on("full", s, 0.25) for s in samples]
    assert both.mean() == pytest.approx(0.0625, abs=0.02), "encoders choose independently"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_extraction_continues_follows_its_shards_and_passes_damage(tmp_path: Path, caplog) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    shards = tmp_path / "shards"
    shards.mkdir()
    for k in range(3):
        write_shard(shards / f"shard-{k:06d}.tar", [noisy_person(10 * k + i) for i in range(4)])
    plan = FeaturePlan(shards, tmp_path / "one", tmp_path, {"full": 0.5}, workers=1)
    assert sum(extract_features(plan)) == 12
    made = {path: path.stat().st_mtime_ns for path in plan.out.glob("shard_*.npz")}
    assert sorted(path.name for path in made) == [f"shard_{k:06d}.npz" for k in range(3)]
    write_shard(shards / "shard-000001.tar", [noisy_person(90)])
    assert sum(extract_features(plan)) == 1, "only the shard that changed"
    assert [p.name for p, t in made.items() if p.stat().st_mtime_ns != t] == ["shard_000001.npz"]
    two = replace(plan, out=tmp_path / "two", workers=2)
    assert sum(extract_features(two)) == 9
    for path in made:
        assert path.read_bytes() == (two.out / path.name).read_bytes()
    with pytest.raises(OutputError, match="holds features of other encoders or shares"):
        list(extract_features(replace(plan, shares={"full": 1.0})))
    (shards / "shard-000002.tar").write_bytes((shards / "shard-000002.tar").read_bytes()[:3000])
    list(extract_features(plan))
    assert "skipped damaged shard" in caplog.text and "shard-000002.tar" in caplog.text
    for k in (0, 1):
        (shards / f"shard-{k:06d}.tar").write_bytes(b"x")
    with pytest.raises(DataError, match="every shard is damaged"):
        list(extract_features(plan))
