"""Θ and the detector are the originals: PyTorch, ONNX and float16 storage give the interpreter's answers."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch

from sigmapose.errors import DataError, ModelError
from sigmapose.learn.convert.convert_blazepose import (
    DETECTOR_FILE,
    export_detector,
    export_encoder,
    find_models,
    landmark_file,
    load_detector,
    load_encoder,
)
from sigmapose.learn.convert.onnx_store import store_float16
from sigmapose.learn.convert.tflite import read_tflite
from sigmapose.learn.networks.blazepose import (
    BlazePoseLandmarks,
    EncoderOutput,
    heatmap_statistics,
    moment_basis,
)
from sigmapose.learn.networks.blazepose_detector import DetectorOutput

# The TorchScript exporter warns that it is the older one; its graphs are the ones ONNX Runtime fuses best.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning", "ignore:Constant folding:UserWarning"
)


@pytest.mark.parametrize("variant", ["lite", "full", "heavy"])
def test_landmarks_equal_the_original_interpreter(variant, originals, crops, interpret):
    landmarks, flag, _, heatmaps, world = interpret(originals[landmark_file(variant)], crops)
    with torch.no_grad():
        ours = load_encoder(originals[landmark_file(variant)], variant).network(torch.from_numpy(crops))
    assert flag[0] > 0.9  # a real person is in the crop, so the comparison is not of noise
    assert np.abs(ours.landmarks.numpy() - landmarks.reshape(-1, 39, 5)).max() < 0.01
    assert np.abs(ours.world.numpy() - world.reshape(-1, 39, 3)).max() < 1e-4
    assert np.abs(ours.heatmaps.numpy() - heatmaps.transpose(0, 3, 1, 2)).max() < 0.01
    assert np.abs(ours.flag.numpy() - flag.ravel()).max() < 1e-3


def test_detector_equals_the_original_interpreter(originals, crops, interpret):
    pictures = np.ascontiguousarray(crops[:, 16:240, 16:240] * 2 - 1)
    boxes, scores = interpret(originals[DETECTOR_FILE], pictures)
    with torch.no_grad():
        our_boxes, our_scores = load_detector(originals[DETECTOR_FILE]).raw(torch.from_numpy(pictures))
    assert np.abs(our_boxes.numpy() - boxes).max() < 0.01
    assert np.abs(our_scores.numpy() - scores).max() < 0.01


def test_encoder_onnx_equals_torch_for_any_batch_and_float16_storage_changes_nothing(
    originals, crops, tmp_path
):
    encoder = load_encoder(originals[landmark_file("lite")], "lite")
    whole, half = tmp_path / "whole.onnx", tmp_path / "half.onnx"
    export_encoder(encoder, whole)
    store_float16(whole, half)
    with torch.no_grad():
        expected = encoder(torch.from_numpy(crops))
    sessions = [ort.InferenceSession(str(p), providers=["CPUExecutionProvider"]) for p in (whole, half)]
    for count in (1, 4):
        answers = [s.run(list(EncoderOutput._fields), {"crops": crops[:count]}) for s in sessions]
        for name, ours, stored, value in zip(EncoderOutput._fields, *answers, expected, strict=True):
            np.testing.assert_allclose(ours, value[:count].numpy(), atol=1e-4, rtol=1e-4, err_msg=name)
            np.testing.assert_array_equal(stored, ours, err_msg=name)
    assert half.stat().st_size < 0.55 * whole.stat().st_size


def test_detector_onnx_equals_torch(originals, crops, tmp_path):
    detector = load_detector(originals[DETECTOR_FILE])
    pictures = np.ascontiguousarray(crops[:, 16:240, 16:240] * 2 - 1)
    export_detector(detector, tmp_path / "detector.onnx")
    session = ort.InferenceSession(str(tmp_path / "detector.onnx"), providers=["CPUExecutionProvider"])
    answers = session.run(list(DetectorOutput._fields), {"images": pictures})
    with torch.no_grad():
        for ours, value in zip(answers, detector(torch.from_numpy(pictures)), strict=True):
            np.testing.assert_allclose(ours, value.numpy(), atol=1e-4)


def test_heatmap_statistics_recover_a_gaussian_blob():
    covariance = np.array([[0.0016, 0.0004], [0.0004, 0.0009]])
    axis = np.arange(64) / 64 - 0.5
    offsets = np.stack(np.meshgrid(axis, axis), -1) - (0.09375, -0.046875)
    blob = 0.8 * np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", offsets, np.linalg.inv(covariance), offsets))
    logits = torch.from_numpy(np.log(blob + 1e-9) - np.log1p(-blob)).float()
    spread, heat = heatmap_statistics(logits.expand(1, 39, 64, 64), moment_basis(64))
    np.testing.assert_allclose(heat[0, 0].numpy(), (0.09375, -0.046875, 0.8), atol=0.005)
    np.testing.assert_allclose(spread[0, 0].numpy(), (0.0016, 0.0004, 0.0009), rtol=0.03)


def test_landmarks_are_symmetric_about_the_crop_centre(originals, crops):
    """Pixel i is the point (i + 0.5) / 256 - 0.5: mirrored crops give mirrored landmarks on average."""
    encoder = load_encoder(originals[landmark_file("full")], "full")
    with torch.no_grad():
        one = encoder(torch.from_numpy(crops[:1])).landmarks[0, :33, 0]
        other = encoder(torch.from_numpy(np.ascontiguousarray(crops[:1, :, ::-1]))).landmarks[0, :33, 0]
    swapped = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(j + 1 if j % 2 else j - 1 for j in range(11, 33))]
    assert abs(float((one + other[swapped]).median())) * 256 < 1.5


def test_a_file_that_is_no_tflite_model_is_named(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"hello, this is text")
    with pytest.raises(ModelError, match=r"not a TFLite model: .*x\.tflite"):
        read_tflite(path)


def test_weights_of_another_network_are_refused(originals):
    with pytest.raises(ModelError, match="convolutions"):
        load_encoder(originals[landmark_file("heavy")], "lite")
    with pytest.raises(ModelError, match="no BlazePose variant 'huge'"):
        BlazePoseLandmarks("huge")  # pyright: ignore[reportArgumentType]


def test_a_changed_model_file_is_refused(originals, tmp_path):
    for name, data in originals.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / DETECTOR_FILE).write_bytes(originals[DETECTOR_FILE] + b"\0")
    with pytest.raises(DataError, match=r"pose_detection\.tflite has SHA-256"):
        find_models([tmp_path])
    with pytest.raises(DataError, match="package not found"):
        find_models([tmp_path / "nowhere"])
    with pytest.raises(DataError, match=r"pose_landmark_lite\.tflite is not in"):
        find_models([tmp_path / DETECTOR_FILE])
