"""Warp kernels that light a drawing: one soft key light with a shadow map, sky and ground, gloss, a floor."""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# ruff: noqa: UP018, RUF046
# In Warp, int(0) and float(0.0) declare variables that a loop may change.

import warp as wp

from sigmapose.synth.render.kernels import EMPTY, weights_at
from sigmapose.synth.render.surfaces import Finish, Look, Texture, body, folds, pattern, to_display
from sigmapose.synth.warp_runtime import start_warp

start_warp()
wp.set_module_options({"enable_backward": False})


@wp.struct
class Lamp:
    """A `Light` as the kernels read it; directions in the camera frame."""

    towards: wp.vec3
    up: wp.vec3
    key: wp.vec3
    sky: wp.vec3
    ground: wp.vec3
    wrap: float
    shadows: int
    strength: float
    """Share of the key light that a shadow takes away."""
    rows: wp.mat33
    offset: wp.vec3
    """Camera frame -> texels and depth of the shadow map."""
    texel: float
    """Side of a texel, mm."""


@wp.struct
class FloorStruct:
    """A `Floor` as the kernels read it."""

    present: int
    point: wp.vec3
    normal: wp.vec3
    right: wp.vec3
    ahead: wp.vec3
    texture: int
    """-1: only shadows."""
    contacts: int
    centre: wp.vec3
    reach: float
    """Contacts matter up to this far from the centre, mm."""


@wp.struct
class Buffers:
    """Everything about the loaded meshes."""

    corners: wp.array(dtype=wp.vec4d)
    vertices: wp.array(dtype=wp.vec3)
    normals: wp.array(dtype=wp.vec3)
    coordinates: wp.array(dtype=wp.vec3)
    limbs: wp.array(dtype=wp.vec3)
    head: wp.array(dtype=wp.vec3)
    faces: wp.array(dtype=wp.vec3i)
    mesh_of_face: wp.array(dtype=wp.int32)
    finish_of_face: wp.array(dtype=wp.int32)
    """A texture, or -1 - (part + 8 * eye + 16 * look)."""
    textures: wp.array(dtype=Texture)
    looks: wp.array(dtype=Look)
    pictures: wp.array2d(dtype=wp.uint8)


@wp.func
def lit(lamp: Lamp, shadow: wp.array2d(dtype=wp.int64), point: wp.vec3, bias: float):
    """Share of the key light that reaches a point, averaged over 3 x 3 texels."""
    p = lamp.rows * point + lamp.offset
    height, width = shadow.shape[0], shadow.shape[1]
    fx, fy = p[0] - 2.0, p[1] - 2.0
    x0, y0 = int(wp.floor(fx)), int(wp.floor(fy))
    if x0 < 0 or y0 < 0 or x0 + 3 >= width or y0 + 3 >= height:
        return 1.0
    fx -= float(x0)
    fy -= float(y0)
    limit = wp.int64(wp.cast(wp.max(p[2] - bias, 0.0), wp.uint32)) << wp.int64(32)
    blocked = float(0.0)
    for j in range(4):
        wy = float(1.0)
        if j == 0:
            wy = 1.0 - fy
        elif j == 3:
            wy = fy
        row = float(0.0)
        if shadow[y0 + j, x0] < limit:
            row += 1.0 - fx
        if shadow[y0 + j, x0 + 1] < limit:
            row += 1.0
        if shadow[y0 + j, x0 + 2] < limit:
            row += 1.0
        if shadow[y0 + j, x0 + 3] < limit:
            row += fx
        blocked += wy * row
    return 1.0 - blocked / 9.0


@wp.func
def facing_of(lamp: Lamp, normal: wp.vec3):
    """How much of the key light falls on a surface that nothing shades, 0..1."""
    return wp.clamp((wp.dot(normal, lamp.towards) + lamp.wrap) / (1.0 + lamp.wrap), 0.0, 1.0)


