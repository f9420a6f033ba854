"""glTF files as pygltflib and trimesh read them; the animation is evaluated here, by the specification."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from sigmapose.io.export.formats import export
from sigmapose.pose import Frame

KINDS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Scene:
    """The nodes of a file at the time of one key."""

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()
        self.parents = {c: n for n, node in enumerate(self.gltf.nodes) for c in node.children or ()}
        self.tracks = {}
        (animation,) = self.gltf.animations
        for channel in animation.channels:
            sampler = animation.samplers[channel.sampler]
            self.tracks[channel.target.node, channel.target.path] = self.numbers(sampler.output)
            self.times = self.numbers(sampler.input)

    def numbers(self, accessor: int) -> np.ndarray:
        about = self.gltf.accessors[accessor]
        view = self.gltf.bufferViews[about.bufferView]
        assert about.componentType == pygltflib.FLOAT
        width = KINDS[about.type]
        values = np.frombuffer(self.blob, np.float32, about.count * width, view.byteOffset)
        return values.reshape(about.count, width)

    def node(self, name: str) -> int:
        return [node.name for node in self.gltf.nodes].index(name)

    def local(self, node: int, frame: int) -> np.ndarray:
        def value(path: str, rest: list[float]) -> np.ndarray:
            track = self.tracks.get((node, path))
            return np.array(rest if track is None else track[frame], dtype=np.float64)

        matrix = np.eye(4)
        turn = Rotation.from_quat(value("rotation", [0, 0, 0, 1])).as_matrix()
        matrix[:3, :3] = turn * value("scale", [1, 1, 1])
        matrix[:3, 3] = value("translation", [0, 0, 0])
        return matrix

    def world(self, name: str, frame: int) -> np.ndarray:
        node = self.node(name)
        matrix = self.local(node, frame)
        while node in self.parents:
            node = self.parents[node]
            matrix = self.local(node, frame) @ matrix
        return matrix


def y_up_m(pose, joint: str) -> np.ndarray:
    """By hand."""
    x, y, z = pose.joints_camera_mm[pose.skeleton.index(joint)] / 1000
    return np.array([x, -y, -z])


def test_joints_are_where_the_poses_have_them(frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.glb")
    scene = Scene(tmp_path / "out.glb")
    assert scene.times.ravel() == pytest.approx([f.time_s for f in frames], abs=1e-5)
    for frame in frames[::6]:
        for bone, joint in (
            ("Hips", "mid_hip"), ("LeftLeg", "left_knee"), ("RightHand", "right_wrist"), ("Nose", "nose"),
            ("LeftSmallToe", "left_small_toe"), ("HeadTop", "head_top"),
        ):  # fmt: skip
            place = scene.world(f"person0 {bone}", frame.index)[:3, 3]
            assert place == pytest.approx(y_up_m(frame.poses[0], joint), abs=1e-5), bone


def test_ellipsoids_are_the_regions(frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.glb")
    scene = Scene(tmp_path / "out.glb")
    (pose,) = frames[9].poses
    wrist = pose.skeleton.index("left_wrist")
    ball = scene.world("person0 left_wrist 90 %", 9)
    assert ball[:3, 3] == pytest.approx(y_up_m(pose, "left_wrist"), abs=1e-5)
    axes = pose.ellipsoid(0.9)[wrist] * [1, -1, -1] / 1000
    assert ball[:3, :3] @ ball[:3, :3].T == pytest.approx(axes.T @ axes, rel=1e-3, abs=1e-6)
    assert np.linalg.det(ball[:3, :3]) > 0


def test_people_who_are_not_seen_are_gone(two: list[Frame], tmp_path: Path) -> None:
    export(two, tmp_path / "out.glb")
    scene = Scene(tmp_path / "out.glb")
    sizes = [np.linalg.norm(scene.world("person4", k)[:3, :3]) for k in range(len(two))]
    seen = [5, 6, 7, 8, 9, 15, 16, 17, 18]
    assert [size > 1 for size in sizes] == [k in seen for k in range(len(two))]
    assert max(size for k, size in enumerate(sizes) if k not in seen) < 1e-5
    wrists = [np.linalg.norm(scene.world("person4 left_wrist 90 %", k)[:3, :3]) for k in (15, 16, 17)]
    assert wrists[1] < 1e-5 < 0.01 < min(wrists[0], wrists[2])


def test_trimesh_loads_it_and_figures_are_people(frames: list[Frame], tmp_path: Path) -> None:
    export(frames, tmp_path / "out.glb")
    scene = trimesh.load(tmp_path / "out.glb")
    assert {"person0", "ellipsoid"} <= set(scene.geometry)
    figure = scene.geometry["person0"]
    height = np.ptp(figure.vertices[:, 1])
    assert 1.3 < height < 2.2 and np.ptp(figure.vertices[:, 0]) > 1.0  # a T
    ball = scene.geometry["ellipsoid"]
    assert ball.is_watertight and ball.volume == pytest.approx(4 / 3 * np.pi, rel=0.1)  # of 128 triangles


def test_the_camera_is_that_of_the_pictures(frames: list[Frame], tmp_path: Path) -> None:
    """A joint projected by the file's camera lands where ours has it."""
    export(frames, tmp_path / "out.glb")
    gltf = pygltflib.GLTF2().load(str(tmp_path / "out.glb"))
    lens = gltf.cameras[0].perspective
    (pose,) = frames[0].poses
    x, y, z = y_up_m(pose, "left_knee")
    half = np.tan(lens.yfov / 2)
    u = (x / -z / half / lens.aspectRatio + 1) / 2 * pose.camera.width - 0.5
    v = (1 - y / -z / half) / 2 * pose.camera.height - 0.5
    ours = pose.camera.project(pose.joints_camera_mm)[pose.skeleton.index("left_knee")]
    assert [u, v] == pytest.approx(list(ours), abs=0.1)
