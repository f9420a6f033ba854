"""The folder of JSON files as our own reader of such folders, and plain JSON, have it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sigmapose.errors import OutputError
from sigmapose.io.export.formats import export
from sigmapose.io.keypoints import read_keypoints
from sigmapose.pose import Frame


def test_one_file_a_frame(two: list[Frame], tmp_path: Path) -> None:
    assert export(two, tmp_path / "walk_json").paths == (tmp_path / "walk_json",)
    assert len(list((tmp_path / "walk_json").iterdir())) == len(two)
    document = json.loads((tmp_path / "walk_json" / "walk_000016.json").read_text())
    assert [p["person_id"] for p in document["people"]] == [[0], [4]]
    rows = np.array(document["people"][1]["pose_keypoints_2d"]).reshape(26, 3)
    pose = two[16].poses[1]
    assert rows[:, :2] == pytest.approx(pose.points_px, abs=0.006)
    assert rows[:, 2] == pytest.approx(pose.visibility[:, 0], abs=6e-5)


def test_it_can_be_lifted_again(two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / "walk_json")
    file = read_keypoints(tmp_path / "walk_json")
    assert file.skeleton == "body_26" and [f.index for f in file.frames] == [f.index for f in two]
    assert [len(f.people) for f in file.frames] == [len(f.poses) for f in two]
    assert file.frames[5].people[0].points_px == pytest.approx(two[5].poses[0].points_px, abs=0.006)


def test_an_earlier_folder_is_replaced_as_a_whole_and_only_if_it_is_ours(
    two: list[Frame], tmp_path: Path
) -> None:
    folder = tmp_path / "walk_json"
    export(two, folder)
    with pytest.raises(OutputError, match="exists already"):
        export(two, folder)
    export(two[:3], folder, overwrite=True)
    assert len(list(folder.iterdir())) == 3
    (folder / "thesis.docx").write_text("precious")
    with pytest.raises(OutputError, match="other files"):
        export(two, folder, overwrite=True)
    assert (folder / "thesis.docx").exists() and [p.name for p in tmp_path.iterdir()] == ["walk_json"]
