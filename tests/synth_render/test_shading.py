"""Light, shadows and materials obey geometry."""

from __future__ import annotations

import numpy as np
import pytest

from mannequin import capsule, mannequin, mannequin_atlas
from sigmapose.errors import DataError
from sigmapose.synth.render.cameras import Crops
from sigmapose.synth.render.mesh import BodyLook, BodySurface, Material, Mesh
from sigmapose.synth.render.raster import Rasteriser
from sigmapose.synth.render.shading import Floor, Light, Shader
from walking_person import walking_joints_mm

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SIZE = 128
INTRINSICS = np.array([600.0, 600.0, 127.5, 127.5])
CROP = Crops(np.array([[127.5, 127.5]]), np.array([256.0]), np.array([0.0]))
UP = np.array([0.0, -1.0, 0.0])
FLOOR_MM = 500.0


@pytest.fixture(scope="module")
def shader() -> Shader:
    return Shader(Rasteriser(SIZE, 2))


def light(direction: tuple[float, float, float], **more: object) -> Light:
    length = float(np.linalg.norm(direction))
    x, y, z = (v / length for v in direction)
    return Light((x, y, z), (0.0, -1.0, 0.0), **more)  # pyright: ignore[reportArgumentType]


def box(centre: np.ndarray, half: np.ndarray, material: Material | None = None) -> Mesh:
    """A box with sharp edges; sides wind outwards, coordinates are x, depth and up."""
    vertices, faces = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            u, v = (axis + 1) % 3, (axis + 2) % 3
            corners = np.zeros((4, 3))
            corners[:, axis] = sign
            corners[:, u], corners[:, v] = [-1, 1, 1, -1], [-1, -1, 1, 1]
            k = len(vertices)
            vertices += list(corners if sign > 0 else corners[::-1])
            faces += [(k, k + 1, k + 2), (k, k + 2, k + 3)]
    local = np.array(vertices) * half
    return Mesh(
        (local + centre).astype(np.float32),
        np.array(faces, np.int32),
        (material or Material(),),
        coordinates=(local[:, [0, 2, 1]] / [1000, 1000, -1000]).astype(np.float32),
    )


def pixel_of(point: np.ndarray) -> tuple[int, int]:
    """Row and column of a camera point; a crop pixel is two picture pixels wide."""
    x, y = INTRINSICS[:2] * point[:2] / point[2] + INTRINSICS[2:] + 0.5
    return int(y * SIZE / 256), int(x * SIZE / 256)


def test_the_shadow_of_a_box_lies_where_the_light_puts_it(shader: Shader) -> None:
    centre, half = np.array([-250.0, 100.0, 3700.0]), np.array([100.0, 100.0, 400.0])
    shader.rasteriser.load([box(centre, half)], INTRINSICS, CROP)
    towards = np.array([-0.6, -1.0, 0.1])
    lamp = light(tuple(towards), softness_mm=12.0)
    layer = shader.shade(shader.rasteriser.draw(), lamp, Floor(np.array([0.0, FLOOR_MM, 0.0]), UP)).copy()

    def in_shadow(point: np.ndarray) -> bool:
        """Whether the way to the light passes through the box (slab test)."""
        t = np.sort(np.stack([(centre + s * half - point) / towards for s in (-1, 1)]), axis=0)
        return bool(t[0].max() < t[1].min())

    inside = outside = 0
    for x in np.arange(-700, 700, 20.0):
        for z in np.arange(3000, 5000, 40.0):
            point = np.array([x, FLOOR_MM, z])
            row, column = pixel_of(point)
            if not (2 <= row < SIZE - 2 and 2 <= column < SIZE - 2) or layer[row, column, :3].any():
                continue
            # two pixels around, which at this slant are 28 mm across and 250 mm along the floor
            steps = ((i, k) for i in (-40, 0, 40) for k in (-270, -135, 0, 135, 270))
            around = {in_shadow(point + np.array([i, 0, k])) for i, k in steps}
            if around == {True}:
                assert layer[row, column, 3] > 0.2, point
                inside += 1
            elif around == {False}:
                assert layer[row, column, 3] < 0.03, point
                outside += 1
    assert inside > 20 and outside > 100
    clear = shader.shade(shader.rasteriser.draw(), light(tuple(towards), shadows=False), None)
    assert set(np.unique(clear[..., 3] > 0)) == {False, True} and not clear[-8:, :, 3].any()


