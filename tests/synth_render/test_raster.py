"""The rasteriser against brute force: every sample, every triangle."""

from __future__ import annotations

import numpy as np
import pytest

from brute_force import nearest_hit
from mannequin import capsule, mannequin
from sigmapose.errors import DataError
from sigmapose.synth.render.cameras import Crops, sample_crops, sample_views
from sigmapose.synth.render.mesh import Material, Mesh
from sigmapose.synth.render.raster import SLOTS, Rasteriser, crop_matrix
from walking_person import walking_joints_mm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

INTRINSICS = np.array([500.0, 500.0, 159.5, 119.5])
CROP = Crops(np.array([[150.0, 125.0]]), np.array([200.0]), np.array([0.3]))
SIZE, SIDE = 32, 64


@pytest.fixture(scope="module")
def raster() -> Rasteriser:
    return Rasteriser(SIZE, 2)


def rays(intrinsics: np.ndarray, crop: Crops, side: int) -> np.ndarray:
    """Directions with z = 1 through all samples, by the documented maps of `Crops` and the pinhole."""
    axis = (np.arange(side) + 0.5) / side - 0.5
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(1, -1, 2)
    fx, fy, cx, cy = intrinsics
    return np.column_stack([(crop.to_image(grid)[0] - [cx, cy]) / [fx, fy], np.ones(side * side)])


def soup(rng: np.random.Generator, count: int, near: float, far: float) -> Mesh:
    """Unconnected triangles all over the view, seen from both sides."""
    centre = rng.uniform([-0.4, -0.4, 1], [0.4, 0.4, 1], (count, 1, 3)) * rng.uniform(
        near, far, (count, 1, 1)
    )
    vertices = (centre + rng.normal(0, 120, (count, 3, 3))).reshape(-1, 3).astype(np.float32)
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    return Mesh(vertices, faces, (Material(double_sided=True),))


def brute_force(meshes: list[Mesh]) -> np.ndarray:
    triangles = np.concatenate([m.vertices_mm[m.faces] for m in meshes]).astype(float)
    return np.array([nearest_hit(triangles, d, 20.0) for d in rays(INTRINSICS, CROP, SIDE)]).reshape(
        SIDE, SIDE
    )


def square(z: float, half: float, material: Material | None = None) -> Mesh:
    vertices = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    return Mesh(vertices, faces, (material or Material(double_sided=True),))


@pytest.mark.parametrize(("near", "far"), [(600.0, 3000.0), (-100.0, 300.0)])
def test_every_sample_sees_the_triangle_that_brute_force_finds(
    raster: Rasteriser, near: float, far: float
) -> None:
    for seed in range(3):
        mesh = soup(np.random.default_rng(seed), 60, near, far)
        raster.load([mesh], INTRINSICS, CROP)
        hits, expected = raster.draw().hits(), brute_force([mesh])
        assert np.array_equal(hits.mesh >= 0, np.isfinite(expected))
        assert 0.1 < np.isfinite(expected).mean() <= 1
        seen = hits.mesh >= 0
        assert np.allclose(hits.depth_mm[seen], expected[seen], rtol=1e-5)
        corners = mesh.vertices_mm[mesh.faces[hits.face[seen]]]
        points = np.einsum("pk,pkc->pc", hits.weights[seen], corners)
        direction = rays(INTRINSICS, CROP, SIDE).reshape(SIDE, SIDE, 3)[seen]
        assert np.abs(points - direction * expected[seen][:, None]).max() < 0.5
        assert hits.weights[seen].min() > -1e-5


def test_neighbouring_triangles_leave_no_crack(raster: Rasteriser) -> None:
    rng = np.random.default_rng(3)
    columns, rows = np.meshgrid(np.arange(40), np.arange(40))
    z = 1500 + rng.normal(0, 1.5, columns.shape)
    vertices = np.stack([(columns - 20) * 30.0, (rows - 20) * 30.0, z], -1).reshape(-1, 3).astype(np.float32)
    a = (np.arange(39)[:, None] * 40 + np.arange(39)).reshape(-1)
    faces = np.concatenate([np.stack([a, a + 41, a + 1], 1), np.stack([a, a + 40, a + 41], 1)]).astype(
        np.int32
    )
    raster.load([Mesh(vertices, faces)], INTRINSICS, CROP)
    assert (raster.draw().hits().mesh == 0).all()


