"""Warp kernels that find the first surface on a few rays exactly: every triangle is tried, in float64.

Rays start at the camera and have z = 1, so a ray's parameter is depth along z. Rays are sorted into a grid
over (x/z, y/z); a triangle is tried only against rays in the cells that its corners span, and one cell more
on every side, which no rounding can leave.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import warp as wp

from sigmapose.synth.warp_runtime import start_warp

start_warp()
wp.set_module_options({"enable_backward": False})

CELLS = wp.constant(192)
EVERYWHERE = wp.constant(255)
"""Column of a vertex that is not in front of the camera: its triangles are tried against every ray."""

THIN = wp.constant(wp.float64(1.0e-12))
"""Triangles that a ray sees thinner than this, against the squares of their sides, are not hit: what is left
of them is rounding."""


@wp.func
def cell_of(x: wp.float64, low: wp.float64, scale: wp.float64):
    """Rays lie in cells 2 to CELLS - 3; what is farther out shares the cells at the rim."""
    place = wp.clamp((x - low) * scale + wp.float64(2.0), wp.float64(0.0), wp.float64(CELLS - 1))
    return int(place)


@wp.kernel
def vertex_cells(
    vertices: wp.array(dtype=wp.vec3),
    low: wp.vec2d,
    scale: wp.vec2d,
    cells: wp.array(dtype=wp.vec2ub),
):
    """Column and row of the grid in which every vertex is seen."""
    i = wp.tid()
    v = vertices[i]
    if v[2] < 1.0:
        cells[i] = wp.vec2ub(wp.uint8(EVERYWHERE), wp.uint8(0))
        return
    over = wp.float64(1.0) / wp.float64(v[2])
    column = wp.uint8(cell_of(wp.float64(v[0]) * over, low[0], scale[0]))
    cells[i] = wp.vec2ub(column, wp.uint8(cell_of(wp.float64(v[1]) * over, low[1], scale[1])))


@wp.func
def as_double(v: wp.vec3):
    return wp.vec3d(wp.float64(v[0]), wp.float64(v[1]), wp.float64(v[2]))


@wp.kernel
def first_hits(
    vertices: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    cells: wp.array(dtype=wp.vec2ub),
    sets: wp.array2d(dtype=wp.uint64),
    rays: wp.array(dtype=wp.vec3d),
    depth: wp.array(dtype=wp.float64),
):
    """Least depth per ray (Moeller and Trumbore, "Fast, minimum storage ray/triangle intersection", 1997).

    Bit r of sets[0, c] says that ray r lies in column c or beyond, of sets[1, c] in c or before; sets[2] and
    sets[3] say so of rows.
    """
    corner = faces[wp.tid()]
    a, b, c = cells[corner[0]], cells[corner[1]], cells[corner[2]]
    ca, cb, cc = int(a[0]), int(b[0]), int(c[0])
    wanted = ~wp.uint64(0)
    if wp.max(ca, wp.max(cb, cc)) < CELLS:
        ra, rb, rc = int(a[1]), int(b[1]), int(c[1])
        wanted = sets[0, wp.max(wp.min(ca, wp.min(cb, cc)) - 1, 0)]
        wanted = wanted & sets[1, wp.min(wp.max(ca, wp.max(cb, cc)) + 1, CELLS - 1)]
        wanted = wanted & sets[2, wp.max(wp.min(ra, wp.min(rb, rc)) - 1, 0)]
        wanted = wanted & sets[3, wp.min(wp.max(ra, wp.max(rb, rc)) + 1, CELLS - 1)]
        if wanted == wp.uint64(0):
            return
    start = as_double(vertices[corner[0]])
    e = as_double(vertices[corner[1]]) - start
    f = as_double(vertices[corner[2]]) - start
    zero, one = wp.float64(0.0), wp.float64(1.0)
    for r in range(rays.shape[0]):
        if (wanted >> wp.uint64(r)) & wp.uint64(1) == wp.uint64(1):
            d = rays[r]
            p = wp.cross(d, f)
            det = wp.dot(e, p)
            if wp.abs(det) > THIN * (wp.dot(e, e) + wp.dot(f, f)):
                u = -wp.dot(start, p) / det
                q = wp.cross(e, start)
                v = wp.dot(q, d) / det
                t = wp.dot(f, q) / det
                if u >= zero and v >= zero and u + v <= one and t > zero:
                    wp.atomic_min(depth, r, t)
