"""Shards: what goes in comes out, of anybody's tar reader; damage is skipped and named; splits never mix."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shard_samples import noisy_person
from sigmapose.data.sample import Picture, Sample
from sigmapose.data.shard_folder import ShardFolder
from sigmapose.data.shard_reader import OPEN_SHARDS, ReadSummary, ShardLibrary, describe_shard, read_shards
from sigmapose.data.shards import MANIFEST, Manifest, from_record, to_record, write_shard
from sigmapose.data.splits import Split
from sigmapose.errors import DataError, InputError, OutputError
from sigmapose.skeleton import BODY_26, COCO_17


def make_folder(path: Path, shards: int = 3, size: int = 4, split: Split = Split.TRAIN) -> Path:
    """A finished folder of shards."""
    with ShardFolder(path) as folder:
        folder.claim(split, {"seed": 1}, shards * size)
        for job in folder.missing(shards * size, size):
            people = [noisy_person(k, split) for k in range(job.first, job.first + job.count)]
            folder.add(write_shard(path / job.name, people))
    return path


def same(a: Sample, b: Sample) -> bool:
    """Equal up to the rounding of the format."""
    arrays = ("points_px", "joints_mm", "box_px", "crop", "detected_px", "detected_score")
    for name in arrays:
        left, right = getattr(a, name), getattr(b, name)
        if (left is None) != (right is None):
            return False
        if left is not None and not np.allclose(left, right, atol=0.0051, rtol=0, equal_nan=True):
            return False
    plain = ("id", "source", "split", "subject", "clip", "frame", "skeleton", "camera", "facts")
    return all(getattr(a, name) == getattr(b, name) for name in plain)


def test_samples_survive_shards(tmp_path: Path) -> None:
    made = [noisy_person(k, twin=k % 2 == 0) for k in range(5)]
    write_shard(tmp_path / "a.tar", made)
    read = list(read_shards(tmp_path))
    assert len(read) == 5 and all(map(same, made, read))
    for a, b in zip(made, read, strict=True):
        assert np.array_equal(a.visibility, b.visibility)
        assert a.picture.data == b.picture.data, "JPEG bytes are stored as they are"
        assert (a.clean_picture is None) == (b.clean_picture is None)
        assert a.clean_picture is None or a.clean_picture.data == b.clean_picture.data
    again = tmp_path / "again.tar"
    write_shard(again, read)
    assert again.read_bytes() == (tmp_path / "a.tar").read_bytes(), "writing what was read changes nothing"


def test_a_sample_without_truth_survives_too(tmp_path: Path) -> None:
    bare = Sample(id="photos/a.b", source="unlabelled", skeleton=COCO_17, picture=noisy_person(0).picture)
    write_shard(tmp_path / "a.tar", [bare])
    (read,) = read_shards(tmp_path)
    assert same(bare, read) and read.visibility is None and read.split is None
    with pytest.raises(DataError, match="two samples with id 's0001'"):
        write_shard(tmp_path / "b.tar", [noisy_person(1), noisy_person(1)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar"], "nothing half-written is left"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e5, 1e5), min_size=3, max_size=3), st.integers(0, 25))
def test_records_round_to_a_hundredth(xyz: list[float], joint: int) -> None:
    joints = np.full((26, 3), np.nan)
    joints[joint] = xyz
    sample = Sample(id="a", source="synth", skeleton=BODY_26, joints_mm=joints)
    record = json.loads(json.dumps(to_record(sample), allow_nan=False))
    back = from_record(record, None)
    assert np.allclose(back.joints_mm, joints, atol=0.00501, rtol=0, equal_nan=True)
    assert to_record(back) == to_record(sample)


def test_headers_say_nothing_of_who_and_when(tmp_path: Path) -> None:
    entry = write_shard(tmp_path / "a.tar", [noisy_person(0, twin=True)])
    with tarfile.open(tmp_path / "a.tar") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["s0000.jpg", "s0000.clean.jpg", "s0000.json"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
    data = (tmp_path / "a.tar").read_bytes()
    assert (entry.bytes, entry.sha256, entry.samples) == (len(data), hashlib.sha256(data).hexdigest(), 1)
    assert describe_shard(tmp_path / "a.tar") == entry


@pytest.mark.filterwarnings("ignore")
def test_webdataset_reads_our_shards(tmp_path: Path) -> None:
    import webdataset

    made = [noisy_person(k, twin=True) for k in range(4)]
    write_shard(tmp_path / "a.tar", made)
    found = list(webdataset.WebDataset(str(tmp_path / "a.tar"), shardshuffle=False).decode("rgb8"))
    assert [f["__key__"] for f in found] == [m.id for m in made]
    for item, sample in zip(found, made, strict=True):
        assert item["json"]["visibility"] == sample.visibility.tolist()
        assert np.abs(item["jpg"].astype(int) - sample.read_picture()).mean() < 2
        assert np.abs(item["clean.jpg"].astype(int) - sample.clean_picture.read()).mean() < 2


@pytest.mark.filterwarnings("ignore")
def test_we_read_shards_that_webdataset_wrote(tmp_path: Path) -> None:
    import webdataset

    made = [noisy_person(k) for k in range(3)]
    with webdataset.TarWriter(str(tmp_path / "theirs.tar")) as sink:
        for sample in made:
            sink.write({"__key__": sample.id, "jpg": sample.picture.data, "json": to_record(sample)})
        sink.write({"__key__": "photos/bare", "jpg": made[0].picture.data})
    read = list(read_shards(tmp_path / "theirs.tar"))
    assert all(map(same, made, read[:3]))
    assert read[3].id == "photos/bare" and read[3].source == "shard" and read[3].joints_mm is None
    assert read[3].read_picture().shape == (256, 256, 3)


def test_shuffling_follows_the_seed_and_loses_nobody(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a", shards=4, size=5)
    stored = [s.id for s in read_shards(folder)]
    assert stored == sorted(stored) and len(stored) == 20
    one, two, other = ([s.id for s in read_shards(folder, seed=k)] for k in (3, 3, 4))
    assert one == two != other and sorted(one) == sorted(other) == stored and one != stored


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_parts_are_disjoint_and_whole(tmp_path: Path, workers: int) -> None:
    folder = make_folder(tmp_path / "a", shards=3, size=4)
    parts = [[s.id for s in read_shards(folder, seed=1, part=(k, workers))] for k in range(workers)]
    assert Counter(chain(*parts)) == Counter(f"s{k:04d}" for k in range(12))
    with pytest.raises(DataError, match=r"give \(k, n\) with 0 <= k < n"):
        read_shards(folder, part=(2, 2))


@pytest.mark.slow
def test_torch_workers_share_the_samples(tmp_path: Path) -> None:
    from torch.utils.data import DataLoader, IterableDataset

    class Stream(IterableDataset):
        def __iter__(self):
            return (sample.id for sample in read_shards(folder))

    folder = make_folder(tmp_path / "a", shards=4, size=3)
    ids = [i for batch in DataLoader(Stream(), batch_size=2, num_workers=2) for i in batch]
    assert sorted(ids) == [f"s{k:04d}" for k in range(12)]


def test_a_library_gives_samples_by_number_past_damage_and_other_splits(tmp_path: Path) -> None:
    train = make_folder(tmp_path / "train", shards=OPEN_SHARDS + 2, size=2)
    make_folder(tmp_path / "val", split=Split.VAL)
    damage(train / "shard-000001.tar", "cut in a picture")
    library = ShardLibrary(tmp_path, "train")
    stored = list(read_shards(tmp_path, split="train"))
    assert len(library) == len(stored) == 2 * (OPEN_SHARDS + 1) and library.sizes == [2] * (OPEN_SHARDS + 1)
    for number in np.random.default_rng(0).permutation(len(library)).tolist():
        assert same(library.read(number), stored[number])
        assert np.array_equal(library.read(number).read_picture(), stored[number].read_picture())
    with pytest.raises(DataError, match="no sample 34 in shards of 34: count from 0"):
        library.read(34)
    with pytest.raises(DataError, match="no calibration samples, only train or val"):
        ShardLibrary(tmp_path, "calibration")


def damage(path: Path, kind: str) -> None:
    data = bytearray(path.read_bytes())
    if kind == "cut in a picture":
        data = data[:700]
    elif kind == "cut between samples":
        with tarfile.open(path) as tar:
            data = data[: tar.getmembers()[2].offset]
    elif kind == "empty":
        data = bytearray()
    elif kind == "a header":
        with tarfile.open(path) as tar:
            data[tar.getmembers()[2].offset + 3] ^= 0xFF
    elif kind == "a record":
        with tarfile.open(path) as tar:
            data[tar.getmember("s0004.json").offset_data] = ord("x")
    elif kind == "a picture":
        with tarfile.open(path) as tar:
            data[tar.getmember("s0004.jpg").offset_data + 300] ^= 0x10
    path.write_bytes(data)


KINDS = ["cut in a picture", "cut between samples", "empty", "a header", "a record"]


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_shard_is_skipped_counted_and_named(
    tmp_path: Path, caplog, kind: str, manifest: bool
) -> None:
    folder = make_folder(tmp_path / "a")
    damage(folder / "shard-000001.tar", kind)
    if not manifest:
        (folder / MANIFEST).unlink()
    summary = ReadSummary()
    ids = [s.id for s in read_shards(folder, summary=summary)]
    assert ids == [f"s{k:04d}" for k in (0, 1, 2, 3, 8, 9, 10, 11)]
    assert [p.name for p in summary.damaged] == ["shard-000001.tar"]
    assert (summary.shards, summary.samples) == (2, 8)
    assert "shard-000001.tar" in caplog.text and "1 damaged shards skipped" in str(summary)


def test_a_changed_picture_is_found_by_its_checksum(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    damage(folder / "shard-000001.tar", "a picture")
    assert len(list(read_shards(folder))) == 12, "its size is right"
    summary = ReadSummary()
    assert len(list(read_shards(folder, verify=True, summary=summary))) == 8
    assert "checksum" in str(summary)


def test_nothing_but_damage_is_an_error(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a", shards=2)
    for path in folder.glob("*.tar"):
        damage(path, "empty")
    with pytest.raises(DataError, match="every shard is damaged"):
        list(read_shards(folder))


def test_places_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_shards(tmp_path / "missing")
    with pytest.raises(DataError, match=r"no shards \(\*\.tar\) in this folder"):
        read_shards(tmp_path)


@pytest.mark.parametrize("manifest", [True, False])
def test_splits_never_mix_unasked(tmp_path: Path, manifest: bool) -> None:
    train = make_folder(tmp_path / "train", split=Split.TRAIN)
    test = make_folder(tmp_path / "test", shards=1, split=Split.TEST)
    if not manifest:
        for folder in (train, test):
            (folder / MANIFEST).unlink()
    with pytest.raises(DataError, match=r"several splits \(test, train\) must not be read as one set"):
        list(read_shards(tmp_path))
    assert {s.split for s in read_shards(tmp_path, split="test")} == {Split.TEST}
    assert len(list(read_shards([train, test], split=["train", "test"]))) == 16
    with pytest.raises(DataError, match="no calibration samples, only test"):
        list(read_shards(test, split=Split.CALIBRATION))


def test_a_folder_holds_one_split_and_one_set_of_settings(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "a")
    with ShardFolder(path) as folder:
        with pytest.raises(OutputError, match="holds train samples, and a folder holds one split"):
            folder.claim(Split.TEST, {"seed": 1}, 12)
        with pytest.raises(OutputError, match="was made with seed 1: use that, or choose another folder"):
            folder.claim(Split.TRAIN, {"seed": 2}, 12)
        with pytest.raises(OutputError, match="holds 12 samples already"):
            folder.claim(Split.TRAIN, {"seed": 1}, 11)
        folder.claim(Split.TRAIN, {"seed": 1}, 14)
        assert [(job.name, job.count) for job in folder.missing(14, 4)] == [("shard-000003.tar", 2)]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        ShardFolder(tmp_path / "a"),
        pytest.raises(OutputError, match=r"another run \(process \d+\) is writing here"),
    ):
        ShardFolder(tmp_path / "a").__enter__()
    with ShardFolder(tmp_path / "a"):
        pass
    assert list((tmp_path / "a").iterdir()) == []


def test_a_killed_run_leaves_nothing_torn(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "a")
    (path / "shard-000003.tar.4711.partial").write_bytes(b"torn")
    recorded = Manifest.load(path)
    assert recorded is not None
    replace(recorded, shards=recorded.shards[:1]).save(path)  # killed before it could record two shards
    damage(path / "shard-000002.tar", "cut in a picture")
    with ShardFolder(path) as folder:
        folder.claim(Split.TRAIN, {"seed": 1}, 12)
        assert [job.name for job in folder.missing(12, 4)] == ["shard-000002.tar"]
        assert folder.manifest is not None and folder.manifest.entry("shard-000001.tar") is not None
    assert not list(path.glob("*.partial"))


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        ShardFolder(tmp_path / "file").__enter__()
    write_shard(tmp_path / "a.tar", [noisy_person(0)])
    with pytest.raises(OutputError, match=r"holds shards without manifest\.json"):
        ShardFolder(tmp_path).__enter__()


def test_a_manifest_that_is_not_ours(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "a")
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"version": 1', '"version": 99'))
    with pytest.raises(DataError, match=r"version 99, .*use a newer sigmapose"):
        read_shards(folder)
    (folder / MANIFEST).write_text(text[:50])
    with pytest.raises(DataError, match="damaged manifest"):
        read_shards(folder)


def test_pictures_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be decoded as a picture"):
        Picture.of_bytes(b"abc", tmp_path / "a.tar").read()
    with pytest.raises(DataError, match="comes without a picture"):
        Sample(id="a", source="h36m", skeleton=BODY_26).read_picture()
    with pytest.raises(DataError, match=r"points_px has shape \(17, 2\), expected \(26, 2\)"):
        Sample(id="a", source="h36m", skeleton=BODY_26, points_px=np.zeros((17, 2)))
    with pytest.raises(DataError, match="visibility"):
        Sample(id="a", source="x", skeleton=BODY_26, visibility=np.full(26, 4))


def test_frames_of_a_video_in_any_order(examples: Path) -> None:
    from sigmapose.io.video import VideoReader

    video = examples / "balance.mp4"
    frames = [frame.rgb for frame in VideoReader(video, (0, 30))]
    for index in (3, 4, 9, 2, 29):
        assert np.array_equal(Picture.of_video(video, index).read(), frames[index])
    with pytest.raises(InputError):
        Picture.of_video(video, 100_000).read()
