"""Warp functions for what a surface looks like before light falls on it: patterns, skin, clothes, faces.

Edges of a pattern are as soft as a pixel is wide (`footprint`, in metres on the surface), so that one
evaluation a pixel does not look jagged. Colours are linear RGB.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# ruff: noqa: UP018
# In Warp, int(0) and float(0.0) declare variables that a loop may change.

import warp as wp

TRUNK, HEAD, ARM, HAND, LEG, FOOT = (wp.constant(i) for i in range(6))

ARM_M = wp.constant(0.27)
LEG_M = wp.constant(0.42)
TRUNK_M = wp.constant(0.5)
HEAD_M = wp.constant(0.22)
"""About how long one unit of an atlas coordinate is; decides how soft hems and eyes are."""


@wp.struct
class Texture:
    """A `Material` as the kernels read it."""

    kind: int
    base: wp.vec3
    second: wp.vec3
    period: float
    phase: wp.vec3
    gloss: float
    fold: float
    ripples: wp.mat33
    """Rows: directions times angular frequencies of three ripples, radians per metre."""
    tilts: wp.mat33
    """Rows: how each ripple tilts the normal."""
    start: int
    """Where the picture starts among all pictures."""
    height: int
    width: int


@wp.struct
class Look:
    """A `BodyLook` as the kernels read it."""

    skin: wp.vec3
    hair: wp.vec3
    shoes: wp.vec3
    upper: int
    lower: int
    barefoot: int
    bald: int
    hair_line: float
    hair_length: float
    sleeve: float
    hem: float
    waist: float
    neckline: float


@wp.struct
class Finish:
    """A surface point before light falls on it."""

    colour: wp.vec3
    gloss: float
    tilt: wp.vec3
    """Added to the unit normal."""


@wp.func
def sine(x: float):
    """sin(x) to 0.001, from two parabolas: the same bytes on every device, and fast."""
    t = x * 0.15915494
    t = t - wp.floor(t) - 0.5
    s = t * (16.0 * wp.abs(t) - 8.0)
    return s * (0.775 + 0.225 * wp.abs(s))


@wp.func
def step(edge: float, x: float, width: float):
    """0 below the edge, 1 above it, over a ramp of the given width."""
    return wp.clamp((x - edge) / wp.max(width, 1.0e-6) + 0.5, 0.0, 1.0)


@wp.func
def square_wave(phase: float, slope: float):
    """1 where sin(phase) > 0, else 0; `slope` is the change of phase over a pixel."""
    return wp.clamp(0.5 + sine(phase) / wp.max(slope, 1.0e-3), 0.0, 1.0)


@wp.func
def cell(i: int, j: int, k: int):
    """A random number 0..1 for every cell of a lattice."""
    h = wp.uint32(i) * wp.uint32(374761393) + wp.uint32(j) * wp.uint32(668265263)
    h += wp.uint32(k) * wp.uint32(1274126177)
    h = (h ^ (h >> wp.uint32(13))) * wp.uint32(1274126177)
    return float((h ^ (h >> wp.uint32(16))) & wp.uint32(0xFFFF)) / 65535.0


@wp.func
def noise(p: wp.vec3):
    """Smooth value noise 0..1 of period 1."""
    fx, fy, fz = wp.floor(p[0]), wp.floor(p[1]), wp.floor(p[2])
    i, j, k = int(fx), int(fy), int(fz)
    x, y, z = p[0] - fx, p[1] - fy, p[2] - fz
    x, y, z = x * x * (3.0 - 2.0 * x), y * y * (3.0 - 2.0 * y), z * z * (3.0 - 2.0 * z)
    a = wp.lerp(
        wp.lerp(cell(i, j, k), cell(i + 1, j, k), x), wp.lerp(cell(i, j + 1, k), cell(i + 1, j + 1, k), x), y
    )
    k += 1
    b = wp.lerp(
        wp.lerp(cell(i, j, k), cell(i + 1, j, k), x), wp.lerp(cell(i, j + 1, k), cell(i + 1, j + 1, k), x), y
    )
    return wp.lerp(a, b, z)


@wp.func
def to_linear(v: float):
    """Display value to linear light (sRGB, fitted by a cubic)."""
    return v * (v * (v * 0.305306011 + 0.682171111) + 0.012522878)


@wp.func
def to_display(v: float):
    """Linear light to display value (sRGB, fitted by square roots)."""
    x = wp.clamp(v, 0.0, 1.0)
    a = wp.sqrt(x)
    b = wp.sqrt(a)
    return wp.clamp(0.585122381 * a + 0.783140355 * b - 0.368262736 * wp.sqrt(b), 0.0, 1.0)


@wp.func
def from_picture(t: Texture, c: wp.vec3, pictures: wp.array2d(dtype=wp.uint8)):
    """A picture laid over x and y (upwards), mirrored where it repeats, bilinear."""
    u = (c[0] / t.period + t.phase[0] * 0.15915494) * 0.5
    v = (c[1] / t.period * float(t.width) / float(t.height) + t.phase[1] * 0.15915494) * 0.5
    u = wp.abs(2.0 * (u - wp.floor(u)) - 1.0) * float(t.width - 1)
    v = wp.abs(2.0 * (v - wp.floor(v)) - 1.0) * float(t.height - 1)
    i, j = int(u), int(v)
    fx, fy = u - float(i), v - float(j)
    i1, j1 = wp.min(i + 1, t.width - 1), wp.min(j + 1, t.height - 1)
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(4):
        column, row, weight = i, j, 1.0 - fx
        if k % 2 == 1:
            column, weight = i1, fx
        if k >= 2:
            row = j1
            weight *= fy
        else:
            weight *= 1.0 - fy
        at = t.start + row * t.width + column
        r, g, b = float(pictures[at, 0]), float(pictures[at, 1]), float(pictures[at, 2])
        total += weight / 255.0 * wp.vec3(r, g, b)
    return wp.vec3(to_linear(total[0]), to_linear(total[1]), to_linear(total[2]))


@wp.func
def pattern(t: Texture, c: wp.vec3, footprint: float, pictures: wp.array2d(dtype=wp.uint8)):
    """Colour of a material at texture coordinates; the numbers are places in `mesh.KINDS`."""
    if t.kind == 0:
        return t.base
    if t.kind == 8:
        return from_picture(t, c, pictures)
    scale = 6.2831853 / t.period
    slope = 2.0 * scale * footprint
    x, y, z = scale * c[0] + t.phase[0], scale * c[1] + t.phase[1], scale * c[2] + t.phase[2]
    mix = float(0.0)
    if t.kind == 1:
        mix = square_wave(z, slope)
    elif t.kind == 2:
        mix = square_wave(x, slope)
    elif t.kind == 3:
        mix = 0.5 * square_wave(x, slope) + 0.5 * square_wave(z, slope)
    elif t.kind == 4:
        bumps = sine(x + sine(1.7 * z)) * sine(z + sine(1.3 * x))
        mix = wp.clamp(0.5 + (bumps - 0.1) / wp.max(2.0 * slope, 1.0e-3), 0.0, 1.0)
    elif t.kind == 5:
        mix = step(t.phase[2] * 0.08, c[2], 2.0 * footprint)
    elif t.kind == 6:
        bent = noise(0.25 * wp.vec3(x, y, 0.15 * z))
        radius = wp.sqrt(x * x + y * y) + 4.0 * bent
        fine = 0.5 + 0.5 * sine(4.0 * x + 3.0 * sine(2.3 * y) + 0.3 * z) * sine(3.1 * y - 0.2 * z)
        mix = (0.6 * (0.5 + 0.5 * sine(radius)) + 0.4 * fine) / (1.0 + slope) + 0.5 * slope / (1.0 + slope)
    elif t.kind == 7:
        p = wp.vec3(x, y, z) * 0.3
        mix = (0.65 * noise(p) + 0.35 * noise(2.7 * p)) / (1.0 + 0.3 * slope) + 0.15 * slope / (
            1.0 + 0.3 * slope
        )
    return t.base + mix * (t.second - t.base)


@wp.func
def folds(t: Texture, c: wp.vec3):
    """Tilt of the normal by three ripples."""
    if t.fold <= 0.0:
        return wp.vec3(0.0, 0.0, 0.0)
    phase = t.ripples * c
    a, b, d = sine(phase[0] + t.phase[0]), sine(phase[1] + t.phase[1]), sine(phase[2] + t.phase[2])
    return t.fold * (wp.transpose(t.tilts) * wp.vec3(a, b, d))


@wp.func
def hairy(look: Look, head: wp.vec3, width: float):
    """Share of hair at a head point (right, forward, up): above a line that falls from forehead to nape."""
    if look.bald == 1:
        return 0.0
    line = look.hair_length
    if head[1] > -0.22:
        line = look.hair_line + 0.5 * wp.min(head[1] + 0.12, 0.0)
    return step(line, head[2], width)


@wp.func
def face_colour(look: Look, head: wp.vec3, eye: int, width: float):
    """Skin, lips, brows, eyes and hair, in head coordinates (right, forward, up from between the eyes)."""
    x, up = wp.abs(head[0]), head[2]
    if eye == 1:
        away = wp.sqrt((x - 0.138) * (x - 0.138) + up * up)
        return wp.lerp(wp.vec3(0.06, 0.04, 0.03), wp.vec3(0.75, 0.73, 0.7), step(0.032, away, width))
    colour = look.skin
    if head[1] > -0.2:
        mx, mu = x / 0.11, (up + 0.315) / 0.028
        lips = 1.0 - step(1.0, wp.sqrt(mx * mx + mu * mu), width / 0.04)
        colour = wp.cw_mul(colour, wp.lerp(wp.vec3(1.0, 1.0, 1.0), wp.vec3(0.85, 0.5, 0.5), lips))
        along = 1.0 - step(0.085, wp.abs(x - 0.14), width)
        across = 1.0 - step(0.016, wp.abs(up - 0.085 - 0.1 * (0.14 - x)), width)
        colour = wp.lerp(colour, look.hair, along * across)
    return wp.lerp(colour, look.hair, hairy(look, head, width))


@wp.func
def body(
    look: Look,
    textures: wp.array(dtype=Texture),
    pictures: wp.array2d(dtype=wp.uint8),
    part: int,
    eye: int,
    limbs: wp.vec3,
    head: wp.vec3,
    rest: wp.vec3,
    footprint: float,
):
    """A person's skin, clothes and face at a point with these atlas coordinates (arm, leg, trunk; head)."""
    finish = Finish()
    finish.gloss = 0.12
    if part == HEAD:
        finish.colour = face_colour(look, head, eye, footprint / HEAD_M)
        if eye == 1:
            finish.gloss = 0.8
        return finish
    finish.colour = look.skin
    arm, leg, trunk = limbs[0], limbs[1], limbs[2]
    upper, lower = float(0.0), float(0.0)
    if part == TRUNK:
        waist = step(look.waist, trunk, footprint / TRUNK_M)
        upper = waist * (1.0 - step(look.neckline, trunk, footprint / TRUNK_M))
        lower = 1.0 - waist
    elif part == ARM or part == HAND:  # noqa: SIM109 Warp has no `in`
        upper = 1.0 - step(look.sleeve, arm, footprint / ARM_M)
    elif part == LEG:
        lower = 1.0 - step(look.hem, leg, footprint / LEG_M)
    if upper > 0.0:
        t = textures[look.upper]
        finish.colour = wp.lerp(finish.colour, pattern(t, rest, footprint, pictures), upper)
        finish.tilt += upper * folds(t, rest)
        finish.gloss = wp.lerp(finish.gloss, t.gloss, upper)
    if lower > 0.0:
        t = textures[look.lower]
        finish.colour = wp.lerp(finish.colour, pattern(t, rest, footprint, pictures), lower)
        finish.tilt += lower * folds(t, rest)
        finish.gloss = wp.lerp(finish.gloss, t.gloss, lower)
    if look.barefoot == 0 and (part == FOOT or part == LEG):  # noqa: SIM109
        shoe = float(1.0)
        if part == LEG:
            shoe = step(1.93, leg, footprint / LEG_M)
        finish.colour = wp.lerp(finish.colour, look.shoes, shoe)
        finish.gloss = wp.lerp(finish.gloss, 0.3, shoe)
    return finish