@wp.func
def light_up(
    lamp: Lamp, finish: Finish, n: wp.vec3, view: wp.vec3, facing: float, reached: float, open_sky: float
):
    """Linear light that a surface sends to the camera; `view` points from the surface to the camera."""
    above = 0.5 + 0.5 * wp.dot(n, lamp.up)
    ambient = open_sky * wp.lerp(lamp.ground, lamp.sky, above)
    result = wp.cw_mul(finish.colour, ambient + facing * reached * lamp.key)
    if finish.gloss > 0.0:
        shine = wp.max(wp.dot(n, wp.normalize(lamp.towards + view)), 0.0)
        shine = shine * shine
        shine = shine * shine
        shine = shine * shine
        sharp = shine * shine
        sharp = sharp * sharp
        glint = finish.gloss * reached * (0.12 * shine + 0.6 * finish.gloss * sharp)
        result += glint * lamp.key
        grazing = 1.0 - wp.max(wp.dot(n, view), 0.0)
        grazing = grazing * grazing
        result += 0.25 * finish.gloss * grazing * grazing * ambient
    return result


@wp.func
def displayed(c: wp.vec3):
    return wp.vec3(to_display(c[0]), to_display(c[1]), to_display(c[2]))


@wp.func
def floor_openness(ground: FloorStruct, contacts: wp.array(dtype=wp.vec4), point: wp.vec3):
    """Share of the sky that things standing or lying on the floor leave to a point of the floor."""
    result = float(1.0)
    if wp.length(point - ground.centre) < ground.reach:
        for k in range(ground.contacts):
            c = contacts[k]
            away = wp.vec3(c[0], c[1], c[2]) - point
            square = wp.max(wp.dot(away, away), c[3] * c[3])
            upwards = wp.max(wp.dot(away, ground.normal), 0.0) / wp.sqrt(square)
            result *= 1.0 - 0.8 * upwards * c[3] * c[3] / square
    return result


@wp.func
def floor_light(
    lamp: Lamp,
    ground: FloorStruct,
    shadow: wp.array2d(dtype=wp.int64),
    contacts: wp.array(dtype=wp.vec4),
    point: wp.vec3,
):
    """Share of the key light and of the sky that reach a point of the floor."""
    reached = float(1.0)
    if lamp.shadows == 1:
        reached = 1.0 - lamp.strength * (1.0 - lit(lamp, shadow, point, 1.5 * lamp.texel))
    return wp.vec2(reached, floor_openness(ground, contacts, point))


@wp.func
def floor_depth(ground: FloorStruct, ray: wp.vec3):
    """Depth at which a ray with z = 1 meets the floor from above; 0 if it does not."""
    slope = -wp.dot(ground.normal, ray)
    if slope <= 1.0e-4:
        return 0.0
    return -wp.dot(ground.normal, ground.point) / slope


@wp.kernel
def light_floor(
    to_ray: wp.mat33,
    spacing: float,
    lamp: Lamp,
    ground: FloorStruct,
    shadow: wp.array2d(dtype=wp.int64),
    contacts: wp.array(dtype=wp.vec4),
    result: wp.array2d(dtype=wp.vec2),
):
    """Share of the key light and of the sky that reach the floor, on a grid `spacing` samples wide."""
    y, x = wp.tid()
    ray = to_ray * wp.vec3(spacing * (float(x) + 0.5), spacing * (float(y) + 0.5), 1.0)
    ray = ray / ray[2]
    depth = floor_depth(ground, ray)
    result[y, x] = wp.vec2(1.0, 1.0)
    if depth > 20.0:
        result[y, x] = floor_light(lamp, ground, shadow, contacts, depth * ray)


@wp.kernel
def darken_floor(
    to_ray: wp.mat33,
    spacing: float,
    lamp: Lamp,
    ground: FloorStruct,
    shadow: wp.array2d(dtype=wp.int64),
    contacts: wp.array(dtype=wp.vec4),
    result: wp.array2d(dtype=float),
):
    """How much of a photo behind goes where the floor is in shadow: an alpha of black, display values, on a
    grid `spacing` samples wide."""
    y, x = wp.tid()
    ray = to_ray * wp.vec3(spacing * (float(x) + 0.5), spacing * (float(y) + 0.5), 1.0)
    ray = ray / ray[2]
    depth = floor_depth(ground, ray)
    result[y, x] = 0.0
    if depth > 20.0:
        share = floor_light(lamp, ground, shadow, contacts, depth * ray)
        if share[0] < 1.0 or share[1] < 0.999:
            sky = wp.dot(lamp.sky, wp.vec3(1.0, 1.0, 1.0))
            key = facing_of(lamp, ground.normal) * wp.dot(lamp.key, wp.vec3(1.0, 1.0, 1.0))
            result[y, x] = 1.0 - to_display((share[1] * sky + share[0] * key) / wp.max(sky + key, 1.0e-6))