def test_a_sphere_is_bright_on_the_side_of_the_light(shader: Shader) -> None:
    vertices, faces = capsule(np.zeros(3), np.zeros(3), 400.0, rings=20, sides=40)
    sphere = Mesh((vertices + np.array([0, 0, 3000])).astype(np.float32), faces.astype(np.int32))
    shader.rasteriser.load([sphere], INTRINSICS, CROP)
    for shadows in (False, True):
        for side in (-1.0, 1.0):
            layer = shader.shade(shader.rasteriser.draw(), light((side, 0.0, -0.2), shadows=shadows))
            half = layer[..., 1].reshape(SIZE, 2, SIZE // 2).sum((0, 2)) / (
                layer[..., 3].reshape(SIZE, 2, SIZE // 2).sum((0, 2))
            )
            assert (half[1] - half[0]) * side > 0.1
            assert half.max() < 1 and layer[..., 3].max() == 1
    lit_side = shader.shade(shader.rasteriser.draw(), light((0.0, 0.0, -1.0), shadows=True)).copy()
    free = shader.shade(shader.rasteriser.draw(), light((0.0, 0.0, -1.0), shadows=False))
    inner = free[..., 3] == 1
    assert np.abs(lit_side - free)[inner].mean() < 0.01


def test_a_box_in_the_light_darkens_what_is_behind_it(shader: Shader) -> None:
    wall = box(np.array([0.0, 0.0, 4000.0]), np.array([2000.0, 2000.0, 50.0]))
    thing = box(np.array([0.0, 0.0, 3000.0]), np.array([150.0, 150.0, 20.0]))
    shader.rasteriser.load([wall, thing], INTRINSICS, CROP)
    lamp = light((0.5, 0.0, -1.0), softness_mm=20.0)
    layer = shader.shade(shader.rasteriser.draw(), lamp, casters=[0, 1], focus=[1]).copy()
    bare = shader.shade(shader.rasteriser.draw(), lamp, casters=[0], focus=[1]).copy()
    shift = np.array([0.5, 0.0, -1.0]) * -950.0
    row, column = pixel_of(np.array([0.0, 0.0, 3000.0]) + shift)
    assert layer[row, column, 1] < 0.8 * bare[row, column, 1]
    far_row, far_column = pixel_of(np.array([500.0, 500.0, 3950.0]))
    assert layer[far_row, far_column, 1] == pytest.approx(bare[far_row, far_column, 1], abs=0.02)


def test_an_opaque_floor_reaches_the_horizon(shader: Shader) -> None:
    shader.rasteriser.load([], INTRINSICS, CROP)
    floor = Floor(
        np.array([0.0, FLOOR_MM, 0.0]), UP, Material("checks", second=(0.1, 0.1, 0.1), period_m=0.5)
    )
    layer = shader.shade(shader.rasteriser.draw(), light((0.0, -1.0, 0.0)), floor)
    assert (layer[: SIZE // 2 - 1, :, 3] == 0).all() and (layer[SIZE // 2 + 3 :, :, 3] == 1).all()
    assert layer[-20:, :, 0].std() > 0.05


def test_contacts_darken_the_floor_below_them_most(shader: Shader) -> None:
    shader.rasteriser.load([], INTRINSICS, CROP)
    foot = np.array([[100.0, FLOOR_MM - 100, 3600.0, 150.0]])
    floor = Floor(np.array([0.0, FLOOR_MM, 0.0]), UP, contacts=foot)
    alpha = shader.shade(shader.rasteriser.draw(), light((0.0, -1.0, 0.0)), floor)[..., 3]
    row, column = pixel_of(np.array([100.0, FLOOR_MM, 3600.0]))
    assert alpha[row, column] > 0.05
    assert np.abs(np.array(np.unravel_index(alpha.argmax(), alpha.shape)) - [row, column]).max() <= 3
    assert alpha[row, column - 45] < 0.3 * alpha[row, column]


@pytest.mark.parametrize("kind", ["stripes", "vertical", "checks", "blotches", "halves", "wood", "noise"])
def test_patterns_lie_between_their_two_colours_and_move_with_the_surface(shader: Shader, kind: str) -> None:
    material = Material(kind, (0.1, 0.1, 0.1), (0.6, 0.6, 0.6), 0.12, (0.4, 1.0, 0.2))
    pictures = []
    for shift in (0.0, 60.0 * 3.0):
        thing = box(np.array([shift - 90.0, 0.0, 3000.0]), np.array([300.0, 300.0, 20.0]), material)
        shader.rasteriser.load([thing], INTRINSICS, CROP)
        pictures.append(
            shader.shade(shader.rasteriser.draw(), light((0.0, 0.0, -1.0), shadows=False))[..., 0].copy()
        )
    inner = pictures[0][45:84, 30:80]
    assert np.ptp(inner) > 0.1
    plain = []
    for colour in (material.base, material.second):
        shader.rasteriser.load(
            [box(np.array([0, 0, 3000.0]), np.full(3, 300.0), Material(base=colour))], INTRINSICS, CROP
        )
        plain.append(
            shader.shade(shader.rasteriser.draw(), light((0.0, 0.0, -1.0), shadows=False))[64, 64, 0]
        )
    assert plain[0] - 0.01 <= inner.min() and inner.max() <= plain[1] + 0.01
    pixels = round(180.0 / 2980.0 * 600 * SIZE / 256)
    moved = pictures[1][45:84, 30 + pixels : 80 + pixels]
    assert np.abs(moved - inner).mean() < 0.35 * np.abs(inner - inner.mean()).mean() + 1e-3


def test_a_picture_is_seen_upright(shader: Shader) -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:10, :, 0], picture[10:, :, 1] = 250, 250
    half = np.array([300.0, 200.0, 10.0])
    panel = box(np.array([0.0, 0.0, 3000.0]), half, Material("picture", period_m=0.6, picture=picture))
    # a thing's y points up, the camera's down; the picture's lower left corner belongs at the thing's
    corner = (panel.coordinates[:, [0, 2, 1]] + np.array([0.3, 0.2, 0])).astype(np.float32)
    shader.rasteriser.load(
        [Mesh(panel.vertices_mm, panel.faces, panel.materials, coordinates=corner)], INTRINSICS, CROP
    )
    layer = shader.shade(shader.rasteriser.draw(), light((0.0, 0.0, -1.0), shadows=False))
    above, below = layer[pixel_of(np.array([0, -100, 2990.0]))], layer[pixel_of(np.array([0, 100, 2990.0]))]
    assert above[0] > 3 * above[1] and below[1] > 3 * below[0]


def test_a_dressed_mannequin_wears_its_clothes(shader: Shader) -> None:
    atlas = mannequin_atlas()
    joints = walking_joints_mm(0.0, heading_deg=90.0)
    vertices, faces, _ = mannequin(joints)
    look = BodyLook(
        skin=(0.5, 0.3, 0.2), hair=(0.02, 0.02, 0.02), upper=Material(base=(0.6, 0.0, 0.0)),
        lower=Material(base=(0.0, 0.0, 0.6)), shoes=(0.0, 0.6, 0.0), barefoot=False, bald=False,
        hair_line=0.25, hair_length=0.0, sleeve=0.5, hem=1.9, waist=0.0, neckline=1.1,
    )  # fmt: skip
    surface = BodySurface(atlas.coordinates[:, :6].copy(), atlas.face_part.astype(np.int32), atlas.eye, look)
    body = Mesh(
        (vertices + np.float32([0, 0, 5000])),
        faces,
        coordinates=atlas.coordinates[:, 6:].copy(),
        body=surface,
    )
    shader.rasteriser.load([body], INTRINSICS, CROP)
    drawing = shader.rasteriser.draw()
    first = shader.shade(drawing, light((0.3, -0.5, -1.0))).copy()
    again = shader.shade(shader.rasteriser.draw(), light((0.3, -0.5, -1.0)))
    assert first.tobytes() == again.tobytes()
    colour = first[..., :3]
    red, green, blue = (colour[..., k] > 1.5 * np.delete(colour, k, 2).max(2) for k in range(3))
    rows = [np.nonzero(mask)[0].mean() for mask in (red, blue, green)]
    assert min(m.sum() for m in (red, green, blue)) > 10 and rows == sorted(rows)


def test_a_floor_that_is_not_a_plane_is_refused(shader: Shader) -> None:
    shader.rasteriser.load([], INTRINSICS, CROP)
    with pytest.raises(DataError, match="give a unit vector"):
        shader.shade(
            shader.rasteriser.draw(), light((0, -1, 0)), Floor(np.zeros(3), np.array([0.0, -2.0, 0.0]))
        )
