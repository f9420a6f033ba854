from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sigmapose.data.features import (
    OUTPUTS,
    SPLIT_SHARES,
    EncoderBank,
    FeatureBuild,
    build_features,
    choose_bodies,
    pack_pictures,
    unpack_pictures,
)
from sigmapose.data.render.degrade import degrade
from sigmapose.data.render.occluders import PictureFolder, backdrop, procedural_texture
from sigmapose.errors import DataError


def test_samples_are_shared_out_over_the_splits() -> None:
    splits = np.array(["train"] * 50 + ["val"] * 200 + ["calibration"] * 10 + ["test"] * 40)
    rows = choose_bodies(splits, seed=0, start=0, count=4000)
    for name, share in SPLIT_SHARES.items():
        assert (splits[rows] == name).mean() == pytest.approx(share, abs=0.02)
    counts = np.bincount(rows, minlength=300)[:50]
    assert counts.min() > 0.5 * counts.mean(), "bodies of a split are equally likely"


def test_a_sample_does_not_depend_on_its_shard() -> None:
    splits = np.array(["train", "val"] * 50)
    whole = choose_bodies(splits, seed=7, start=0, count=60)
    assert np.array_equal(whole[40:], choose_bodies(splits, seed=7, start=40, count=20))
    assert not np.array_equal(whole, choose_bodies(splits, seed=8, start=0, count=60))


def test_a_corpus_of_other_splits_is_refused() -> None:
    with pytest.raises(DataError, match="none of the splits train, val, calibration, test"):
        choose_bodies(np.array(["validation"] * 3), seed=0, start=0, count=1)


def test_pictures_survive_packing() -> None:
    rng = np.random.default_rng(0)
    pictures = np.stack([(255 * procedural_texture(rng, 256)).astype(np.uint8) for _ in range(3)])
    restored = unpack_pictures(pack_pictures(pictures))
    assert restored.shape == pictures.shape
    assert np.abs(restored.astype(int) - pictures).mean() < 3
    assert np.abs(restored[..., ::-1].astype(int) - pictures).mean() > 5, "channel order is kept"


def tiny_encoder(path: Path) -> None:
    """An encoder with the real one's interface whose every output is the mean of the crop."""
    nodes = [helper.make_node("ReduceMean", ["crops"], ["mean"], axes=[1, 2, 3], keepdims=0)]
    outputs = []
    for key, shape in OUTPUTS.items():
        sizes = [1] * len(shape)
        grown = helper.make_node("Reshape", ["mean", f"{key}_rank"], [f"{key}_thin"])
        tile = helper.make_node("Tile", [f"{key}_thin", f"{key}_shape"], [key])
        nodes += [grown, tile]
        outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, ["batch", *shape]))
        nodes.insert(0, constant(f"{key}_rank", [-1, *sizes]))
        nodes.insert(0, constant(f"{key}_shape", [1, *shape]))
    crops = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["batch", 256, 256, 3])
    graph = helper.make_graph(nodes, "mean", [crops], outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))


def constant(name: str, values: list[int]) -> onnx.NodeProto:
    tensor = helper.make_tensor(name, TensorProto.INT64, [len(values)], values)
    return helper.make_node("Constant", [], [name], value=tensor)


def test_encoders_run_where_wanted_and_leave_nan_elsewhere(tmp_path: Path) -> None:
    tiny_encoder(tmp_path / "encoder_full.onnx")
    bank = EncoderBank(tmp_path, ["full"])
    pictures = np.arange(0, 200, 10, dtype=np.uint8)[:, None, None, None] * np.ones(
        (1, 256, 256, 3), np.uint8
    )
    wanted = np.arange(20) % 5 != 0
    fields = bank.extract("full", pictures, wanted)
    assert set(fields) == {*(f"{key}_full" for key in OUTPUTS), "has_full"}
    assert fields["landmarks_full"].shape == (20, 39, 5) and fields["flag_full"].shape == (20,)
    assert np.array_equal(np.isfinite(fields["flag_full"]), wanted)
    assert np.isnan(fields["spread_full"][~wanted]).all()
    expected = np.arange(0, 200, 10)[wanted] / 255
    assert np.allclose(fields["flag_full"][wanted], expected, atol=1e-3)
    assert np.allclose(fields["world_full"][wanted], expected[:, None, None], atol=1e-3)


