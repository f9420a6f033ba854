"""Things are closed, of human scale, and hide what is behind them."""

from __future__ import annotations

import numpy as np
import pytest

from sigmapose.synth.render.cameras import Crops
from sigmapose.synth.render.cutouts import Paste, PictureFolder, over
from sigmapose.synth.render.furniture import Prop
from sigmapose.synth.render.placement import MAX_HIDDEN, Placer
from sigmapose.synth.render.props import HANDY, STANDING
from sigmapose.synth.render.shot_geometry import GRID, MARGIN, ShotGeometry, hidden_by_shift
from sigmapose.synth.render.solids import Solid, bar, box, cylinder, ellipsoid, join, prism, tube
from sigmapose.synth.render.visibility import first_depths, object_occluded

MAKERS = {**STANDING, **HANDY}
OPEN = ("plant", "branch")
"""Their leaves are open surfaces."""
INTRINSICS = np.array([600.0, 600.0, 319.5, 239.5])
CROP = Crops(np.array([[319.5, 239.5]]), np.array([420.0]), np.array([0.3]))


def open_edges(surface: Solid) -> int:
    """Edges that are not run through once in each direction, corners at the same place being one."""
    places = np.unique(surface.vertices_mm.round(3), axis=0, return_inverse=True)[1].reshape(-1)
    corners = places[surface.faces]
    ways = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    ways = ways[ways[:, 0] != ways[:, 1]]
    forth, counts = np.unique(ways, axis=0, return_counts=True)
    balance = dict(zip(map(tuple, forth.tolist()), counts.tolist(), strict=True))
    return sum(count != balance.get((b, a), 0) for (a, b), count in balance.items())


def volume(surface: Solid) -> float:
    a, b, c = (surface.vertices_mm[surface.faces[:, k]] for k in range(3))
    return float(np.einsum("fc,fc->", a, np.cross(b, c)) / 6)


def test_blocks_have_the_volumes_of_their_formulas() -> None:
    fine = 64
    ring = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    loop = 300 * np.stack([np.cos(ring), np.sin(ring), 0 * ring], 1)
    square = np.array([[0, 0], [200, 0], [200, 100], [0, 100]], float)
    for surface, expected in (
        (box((0, 0, 0), (100, 200, 300)), 6e6),
        (cylinder(100, 50, 250, sides=fine), np.pi * 100**2 * 200),
        (cylinder(100, 0, 300, sides=fine, top_mm=50), np.pi * 300 / 3 * (100**2 + 100 * 50 + 50**2)),
        (bar((10, 20, 30), (10, 320, 430), 20, sides=fine), np.pi * 20**2 * 500),
        (bar((0, 0, 100), (0, 0, 0), 20, sides=fine), np.pi * 20**2 * 100),
        (tube(loop, 20, sides=fine, loop=True), 2 * np.pi**2 * 300 * 20**2),
        (ellipsoid((0, 0, 0), (100, 200, 300), rings=40, sides=fine), 4 / 3 * np.pi * 6e6),
        (prism(square, 10, 60), 1e6),
    ):
        assert volume(surface) == pytest.approx(expected, rel=0.02)
        assert open_edges(surface) == 0
        assert np.allclose(np.linalg.norm(surface.normals, axis=1), 1)
        a, b, c = (surface.vertices_mm[surface.faces[:, k]] for k in range(3))
        outward = np.einsum("fc,fc->f", np.cross(b - a, c - a), surface.normals[surface.faces].mean(1))
        assert (outward > 0).all()


@pytest.mark.parametrize("name", list(MAKERS))
def test_things_are_closed_and_of_human_scale(name: str) -> None:
    for seed in range(12):
        prop: Prop = MAKERS[name][0](np.random.default_rng(seed))
        v, surface = prop.surface.vertices_mm, prop.surface
        assert np.isfinite(v).all() and np.isfinite(surface.normals).all()
        assert surface.faces.min() >= 0 and surface.faces.max() == len(v) - 1
        assert surface.material.min() >= 0 and surface.material.max() < len(prop.materials)
        size = np.ptp(v, axis=0)
        assert 60 < size.max() < 5000 and len(surface.faces) < 1500
        if prop.standing:
            assert abs(v[:, 2].min()) < 80 and v[:, 2].max() > 100, "stands on the floor"
        if name not in OPEN:
            assert open_edges(surface) == 0 and volume(surface) > 0


