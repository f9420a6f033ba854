"""Θ and Φ as one system: what batches hold, where gradients go, that it learns and resumes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sigmapose.data.shard_reader import ShardLibrary, read_shards
from sigmapose.data.shards import write_shard
from sigmapose.data.splits import Split
from sigmapose.errors import DataError
from sigmapose.learn.convert.convert_blazepose import export_encoder
from sigmapose.learn.data.picture_look import PictureAugmentation
from sigmapose.learn.networks.blazepose import PoseEncoder, heatmap_statistics, moment_basis
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.stages.fine_tuning import fine_tune, tuned_features
from sigmapose.learn.training.encoder_losses import JOINT_OF, LANDMARK_OF, landmark_loss, steering_loss
from sigmapose.learn.training.end_to_end import (
    FineTuning,
    PoseSystem,
    SystemBatch,
    system_loss,
)
from sigmapose.learn.training.objective import objective
from sigmapose.learn.training.picture_batches import PictureSet, StepSampler
from sigmapose.skeleton import BODY_26, VISIBILITY
from tiny_system import (
    COLOURS,
    StoppingSource,
    bare_source,
    dotted_person,
    tiny_recipe,
    tiny_system,
    train_phi,
    train_system,
    write_people,
)

NOTHING = PictureAugmentation(clean=0, mirrored=0, colour=0, blurred=0, dark=0, coarse=0, cut=0)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "shards")


def picture_set(shards: Path, augmentation: PictureAugmentation | None) -> PictureSet:
    return PictureSet(ShardLibrary(shards, "train"), encoders=["lite"], seed=1, augmentation=augmentation)


@pytest.mark.parametrize("mirrored", [0.0, 1.0])
def test_landmarks_lie_on_the_joints_of_the_picture_also_in_a_mirror(shards: Path, mirrored: float) -> None:
    pictures = picture_set(shards, replace(NOTHING, clean=1.0, mirrored=mirrored))
    batch = pictures[next(iter(StepSampler(24, 0, 1)))]
    names = np.array(BODY_26.flip) if mirrored else np.arange(26)
    where = np.clip(np.rint((batch.landmarks.numpy() + 0.5) * 256 - 0.5).astype(int), 0, 255)
    seen = batch.crops.numpy()[np.arange(24)[:, None], where[..., 1], where[..., 0]].astype(float)
    inside = (batch.landmarks.abs() < 0.49).all(-1).numpy()
    assert np.median(np.abs(seen - COLOURS[names])[inside]) < 12
    upright = batch.truth.points.numpy()
    cos, sin = batch.truth.rotation.numpy().T[..., None]
    x, y = batch.landmarks.numpy().transpose(2, 0, 1)
    np.testing.assert_allclose(upright, np.stack((cos * x - sin * y, sin * x + cos * y), -1), atol=1e-5)


def test_batches_are_the_same_for_any_number_of_processes_and_cover_every_sample(shards: Path) -> None:
    pictures = picture_set(shards, PictureAugmentation())
    whole = [pictures[draw] for draw in StepSampler(8, 0, 6)]
    for rank in (0, 1, 2):
        part = [pictures[draw] for draw in StepSampler(8, 4, 6, (rank, 3))]
        for ours, all_of_it in zip(part, whole[4:], strict=True):
            assert torch.equal(ours.crops, all_of_it.crops[rank::3])
            assert torch.equal(ours.truth.context, all_of_it.truth.context[rank::3])
    plain = picture_set(shards, NOTHING)
    one_pass = torch.cat([plain[draw].truth.relative for draw in StepSampler(8, 0, 6)])
    assert len(torch.unique(one_pass[:, 5], dim=0)) == 48 == len(plain.library)


def test_pictures_without_3d_truth_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "a.tar", [replace(dotted_person(k), joints_mm=None) for k in range(4)])
    with pytest.raises(DataError, match="none of 4 pictures has 3D joints, a stature and a camera"):
        picture_set(tmp_path, None)[next(iter(StepSampler(4, 0, 1)))]


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("sigma", [(0.02, 0.03, 0.0), (0.05, 0.04, 0.6)])
def test_soft_argmax_finds_mean_and_covariance_between_cells(
    shift: float, sigma: tuple[float, float, float]
) -> None:
    sx, sy, correlation = sigma
    cov = np.array([[sx * sx, correlation * sx * sy], [correlation * sx * sy, sy * sy]])
    mean = np.array([5 + shift, -9 - shift]) / 64
    axis = np.arange(64) / 64 - 0.5
    away = np.stack(np.meshgrid(axis, axis), -1) - mean
    blob = 0.9 * np.exp(-0.5 * np.einsum("ijk,kl,ijl->ij", away, np.linalg.inv(cov), away))
    logits = torch.from_numpy(np.log(blob + 1e-9) - np.log1p(-blob)).float().requires_grad_()
    spread, heat = heatmap_statistics(logits[None, None], moment_basis(64))
    np.testing.assert_allclose(heat[0, 0, :2].detach(), mean, atol=1e-4)
    floor = (0.25 / 64) ** 2
    expected = (cov[0, 0] + floor, cov[0, 1], cov[1, 1] + floor)
    np.testing.assert_allclose(spread[0, 0].detach(), expected, rtol=0.01, atol=2e-6)
    (gradient,) = torch.autograd.grad(heat[0, 0, 0], logits)
    right, left = gradient[:, 45:].sum(), gradient[:, :30].sum()
    assert right > 0 > left, "more heat on the right moves the mean to the right"


def test_the_loss_of_phi_reaches_the_first_filter_of_blazepose(shards: Path) -> None:
    torch.manual_seed(0)
    encoder = PoseEncoder("lite")
    system = PoseSystem({"lite": encoder}, DepthUncertaintyHead(PhiConfig(width=32, blocks=1)))
    pictures = picture_set(shards, None)[next(iter(StepSampler(2, 0, 1)))]
    answer, _, told, _ = system(SystemBatch(pictures, bare_source().draw(np.random.default_rng(0), 3)))
    assert len(answer.points) == len(told.tokens) == 5
    objective(tiny_recipe(), answer, told)[0].backward()
    stem = encoder.network.backbone.stem.weight.grad
    assert stem is not None and torch.isfinite(stem).all() and float(stem.abs().max()) > 0


@pytest.mark.slow
def test_sixteen_people_are_learned_by_heart(shards: Path) -> None:
    system, recipe, tuning = tiny_system(), tiny_recipe(), FineTuning(anchor_weight=0.0)
    batch = SystemBatch(picture_set(shards, None)[next(iter(StepSampler(16, 0, 1)))], None)
    optimiser = torch.optim.Adam(system.parameters(), lr=3e-3)
    history = []
    for _ in range(50):
        loss, parts = system_loss(recipe, tuning, system.encoders, system, batch)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(system.parameters(), 1.0)
        optimiser.step()
        history.append(parts)
    for part, share in {"loss": 0.6, "pose": 0.5, "points": 0.6, "landmark": 0.85}.items():
        assert history[-1][part] < share * history[0][part], part


def test_landmarks_pay_for_their_distance_and_nothing_when_right(shards: Path) -> None:
    batch = picture_set(shards, None)[next(iter(StepSampler(4, 0, 1)))]
    with torch.no_grad():
        seen, _ = tiny_system().see(batch)
    right, off = seen.landmarks.clone(), seen.landmarks.clone()
    right[:, LANDMARK_OF, :2] = batch.landmarks[:, JOINT_OF]
    off[:, LANDMARK_OF, :2] = batch.landmarks[:, JOINT_OF] + torch.tensor([0.03, 0.04])
    costs = [float(landmark_loss(seen._replace(landmarks=marks), batch)) for marks in (right, off)]
    assert costs[1] - costs[0] == pytest.approx(0.5, abs=1e-3), "0.05 crop widths in units of 0.1"


def test_what_steers_the_next_crop_pays_for_moving_and_the_other_landmarks_do_not(shards: Path) -> None:
    batch = picture_set(shards, None)[next(iter(StepSampler(4, 0, 1)))]
    with torch.no_grad():
        seen, _ = tiny_system().see(batch)
    moved, others = seen.landmarks.clone(), seen.landmarks.clone()
    moved[:, 33, :2] += torch.tensor([0.03, 0.04])
    others[:, :33] += 0.1
    said = [seen, seen._replace(landmarks=moved), seen._replace(landmarks=others)]
    assert [float(steering_loss(now, seen)) for now in said] == pytest.approx([0, 0.25, 0], abs=1e-3)
    peaks = seen.heat + torch.tensor([0.5, 0.5, 0.1])
    assert float(steering_loss(seen._replace(heat=peaks), seen)) == pytest.approx(0.1, abs=1e-3)


def test_a_flag_that_is_wrongly_sure_is_pulled_back(shards: Path) -> None:
    batch = picture_set(shards, None)[next(iter(StepSampler(4, 0, 1)))]
    with torch.no_grad():
        seen, _ = tiny_system().see(batch)
    before = seen._replace(flag=torch.full((4,), 0.6))
    logit = torch.full((4,), 9.0, requires_grad=True)
    steering_loss(seen._replace(flag=torch.sigmoid(logit)), before).backward()
    assert logit.grad is not None
    torch.testing.assert_close(logit.grad, torch.full((4,), 0.1), atol=2e-3, rtol=0)


def test_joints_beyond_the_border_of_a_cut_picture_are_truncated_and_black(shards: Path) -> None:
    always = replace(NOTHING, cut=1)
    whole, cut = (picture_set(shards, a)[next(iter(StepSampler(24, 0, 1)))] for a in (NOTHING, always))
    truncated = (cut.truth.visibility == VISIBILITY.index("truncated")).numpy()
    inside = (cut.landmarks.abs() < 0.49).all(-1).numpy()
    where = np.clip(np.rint((cut.landmarks.numpy() + 0.5) * 256 - 0.5).astype(int), 0, 255)
    rows = np.arange(24)[:, None]
    seen, before = (b.crops.numpy()[rows, where[..., 1], where[..., 0]].astype(int) for b in (cut, whole))
    assert (seen[truncated & inside] == 0).all()
    assert (seen == before)[~truncated].all()
    assert 0.1 < truncated.mean() < 0.9
    assert torch.equal(whole.landmarks, cut.landmarks)


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    for name in ("whole", "halves"):
        write_people(tmp_path / name / "shards", shards=1)
    whole = train_system(tmp_path / "whole", 6, bare_source(), validate_every=3)
    source = StoppingSource.of(bare_source(), 5)
    with pytest.raises(KeyboardInterrupt):
        train_system(tmp_path / "halves", 6, source, validate_every=3)
    halves = train_system(tmp_path / "halves", 6, source, validate_every=3)
    for (name, ours), theirs in zip(whole.named_parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name, rtol=0, atol=1e-7)
    logs = [(tmp_path / name / "run" / "log.csv").read_text() for name in ("whole", "halves")]
    assert logs[0] == logs[1]


def test_phi_alone_resumes_with_the_same_dropout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sigmapose.learn.training.loop.VALIDATE_EVERY", 3)
    whole, source = train_phi(tmp_path / "whole", 6), StoppingSource.of(bare_source(), 5)
    with pytest.raises(KeyboardInterrupt):
        train_phi(tmp_path / "halves", 6, source)
    halves = train_phi(tmp_path / "halves", 6, source)
    for (name, ours), theirs in zip(whole.named_parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name, rtol=0, atol=1e-7)


@pytest.mark.slow
def test_the_stage_trains_one_size_and_computes_its_features_anew(tmp_path: Path) -> None:
    pictures = write_people(tmp_path / "pictures", shards=1, size=4)
    for split in (Split.CALIBRATION, Split.TEST):
        (pictures / split).mkdir()
        write_shard(pictures / split / "shard-000000.tar", [dotted_person(k, split) for k in range(3)])
    torch.manual_seed(0)
    encoder, phi = PoseEncoder("lite"), DepthUncertaintyHead(tiny_recipe().phi)
    before, untouched = tmp_path / "encoders", encoder.network.backbone.stem.weight.detach().clone()
    before.mkdir()
    export_encoder(encoder, before / "encoder_lite.onnx")
    tuning = FineTuning(pictures=2, steps=2, warmup=1, workers=1, frozen=0)
    out = tmp_path / "end-to-end"
    tuned = fine_tune(tiny_recipe(), tuning, phi, {"lite": encoder}, bare_source(), pictures, out)
    moved = (tuned.encoders["lite"].network.backbone.stem.weight - untouched).abs().max()
    assert 0 < float(moved) < 1e-3
    assert sum(tuned_features(tuned, before, pictures, out, {"lite": 1.0}, 1)) == 4 + 3 + 3
    sample = next(read_shards(pictures / "calibration"))
    with np.load(out / "features" / "picture" / "calibration" / "shard_000000.npz") as stored:
        seen = tuned.encoders["lite"](torch.from_numpy(sample.read_picture()[None] / 255).float())
        np.testing.assert_allclose(stored["landmarks_lite"][0], seen.landmarks[0].numpy(), atol=1e-4)
