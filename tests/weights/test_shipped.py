"""The shipped networks: golden tensors, and the same answers as the torch modules they were exported from."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

import sigmapose
from golden import answers, lift_inputs
from sigmapose.calibrator import CAMERA_KNOWN, Calibrator
from sigmapose.estimate.network import LiftNetwork
from sigmapose.kinematics import DEFINITIONS
from sigmapose.learn.convert.onnx_load import encoder_in, load_phi
from sigmapose.learn.networks.tokens import keypoint_tokens
from sigmapose.quantities import kind_of
from walking_person import walking_pose

WEIGHTS = Path(str(resources.files("sigmapose") / "weights"))
MM_PER_CROP = 2600.0  # a standing adult at 3 m fills half of the crop
LARGEST_MM = 0.5
"""Between torch and ONNX Runtime, which sum in orders of their own: 0.03 to 0.2 mm, by processor."""


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "golden.npz") as stored:
        return dict(stored)


def test_networks_say_what_they_said_when_they_were_made(golden: dict[str, np.ndarray]) -> None:
    now = answers(golden["crop"])
    assert set(now) == set(golden) - {"crop"}
    for name, value in now.items():
        np.testing.assert_allclose(value, golden[name], atol=2e-4, rtol=2e-3, err_msg=name)


def test_keypoint_network_equals_its_torch_module() -> None:
    phi = load_phi(WEIGHTS / "lift.onnx")
    points, scores, present, context = lift_inputs()
    with torch.no_grad():
        tokens = keypoint_tokens(
            torch.tensor(points).float(), torch.tensor(scores).float(), torch.tensor(present)
        )
        want = phi(tokens, torch.tensor(context))
    got = LiftNetwork(threads=1)(points, scores, present, context)
    assert np.abs(got.relative - want.relative.numpy()).max() * MM_PER_CROP < LARGEST_MM
    sigma_got = np.sqrt(np.trace(got.relative_cov, axis1=-2, axis2=-1))
    sigma_want = torch.linalg.matrix_norm(want.relative_tril).numpy()
    assert np.abs(sigma_got - sigma_want).max() * MM_PER_CROP < LARGEST_MM


def test_image_network_equals_its_torch_modules(golden: dict[str, np.ndarray]) -> None:
    from golden import image_inputs
    from sigmapose.estimate.network import ImageNetwork
    from sigmapose.learn.convert.onnx_export import ImageModel

    inputs = image_inputs(golden["crop"])
    for variant in ("lite", "full", "heavy"):
        file = WEIGHTS / f"{variant}.onnx"
        encoder, phi = encoder_in(file, variant), load_phi(file)
        with torch.no_grad():
            want = ImageModel(encoder, phi).eval()(
                *(torch.from_numpy(np.ascontiguousarray(x)) for x in inputs)
            )
        got, landmarks = ImageNetwork(variant, threads=1)(*inputs)
        assert np.abs(got.relative - want[2].numpy()).max() * MM_PER_CROP < LARGEST_MM
        assert np.abs(landmarks.landmarks - want[-4].numpy())[..., :2].max() * 256 < 0.01


def test_the_shipped_calibrator_has_a_law_of_every_angle_with_a_camera_and_without() -> None:
    calibrator = Calibrator.load(WEIGHTS / "calibrator.json")
    angles = {kind_of(name) for name, definition in DEFINITIONS.items() if definition.unit == "deg"}
    for source in ("heavy", "full", "lite", "none"):
        for name in (source, source + CAMERA_KNOWN):
            laws = calibrator.radii[name].quantity_laws
            assert set(laws) == angles
            assert all(fitted.frames >= 500 for fitted in laws.values())


def test_laws_make_an_elbow_in_plain_view_narrower_than_its_draws() -> None:
    pose = sigmapose.lift_batch(walking_pose().points_px[None], skeleton="body_26")[0]
    assert pose.quantities is not None
    without = replace(pose, quantities=None)
    for name in ("left_elbow_flexion", "left_ankle_dorsiflexion", "left_hip_abduction"):
        told, drawn = pose.interval(name), without.interval(name)
        assert told.low <= told.mean <= told.high
        assert told.high - told.low < drawn.high - drawn.low, name


@pytest.mark.slow
def test_the_shipped_files_fit_into_the_wheel() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in WEIGHTS.iterdir():
            wheel.write(file)
    size = len(packed.getvalue()) / 1e6
    assert size < 88, f"weights take {size:.1f} MB of the wheel, which must stay under 90 MB"


def test_the_calibrator_knows_every_source() -> None:
    calibrator = Calibrator.load(WEIGHTS / "calibrator.json")
    for source in ("none", "lite", "full", "heavy"):
        scales = calibrator.scales_for(source)
        assert scales.relative.shape == (26, 4) and (scales.relative > 0).all()
        assert (scales.constant_sigma_mm >= 0).all()