def test_the_same_seed_makes_the_same_thing() -> None:
    for make, _ in MAKERS.values():
        a, b = (make(np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(a.surface.vertices_mm, b.surface.vertices_mm) and a.materials == b.materials


def stage() -> ShotGeometry:
    """A block of 400 x 300 x 1700 mm, 4 m away."""
    body = box((-200, -150, 0), (200, 150, 1700)).vertices_mm
    pitch = 0.2
    up = np.array([0.0, -np.cos(pitch), -np.sin(pitch)])
    ahead = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    axes = np.column_stack([[1.0, 0, 0], ahead, up])
    root = np.array([0.0, 0.0, 4000.0])
    return ShotGeometry.of((body - [0, 0, 900]) @ axes.T + root, root, up, INTRINSICS, CROP)


def test_the_stage_knows_floor_and_camera() -> None:
    s = stage()
    assert np.allclose(s.to_camera(np.array([[0.0, 0, 900]])), [[0, 0, 4000]], atol=0.01)
    assert np.allclose(s.to_camera(s.camera_mm[None]), 0, atol=1e-6)
    assert s.camera_mm[1] < -3500 and s.front_mm == pytest.approx(150, abs=0.1)
    assert np.allclose(s.axes @ s.axes.T, np.eye(3)) and np.linalg.det(s.axes) == pytest.approx(1)


def test_silhouettes_have_the_area_of_their_projection() -> None:
    s, radius, depth = stage(), 300.0, 4000.0
    ball = ellipsoid((0, 0, 0), (radius,) * 3, rings=20, sides=40)
    canvas = s.silhouette(ball.moved((0, 0, depth)).vertices_mm, ball.faces)
    assert canvas is not None
    cells = np.pi * (600 * radius / np.sqrt(depth**2 - radius**2) * GRID / 420) ** 2
    assert canvas.sum() == pytest.approx(cells, rel=0.06)
    assert s.silhouette(ball.moved((0, 0, 400)).vertices_mm, ball.faces) is None, "too near"


def test_correlation_says_what_a_shift_hides() -> None:
    rng = np.random.default_rng(0)
    person = (rng.random((GRID, GRID)) > 0.7).astype(np.float32)
    canvas = np.zeros((GRID + 2 * MARGIN,) * 2, np.float32)
    canvas[MARGIN + 10 : MARGIN + 30, MARGIN + 20 : MARGIN + 50] = 1
    share = hidden_by_shift(person, canvas)
    for x, y in ((0, 0), (5, -7), (-20, 12)):
        direct = person[10 + y : 30 + y, 20 + x : 50 + x].sum() / person.sum()
        assert share[MARGIN + y, MARGIN + x] == pytest.approx(direct, abs=1e-4)


def test_things_stand_in_front_and_hide_what_was_aimed_at() -> None:
    s = stage()
    block = box((-200, -150, 0), (200, 150, 1700))
    person = s.silhouette(s.to_camera(block.vertices_mm), block.faces)
    assert person is not None
    person = person[MARGIN:-MARGIN, MARGIN:-MARGIN]
    cutout = np.full((50, 30, 4), 255, np.uint8)
    placer = Placer(s, person, [], PictureFolder((cutout,)))
    misses = []
    for seed, aim in enumerate(np.linspace(0.05, 0.8, 30)):
        front = placer.place(np.random.default_rng(seed), float(aim))
        misses.append(abs(front.hidden - aim))
        assert front.hidden <= MAX_HIDDEN + 0.025 and 1 <= len(front.kinds) <= 3
        for thing in front.things:
            camera = s.to_camera(thing.surface.vertices_mm)
            assert camera[:, 2].min() >= 199, "never at or behind the camera"
            before = thing.surface.vertices_mm[:, 1].max() <= -s.front_mm
            assert before or camera[:, 2].max() <= s.nearest_mm, "in front of the person"
    assert np.median(misses) <= 0.02
    assert placer.place(np.random.default_rng(0), 0.0).kinds == ()


def test_joints_behind_a_thing_are_hidden_by_it() -> None:
    s = stage()
    wall = box((-400, -600, 0), (0, -500, 2000)).mesh((), s.axes, s.origin_mm)
    joints = s.to_camera(np.array([[-150.0, 0, 900], [150.0, 0, 900], [-150.0, -700, 900]]))
    hidden = object_occluded(joints, first_depths(joints, [wall]), np.zeros((3, 2)))
    assert hidden.tolist() == [True, False, False]


def test_a_paste_covers_where_its_matrix_says() -> None:
    item = np.full((20, 10, 4), 255, np.uint8)
    scale = 0.5 / 20
    turn = np.eye(2) * scale
    paste = Paste(item, np.column_stack([turn, [0.1, 0.0] - turn @ [4.5, 9.5]]))
    layer = paste.layer(128)
    rows, columns = np.nonzero(layer[..., 3] > 0.5)
    assert rows.min() == pytest.approx(32, abs=1.5) and rows.max() == pytest.approx(95, abs=1.5)
    assert columns.mean() == pytest.approx(0.6 * 128 - 0.5, abs=1)
    assert np.allclose(paste.layer(64, 0.5)[32:96, 32:96], paste.layer(64), atol=1e-6)
    small = Paste(item, paste.matrix * 0.1)
    assert small.layer(128)[..., 3].sum() == pytest.approx(64 * 32 * 0.01, rel=0.3)
    picture = np.full((128, 128, 3), 0.5, np.float32)
    assert np.allclose(over(layer, picture)[layer[..., 3] == 0], 0.5)


def test_joining_keeps_every_part() -> None:
    parts = [box((0, 0, 0), (10, 10, 10), 0), cylinder(5, 0, 10, 1)]
    both = join(parts)
    assert volume(both) == pytest.approx(sum(map(volume, parts)))
    assert set(both.material.tolist()) == {0, 1}