def test_a_missing_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no encoder at .*encoder_heavy\.onnx: convert it first"):
        EncoderBank(tmp_path, ["heavy"])


def test_a_folder_of_another_build_is_refused(tmp_path: Path) -> None:
    build = FeatureBuild(tmp_path / "corpus", tmp_path / "out", tmp_path, count=0, workers=1)
    with pytest.raises(DataError):
        list(build_features(build))
    with pytest.raises(DataError, match="was built with another seed: use another folder"):
        list(build_features(replace(build, seed=1)))


def test_folders_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of pictures at"):
        PictureFolder.read(tmp_path / "missing")
    with pytest.raises(DataError, match="no pictures in"):
        PictureFolder.read(tmp_path)
    cv2.imwrite(str(tmp_path / "a.png"), np.full((40, 60, 3), (255, 0, 0), np.uint8))
    cutout = np.full((1500, 20, 4), (200, 100, 50, 128), np.uint8)
    cv2.imwrite(str(tmp_path / "b.png"), cutout)
    first, second = PictureFolder.read(tmp_path).pictures
    assert first[0, 0].tolist() == [0, 0, 255], "RGB, not BGR"
    assert max(second.shape) == 640 and second.shape[2] == 4
    assert second[5, 3].tolist() == [25, 50, 100, 128], "premultiplied"
    (tmp_path / "c.jpg").write_text("not a picture")
    with pytest.raises(DataError, match=r"cannot decode .*c\.jpg"):
        PictureFolder.read(tmp_path)


def test_scenes_and_faults_keep_their_range_and_vary() -> None:
    rng = np.random.default_rng(3)
    photo = PictureFolder((np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8),))
    scenes = [backdrop(rng, photo, 128) for _ in range(6)]
    assert all(s.shape == (128, 128, 3) and s.min() >= 0 and s.max() <= 1 for s in scenes)
    assert np.std([s.mean() for s in scenes]) > 0.01
    blurred = degrade(np.random.default_rng(1), scenes[0], native_px=30.0)
    sharp = degrade(np.random.default_rng(1), scenes[0], native_px=400.0)
    assert blurred.dtype == np.uint8 and blurred.shape == (128, 128, 3)
    edges = [np.abs(np.diff(p.astype(int), axis=1)).mean() for p in (blurred, sharp)]
    assert edges[0] < edges[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_build_can_be_stopped_and_is_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    from sigmapose.data.people.bodies import build_bodies

    build_bodies(None, 8, 0, tmp_path / "corpus")
    tiny_encoder(tmp_path / "encoder_full.onnx")
    one = FeatureBuild(
        tmp_path / "corpus", tmp_path / "one", tmp_path, count=5, workers=1, shard_size=2, variants=("full",)
    )
    first = next(build_features(one))
    made = first.stat().st_mtime_ns
    paths = list(build_features(one))
    assert [p.name for p in paths] == [f"shard_{i:05d}.npz" for i in range(3)]
    assert first.stat().st_mtime_ns == made, "finished shards are kept"
    two = list(build_features(replace(one, out=tmp_path / "two", workers=2)))
    for a, b in zip(paths, two, strict=True):
        with np.load(a) as left, np.load(b) as right:
            assert set(left.files) == set(right.files)
            assert all(
                np.array_equal(left[k], right[k], equal_nan=left[k].dtype.kind == "f") for k in left.files
            )
    with np.load(paths[2]) as last:
        assert last["joints_camera_mm"].shape == (1, 26, 3)
        depth = last["joints_camera_mm"][0, :, 2:]
        fx, fy, cx, cy = last["intrinsics"][0]
        projected = last["joints_camera_mm"][0, :, :2] / depth * [fx, fy] + [cx, cy]
        assert np.allclose(projected, last["points_px"][0], atol=0.05)
    with np.load(tmp_path / "one" / "crops_00000.npz") as packed:
        assert unpack_pictures(dict(packed)).shape == (2, 256, 256, 3)