@wp.kernel
def compose(
    layer: wp.array2d(dtype=wp.vec4),
    dark: wp.array2d(dtype=float),
    behind: wp.array2d(dtype=wp.vec3),
    result: wp.array2d(dtype=wp.vec3),
):
    """A layer over a picture that is darkened by an alpha of half its resolution, if there is any.

    A thread does a row.
    """
    y = wp.tid()
    for x in range(layer.shape[1]):
        over = layer[y, x]
        free = 1.0 - over[3]
        if free > 0.0 and dark.shape[0] > 0:
            free *= 1.0 - doubled(dark, y, x)
        result[y, x] = wp.vec3(over[0], over[1], over[2]) + free * behind[y, x]


@wp.func
def doubled(values: wp.array2d(dtype=float), y: int, x: int):
    """Bilinear, at a pixel of a grid twice as fine."""
    j, i = y / 2, x / 2
    k = wp.clamp(j + 2 * (y % 2) - 1, 0, values.shape[0] - 1)
    m = wp.clamp(i + 2 * (x % 2) - 1, 0, values.shape[1] - 1)
    return 0.5625 * values[j, i] + 0.1875 * (values[k, i] + values[j, m]) + 0.0625 * values[k, m]


@wp.kernel
def darken(dark: wp.array2d(dtype=float), layer: wp.array2d(dtype=wp.vec4)):
    """Put black of an alpha of half the resolution under a layer."""
    y, x = wp.tid()
    over = layer[y, x]
    over[3] = 1.0 - (1.0 - over[3]) * (1.0 - doubled(dark, y, x))
    layer[y, x] = over


@wp.kernel
def shade_floor(
    supersample: int,
    to_ray: wp.mat33,
    pixel: float,
    lamp: Lamp,
    ground: FloorStruct,
    light: wp.array2d(dtype=wp.vec2),
    textures: wp.array(dtype=Texture),
    pictures: wp.array2d(dtype=wp.uint8),
    result: wp.array2d(dtype=wp.vec4),
):
    """Put an opaque floor behind a layer of premultiplied display RGBA."""
    row, column = wp.tid()
    before = result[row, column]
    if before[3] >= 0.999:
        return
    step = float(supersample)
    ray = to_ray * wp.vec3(step * (float(column) + 0.5), step * (float(row) + 0.5), 1.0)
    ray = ray / ray[2]
    depth = floor_depth(ground, ray)
    if depth <= 20.0:
        return
    t = textures[ground.texture]
    away = 0.001 * (depth * ray - ground.point)
    ahead = wp.dot(away, ground.ahead)
    c = wp.vec3(wp.dot(away, ground.right), ahead, ahead)
    slope = -wp.dot(ground.normal, ray)
    finish = Finish()
    finish.colour = pattern(t, c, 0.001 * depth * pixel / wp.max(slope, 0.05), pictures)
    finish.gloss = t.gloss
    finish.tilt = folds(t, c)
    share = light[row, column]
    n = wp.normalize(ground.normal + finish.tilt)
    lights = light_up(lamp, finish, n, -wp.normalize(ray), facing_of(lamp, n), share[0], share[1])
    seen = displayed(lights)
    alpha = (1.0 - before[3]) * wp.clamp(slope / pixel * 0.5, 0.0, 1.0)
    result[row, column] = before + alpha * wp.vec4(seen[0], seen[1], seen[2], 1.0)


