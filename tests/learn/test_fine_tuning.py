"""Training end to end with the first half of Θ frozen and labelled photos in every batch."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sigmapose.data.shard_reader import ShardLibrary
from sigmapose.errors import InputError
from sigmapose.learn.data.picture_look import OFTEN, PictureAugmentation
from sigmapose.learn.data.samples import FLIP
from sigmapose.learn.networks.blazepose import PoseEncoder
from sigmapose.learn.networks.phi import DepthUncertaintyHead, PhiConfig
from sigmapose.learn.stages.fine_tuning import as_files_hold, snapshot
from sigmapose.learn.training.encoder_losses import JOINT_OF, LANDMARK_OF, landmark_loss
from sigmapose.learn.training.end_to_end import (
    FineTuning,
    PoseSystem,
    SystemBatch,
    fixed_parts,
    said_before,
    system_loss,
)
from sigmapose.learn.training.picture_batches import PictureBatch, PictureSet, StepSampler
from tiny_system import (
    StoppingSource,
    bare_source,
    labelled_people,
    tiny_recipe,
    tiny_system,
    train_system,
    write_people,
)

AS_THEY_ARE = PictureAugmentation(0, 0, 0, 0, 0, 0, 0)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "shards")


def picture_set(shards: Path, look: PictureAugmentation | None) -> PictureSet:
    library = ShardLibrary(shards, "train")
    return PictureSet(library, encoders=["lite"], seed=1, augmentation=look, real=labelled_people(shards))


def half_real(shards: Path, count: int = 4) -> PictureBatch:
    return picture_set(shards, None)[next(iter(StepSampler(count, 0, 1, real_share=0.5)))]


def blazepose(frozen: int) -> PoseSystem:
    torch.manual_seed(0)
    phi = DepthUncertaintyHead(PhiConfig(width=32, blocks=1))
    return PoseSystem({"lite": PoseEncoder("lite")}, phi, frozen=frozen)


def test_frozen_stages_get_no_gradient_and_the_others_do(shards: Path) -> None:
    system = blazepose(3)
    original = copy.deepcopy(system.encoders).eval().requires_grad_(False)
    loss, _ = system_loss(tiny_recipe(), FineTuning(), original, system, SystemBatch(half_real(shards), None))
    loss.backward()
    backbone = system.encoders["lite"].network.backbone
    still = [backbone.stem, backbone.stem_filter, backbone.stem_project, *backbone.stages[:3]]
    assert all(p.grad is None for part in still for p in part.parameters())
    for part in (backbone.stages[3], backbone.stages[4], system.encoders["lite"].network.decoder):
        assert all(p.grad is not None and p.grad.any() for p in part.parameters())


@pytest.mark.slow
def test_training_changes_only_what_is_not_frozen(shards: Path) -> None:
    before = tiny_system().encoders["lite"]
    real = labelled_people(shards)
    after = train_system(shards.parent, 3, bare_source(), real, frozen=1).encoders["lite"]
    for name in ("fine", "middle"):
        for a, b in zip(getattr(before, name).parameters(), getattr(after, name).parameters(), strict=True):
            assert torch.equal(a, b), name
    assert not torch.equal(before.coarse.weight, after.coarse.weight)


@pytest.mark.parametrize("frozen", [1, 3, 5])
def test_the_anchor_from_shared_features_is_that_of_the_whole_original(shards: Path, frozen: int) -> None:
    system = blazepose(frozen)
    original = copy.deepcopy(system.encoders).eval().requires_grad_(False)
    with torch.no_grad():
        for parameter in system.encoders.parameters():
            if parameter.requires_grad:
                parameter.mul_(1.1)
    pictures = half_real(shards)
    _, begun = system.see(pictures)
    shared = said_before(original, pictures, begun)
    whole = original["lite"](pictures.crops.float() / 255)
    moved, _ = system.see(pictures)
    for name, a, b in zip(whole._fields, shared, whole, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)
    assert float((moved.landmarks - whole.landmarks).detach().abs().max()) > 1e-5


@pytest.mark.parametrize("frozen", [0, 3])
def test_what_loaders_compute_beforehand_is_what_torch_does(
    shards: Path, tmp_path: Path, frozen: int
) -> None:
    system = blazepose(frozen)
    original = copy.deepcopy(system.encoders).eval()
    pictures = half_real(shards)
    fixed = fixed_parts(system, tmp_path)["lite"](pictures.crops.numpy())
    with torch.no_grad():
        seen, begun = system.see(pictures)
        again, _ = system.see(replace(pictures, fixed=fixed))
        before = said_before(original, pictures, begun)
    for stage, ours in zip(fixed.begun[1:], (begun or [])[1:], strict=True):
        torch.testing.assert_close(stage, ours, rtol=1e-4, atol=1e-5)
    for name, a, b, c, d in zip(before._fields, seen, again, before, fixed.original, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)
        torch.testing.assert_close(c, d, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 4), (0.75, 6), (1.0, 8), (0.3, 2), (0.0, 0)])
def test_every_batch_holds_the_wanted_share_of_photos(shards: Path, share: float, wanted: int) -> None:
    pictures = picture_set(shards, OFTEN)
    for draw in StepSampler(8, 3, 6, real_share=share):
        assert int((~pictures[draw].truth.annotated).sum()) == wanted
    parts = [next(iter(StepSampler(8, 3, 4, (k, 2), real_share=share))) for k in (0, 1)]
    together = {place for part in parts for place in part.places}
    assert together == set(next(iter(StepSampler(8, 3, 4, real_share=share))).places)


def test_passes_show_every_photo_and_every_render_once(shards: Path) -> None:
    pictures = picture_set(shards, None)
    places = [place for draw in StepSampler(8, 0, 6, real_share=0.5) for place in draw.places]
    photos = [pictures._sample(place)[1].id for place in places if place.real]
    renders = [pictures._sample(place)[1].id for place in places if not place.real]
    assert len(photos) == len(set(photos)) == len(labelled_people(shards)) == 24
    assert len(renders) == len(set(renders)) == 24


def test_a_batch_says_of_photos_what_the_teacher_says_also_in_a_mirror(shards: Path) -> None:
    draw = next(iter(StepSampler(6, 0, 1, real_share=1.0)))
    plain = picture_set(shards, AS_THEY_ARE)[draw]
    turned = picture_set(shards, replace(AS_THEY_ARE, mirrored=1.0))[draw]
    real = labelled_people(shards)
    rows = [picture_set(shards, None)._sample(place)[0] for place in draw.places]
    assert real.said.teacher_cov is not None
    np.testing.assert_allclose(plain.truth.teacher_cov, real.said.teacher_cov[rows])
    views, size = real.said.views.take(np.array(rows)), real.said.size_px[rows]
    depth = views.depth_mm / (views.root_depth_mm * size / views.focal_px)[:, None]
    np.testing.assert_allclose(plain.truth.relative[..., 2], depth, atol=1e-5)
    off = (plain.landmarks - picture_landmarks(shards, draw)) * torch.from_numpy(size)[:, None, None]
    np.testing.assert_allclose(off.norm(dim=-1), np.hypot(3, 2), rtol=1e-3)
    flip, sign = torch.from_numpy(FLIP), torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(turned.landmarks[:, flip] * sign[:2], plain.landmarks, atol=1e-5, rtol=0)
    torch.testing.assert_close(turned.truth.relative[:, flip] * sign, plain.truth.relative, atol=1e-5, rtol=0)
    mirrored = turned.truth.teacher_cov[:, flip] * sign * sign[:, None]
    torch.testing.assert_close(mirrored, plain.truth.teacher_cov)
    assert (plain.truth.context[:, 8:] == turned.truth.context[:, 8:]).all()


def picture_landmarks(shards: Path, draw: object) -> torch.Tensor:
    """The true joints of the same people in their crops."""
    pictures = picture_set(shards, None)
    assert pictures.real is not None
    pictures.real = replace(pictures.real, landmarks_px=pictures.real.said.views.points_px)
    return pictures[draw].landmarks  # type: ignore[index]


def test_a_landmark_counts_less_the_less_sure_the_teacher_is(shards: Path) -> None:
    batch = picture_set(shards, None)[next(iter(StepSampler(4, 0, 1, real_share=1.0)))]
    with torch.no_grad():
        seen, _ = tiny_system().see(batch)
    joint, costs = JOINT_OF[3], []
    for sigma in (0.0, 0.1):
        cov = torch.zeros_like(batch.truth.teacher_cov)
        cov[:, joint] = sigma**2 * torch.eye(3)
        told = replace(batch, truth=replace(batch.truth, teacher_cov=cov))
        off = seen.landmarks.clone()
        off[:, LANDMARK_OF, :2] = batch.landmarks[:, JOINT_OF]
        right = landmark_loss(seen._replace(landmarks=off), told)
        off[:, LANDMARK_OF[3], 0] += 0.1
        costs.append(float(landmark_loss(seen._replace(landmarks=off), told) - right))
    assert 0 < costs[1] < 0.5 * costs[0]


@pytest.mark.slow
def test_a_stopped_run_with_photos_and_frozen_stages_ends_as_one_that_was_not(tmp_path: Path) -> None:
    for name in ("whole", "halves"):
        write_people(tmp_path / name / "shards", shards=1)
    settings = {"frozen": 1, "validate_every": 3}
    real = [labelled_people(tmp_path / name / "shards") for name in ("whole", "halves")]
    whole = train_system(tmp_path / "whole", 6, bare_source(), real[0], **settings)
    source = StoppingSource.of(bare_source(), 5)
    with pytest.raises(KeyboardInterrupt):
        train_system(tmp_path / "halves", 6, source, real[1], **settings)
    halves = train_system(tmp_path / "halves", 6, source, real[1], **settings)
    for (name, ours), theirs in zip(whole.named_parameters(), halves.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name, rtol=0, atol=1e-7)
    with pytest.raises(InputError, match="other parts were trained"):
        train_system(tmp_path / "halves", 8, bare_source(), real[1], frozen=0)


def test_averaging_goes_from_the_original_to_the_trained_encoder() -> None:
    system, original = blazepose(0), PoseEncoder("lite")
    trained = [p.detach().clone() for p in system.encoders["lite"].parameters()]
    for average in (0.0, 0.25, 1.0):
        tuned = as_files_hold(copy.deepcopy(system), {"lite": original}, average).encoders["lite"]
        for now, one, other in zip(tuned.parameters(), trained, original.parameters(), strict=True):
            torch.testing.assert_close(now, average * one + (1 - average) * other, rtol=1e-3, atol=1e-5)


def test_a_snapshot_needs_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no checkpoint yet: train first"):
        snapshot(tmp_path / "checkpoint.pt", DepthUncertaintyHead(PhiConfig()), {}, 1.0)


def test_encoders_that_cannot_be_split_are_not_frozen() -> None:
    with pytest.raises(InputError, match="Linear cannot be frozen in part: give frozen=0"):
        PoseSystem({"lite": torch.nn.Linear(2, 2)}, DepthUncertaintyHead(PhiConfig()), frozen=2)