def test_backs_of_closed_meshes_are_not_drawn_and_of_open_ones_are(raster: Rasteriser) -> None:
    for double_sided, expected in ((False, 0.0), (True, 1.0)):
        front = square(1000, 5000, Material(double_sided=double_sided))
        raster.load(
            [front, Mesh(front.vertices_mm, front.faces[:, ::-1].copy(), front.materials)], INTRINSICS, CROP
        )
        assert raster.draw([0]).coverage().mean() == 1.0
        assert raster.draw([1]).coverage().mean() == expected


def test_a_drawing_on_top_keeps_what_is_nearer(raster: Rasteriser) -> None:
    rng = np.random.default_rng(5)
    meshes = [soup(rng, 25, 500, 2500) for _ in range(3)]
    raster.load(meshes, INTRINSICS, CROP)
    first = raster.draw([0])
    alone = first.coverage()
    both = raster.draw([2, 1], over=first)
    assert np.allclose(both.hits().depth_mm, np.where(np.isfinite(b := brute_force(meshes)), b, 0), rtol=1e-5)
    assert np.array_equal(both.hits().depth_mm, raster.draw().hits().depth_mm)
    parts = sum(both.coverage([i]) for i in range(3))
    assert np.allclose(parts, both.coverage()) and (both.coverage([0]) <= alone).all()
    assert both.coverage([0]).sum() < alone.sum()


def test_one_sample_a_pixel_is_a_sample_of_coverage() -> None:
    mesh = soup(np.random.default_rng(8), 40, 800, 2500)
    fine, coarse = Rasteriser(SIZE, 2), Rasteriser(SIDE, 1)
    for raster in (fine, coarse):
        raster.load([mesh], INTRINSICS, CROP)
    expected = coarse.draw().coverage().reshape(SIZE, 2, SIZE, 2).mean((1, 3))
    assert np.array_equal(fine.draw().coverage(), expected)


def test_a_sphere_is_a_disc_of_the_right_size_and_depth() -> None:
    vertices, faces = capsule(np.zeros(3), np.zeros(3), 200.0, rings=40, sides=80)
    raster = Rasteriser(96, 2)
    mesh = Mesh((vertices + np.array([0, 0, 4000])).astype(np.float32), faces.astype(np.int32))
    crop = Crops(np.array([[499.5, 399.5]]), np.array([200.0]), np.array([0.4]))
    raster.load([mesh], np.array([1000.0, 1000.0, 499.5, 399.5]), crop)
    drawing = raster.draw()
    radius = 1000 * 200 / np.sqrt(4000**2 - 200**2) * 96 / 200
    assert drawing.coverage().sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    depth = drawing.hits().depth_mm
    assert depth[depth > 0].min() == pytest.approx(3800, abs=2)
    count = len(mesh.vertices_mm)
    centred = (mesh.vertices_mm - [0, 0, 4000]) / 200
    cosine = np.einsum("vc,vc->v", raster.normals.array.numpy()[:count], centred)
    assert cosine.min() > 0.98


def test_normals_are_those_of_a_loop_over_the_faces(raster: Rasteriser) -> None:
    vertices, faces, _ = mannequin(walking_joints_mm(0.4))
    small, small_faces = capsule(np.zeros(3), np.array([0.0, 300, 0]), 90.0, rings=4, sides=7)
    small = (small + np.array([0, 0, 900])).astype(np.float32)
    shifted = (vertices + np.float32([0, 0, 3000])).astype(np.float32)
    raster.load([Mesh(small, small_faces.astype(np.int32)), Mesh(shifted, faces)], INTRINSICS, CROP)
    normals = raster.normals.array.numpy()
    for start, v, f in ((0, small, small_faces), (len(small), shifted, faces)):
        expected = np.zeros((len(v), 3))
        for a, b, c in f:
            area = np.cross(v[b].astype(float) - v[a], v[c].astype(float) - v[a])
            for k in (a, b, c):
                expected[k] += area
        length = np.linalg.norm(expected, axis=1, keepdims=True)
        real = length[:, 0] > 1.0
        assert np.allclose(normals[start : start + len(v)][real], (expected / length)[real], atol=2e-3)