@wp.func
def surface_sample(
    face: int,
    x: wp.float64,
    y: wp.float64,
    pixel: float,
    lamp: Lamp,
    ground: FloorStruct,
    shadow: wp.array2d(dtype=wp.int64),
    b: Buffers,
):
    """Display RGB of a face at a sample position."""
    corner = b.faces[face]
    i, j, k = corner[0], corner[1], corner[2]
    w = weights_at(b.corners, corner, x, y)
    point = w[0] * b.vertices[i] + w[1] * b.vertices[j] + w[2] * b.vertices[k]
    normal = wp.normalize(w[0] * b.normals[i] + w[1] * b.normals[j] + w[2] * b.normals[k])
    view = -wp.normalize(point)
    outwards = wp.cross(b.vertices[j] - b.vertices[i], b.vertices[k] - b.vertices[i])
    if wp.dot(outwards, view) < 0.0:
        normal = -normal
    c = w[0] * b.coordinates[i] + w[1] * b.coordinates[j] + w[2] * b.coordinates[k]
    footprint = 0.001 * point[2] * pixel
    code = b.finish_of_face[face]
    finish = Finish()
    if code >= 0:
        t = b.textures[code]
        finish.colour = pattern(t, c, footprint, b.pictures)
        finish.gloss = t.gloss
        finish.tilt = folds(t, c)
    else:
        code = -1 - code
        limbs = w[0] * b.limbs[i] + w[1] * b.limbs[j] + w[2] * b.limbs[k]
        head = w[0] * b.head[i] + w[1] * b.head[j] + w[2] * b.head[k]
        look = b.looks[code / 16]
        finish = body(look, b.textures, b.pictures, code % 8, (code / 8) % 2, limbs, head, c, footprint)
    n = wp.normalize(normal + finish.tilt)
    facing, reached = facing_of(lamp, n), float(1.0)
    if lamp.shadows == 1 and facing > 0.0:
        start = point + (1.5 * lamp.texel) * normal
        reached = 1.0 - lamp.strength * (1.0 - lit(lamp, shadow, start, 0.5 * lamp.texel))
    open_sky = float(1.0)
    if ground.present == 1:
        height = wp.max(wp.dot(point - ground.point, ground.normal), 0.0)
        open_sky = 1.0 - 0.35 / (1.0 + height * height / 10000.0)
    return displayed(light_up(lamp, finish, n, view, facing, reached, open_sky))


@wp.kernel
def shade(
    keys: wp.array2d(dtype=wp.int64),
    pixels: wp.array(dtype=wp.int32),
    supersample: int,
    pixel: float,
    lamp: Lamp,
    ground: FloorStruct,
    shadow: wp.array2d(dtype=wp.int64),
    b: Buffers,
    result: wp.array2d(dtype=wp.vec4),
):
    """Premultiplied display RGBA of the listed pixels; samples of one surface are shaded once.

    `pixel` is a pixel's width at z = 1.
    """
    flat = pixels[wp.tid()]
    row, column = flat / result.shape[1], flat % result.shape[1]
    share = 1.0 / float(supersample * supersample)
    total = wp.vec4(0.0, 0.0, 0.0, 0.0)
    done = int(0)
    bit = int(1)
    top, left = row * supersample, column * supersample
    for j in range(supersample):
        for i in range(supersample):
            key = keys[top + j, left + i]
            if key != EMPTY and (done & bit) == 0:
                face = int(key & wp.int64(0x7FFFFFFF))
                mesh = b.mesh_of_face[face]
                depth = wp.cast(wp.uint32(key >> wp.int64(32)), wp.float32)
                weight = share
                other_bit = bit << 1
                for n in range(j * supersample + i + 1, supersample * supersample):
                    other = keys[top + n / supersample, left + n % supersample]
                    if other != EMPTY and (done & other_bit) == 0:
                        gap = wp.cast(wp.uint32(other >> wp.int64(32)), wp.float32) - depth
                        if wp.abs(gap) < 0.01 * depth:
                            other_face = int(other & wp.int64(0x7FFFFFFF))
                            if other_face == face or b.mesh_of_face[other_face] == mesh:
                                done = done | other_bit
                                weight += share
                    other_bit = other_bit << 1
                fx, fy = wp.float64(left + i) + wp.float64(0.5), wp.float64(top + j) + wp.float64(0.5)
                seen = surface_sample(face, fx, fy, pixel, lamp, ground, shadow, b)
                total += weight * wp.vec4(seen[0], seen[1], seen[2], 1.0)
            bit = bit << 1
    result[row, column] = total