def test_drawing_twice_gives_the_same_bytes() -> None:
    joints = np.stack([walking_joints_mm(p, 40.0) for p in (0.3, 1.7)])
    views = sample_views(np.random.default_rng(2), joints)
    crops = sample_crops(np.random.default_rng(2), views.points_px)
    vertices, faces, _ = mannequin(joints[0])
    mesh = Mesh((vertices @ views.rotation[0].T + views.translation_mm[0]).astype(np.float32), faces)
    one = Crops(crops.center_px[:1], crops.size_px[:1], crops.angle_rad[:1])
    used, new = Rasteriser(64, 2), Rasteriser(64, 2)
    used.load([soup(np.random.default_rng(0), 500, 300, 2000)], INTRINSICS, CROP)
    for _ in range(SLOTS + 1):
        used.draw()
    bytes_of = []
    for raster in (used, new, used):
        raster.load([mesh], views.intrinsics()[0], one)
        bytes_of.append(raster.draw().keys.numpy().tobytes())
    assert bytes_of[0] == bytes_of[1] == bytes_of[2]


def test_nothing_and_degenerate_triangles_are_empty(raster: Rasteriser) -> None:
    raster.load([], INTRINSICS, CROP)
    assert raster.draw().coverage().max() == 0 and (raster.draw().hits().mesh == -1).all()
    flat = np.array([[0, 0, 900], [10, 10, 900], [20, 20, 900], [0, 0, 900]], np.float32)
    sheet = (Material(double_sided=True),)
    thin = Mesh(flat, np.array([[0, 1, 2], [0, 0, 1], [0, 3, 0]], np.int32), sheet)
    bare = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    behind = Mesh(square(-500, 1000).vertices_mm, square(1, 1).faces, sheet)
    raster.load([bare, thin, behind], INTRINSICS, CROP)
    assert raster.draw([1]).coverage().sum() < 2
    assert raster.draw([0, 2]).coverage().max() == 0


def test_bad_meshes_are_refused(raster: Rasteriser) -> None:
    with pytest.raises(DataError, match="NaN"):
        raster.load(
            [Mesh(np.full((3, 3), np.nan, np.float32), np.array([[0, 1, 2]], np.int32))], INTRINSICS, CROP
        )
    with pytest.raises(DataError, match="its faces name others"):
        raster.load([Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 3]], np.int32))], INTRINSICS, CROP)
    with pytest.raises(DataError, match="give \\(V, 3\\)"):
        Mesh(np.zeros((3, 2), np.float32), np.zeros((1, 3), np.int32))
    with pytest.raises(DataError, match="expected 1"):
        Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]), material=np.zeros(2, int))
    with pytest.raises(DataError, match="unknown kind"):
        Material("tartan")
    with pytest.raises(DataError, match="1, 2 or 4 samples"):
        Rasteriser(32, 3)
    raster.load([], INTRINSICS, CROP)
    old = raster.draw()
    for _ in range(SLOTS - 1):
        raster.draw()
    with pytest.raises(DataError, match="draw it again"):
        raster.draw(over=old)


def test_the_matrix_agrees_with_the_maps_of_crops() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform([-800, -800, 700], [800, 800, 4000], (50, 3))
    fx, fy, cx, cy = INTRINSICS
    pixels = points[:, :2] / points[:, 2:] * [fx, fy] + [cx, cy]
    expected = (CROP.to_crop(pixels[None])[0] + 0.5) * SIDE
    projected = points @ crop_matrix(INTRINSICS, CROP, SIDE).T
    assert np.allclose(projected[:, :2] / projected[:, 2:], expected)
