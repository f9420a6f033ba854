"""Warp kernels of the rasteriser; they are compiled at their first launch and cached by Warp.

A triangle is drawn from its homogeneous corners (X, Y, W) in picture pixels: for a pixel p = (x, y, 1) the
barycentric weight of corner k is p . (next x after) / sum, perspective-correct and exact also for triangles
that reach behind the camera (Olano and Greer, "Triangle scan conversion using 2D homogeneous coordinates",
1997), so nothing is clipped. Nearest depths are kept by an atomic minimum of depth << 32 | face, which gives
the same bytes in any order of threads.

Their bodies are Warp's language, which Python type checkers cannot follow.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false
# pyright: reportOperatorIssue=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false
# In Warp, int(0) and float(0.0) declare variables that a loop may change.

import warp as wp

from sigmapose.synth.warp_runtime import start_warp

start_warp()
wp.set_module_options({"enable_backward": False})

EMPTY = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
"""Key of a sample that sees nothing."""

NEAR = wp.constant(wp.float64(20.0))
"""Surfaces nearer to the camera than this, in mm, are not seen."""

BEHIND = wp.constant(1.0e30)
"""Screen position of vertices that are not in front of the near plane."""

NOWHERE = wp.constant(wp.vec4(1.0, 1.0, 0.0, 0.0))
"""Bounds of what is not drawn: they hold no pixel."""

WIDE = wp.constant(6)
"""Triangles that may cover more columns than this are drawn by spans of each row."""


@wp.kernel
def project(
    vertices: wp.array(dtype=wp.vec3),
    matrix: wp.mat33d,
    offset: wp.vec3d,
    depth_axis: wp.vec4d,
    perspective: int,
    corners: wp.array(dtype=wp.vec4d),
    screen: wp.array(dtype=wp.vec2),
):
    """Homogeneous pixels and depth of every vertex; `screen` is their position if in front of the camera."""
    i = wp.tid()
    v = vertices[i]
    p = wp.vec3d(wp.float64(v[0]), wp.float64(v[1]), wp.float64(v[2]))
    h = matrix * p + offset
    depth = depth_axis[0] * p[0] + depth_axis[1] * p[1] + depth_axis[2] * p[2] + depth_axis[3]
    corners[i] = wp.vec4d(h[0], h[1], h[2], depth)
    if perspective == 0:
        screen[i] = wp.vec2(wp.float32(h[0]), wp.float32(h[1]))
    elif h[2] > NEAR:
        over = wp.float64(1.0) / h[2]
        screen[i] = wp.vec2(wp.float32(h[0] * over), wp.float32(h[1] * over))
    else:
        screen[i] = wp.vec2(BEHIND, BEHIND)


@wp.func
def _where_near(a: wp.vec4d, b: wp.vec4d, inside: wp.vec2):
    """Screen position at which the edge a-b meets the near plane, or `inside` if it does not."""
    if (a[2] > NEAR) == (b[2] > NEAR):
        return inside
    t = (NEAR - a[2]) / (b[2] - a[2])
    x = (a[0] + t * (b[0] - a[0])) / NEAR
    y = (a[1] + t * (b[1] - a[1])) / NEAR
    limit = wp.float64(1.0e6)
    return wp.vec2(wp.float32(wp.clamp(x, -limit, limit)), wp.float32(wp.clamp(y, -limit, limit)))


@wp.func
def _cut_bounds(a: wp.vec4d, b: wp.vec4d, c: wp.vec4d, sa: wp.vec2, sb: wp.vec2, sc: wp.vec2):
    """Box (low x, low y, high x, high y) around what of a triangle is in front of the near plane."""
    if a[2] <= NEAR and b[2] <= NEAR and c[2] <= NEAR:
        return NOWHERE
    seen = sa
    if b[2] > NEAR:
        seen = sb
    if c[2] > NEAR:
        seen = sc
    pa, pb, pc = sa, sb, sc
    if a[2] <= NEAR:
        pa = seen
    if b[2] <= NEAR:
        pb = seen
    if c[2] <= NEAR:
        pc = seen
    ab, bc, ca = _where_near(a, b, seen), _where_near(b, c, seen), _where_near(c, a, seen)
    low = wp.min(wp.min(wp.min(ab, bc), ca), wp.min(wp.min(pa, pb), pc))
    high = wp.max(wp.max(wp.max(ab, bc), ca), wp.max(wp.max(pa, pb), pc))
    return wp.vec4(low[0], low[1], high[0], high[1])


@wp.func
def _screen_bounds(
    corners: wp.array(dtype=wp.vec4d),
    corner: wp.vec3i,
    sa: wp.vec2,
    sb: wp.vec2,
    sc: wp.vec2,
    two_sided: wp.uint8,
):
    """Box (low x, low y, high x, high y) around a face; empty where it is surely turned away."""
    if wp.max(sa[0], wp.max(sb[0], sc[0])) >= BEHIND:
        return _cut_bounds(corners[corner[0]], corners[corner[1]], corners[corner[2]], sa, sb, sc)
    low, high = wp.min(sa, wp.min(sb, sc)), wp.max(sa, wp.max(sb, sc))
    if two_sided == wp.uint8(0):
        # turned away beyond all doubt of rounding
        area = (sb[0] - sa[0]) * (sc[1] - sa[1]) - (sb[1] - sa[1]) * (sc[0] - sa[0])
        if area > 1.0e-3 * (high[0] - low[0] + high[1] - low[1]):
            return NOWHERE
    return wp.vec4(low[0], low[1], high[0], high[1])


@wp.func
def _keep_nearest(keys: wp.array2d(dtype=wp.int64), y: int, x: int, depth: wp.float64, face: int):
    """Let a sample see a face at a depth, unless it sees something nearer."""
    single = wp.float32(depth)
    if single > 20.0:
        key = (wp.int64(wp.cast(single, wp.uint32)) << wp.int64(32)) | wp.int64(face)
        if key < keys[y, x]:
            wp.atomic_min(keys, y, x, key)


@wp.func
def _span(slope: wp.float64, rest: wp.float64, start: float, end: float):
    """Columns x of start..end where slope (x + 0.5) + rest may be >= 0."""
    if slope > wp.float64(0.0):
        at = wp.clamp(-rest / slope - wp.float64(1.5), wp.float64(-1.0), wp.float64(1.0e6))
        start = wp.max(start, wp.floor(wp.float32(at)))
    elif slope < wp.float64(0.0):
        at = wp.clamp(-rest / slope + wp.float64(0.5), wp.float64(-1.0), wp.float64(1.0e6))
        end = wp.min(end, wp.ceil(wp.float32(at)))
    return start, end


@wp.kernel
def draw(
    corners: wp.array(dtype=wp.vec4d),
    screen: wp.array(dtype=wp.vec2),
    faces: wp.array(dtype=wp.vec3i),
    two_sided: wp.array(dtype=wp.uint8),
    first: int,
    stripes: int,
    window: wp.vec4,
    keys: wp.array2d(dtype=wp.int64),
):
    """Draw faces first, first + 1, ...; each is shared by `stripes` threads, which take rows in turn.

    Only samples of the window (first and last column, first and last row) are drawn.
    """
    i, stripe = wp.tid()
    face = first + i
    corner = faces[face]
    sa, sb, sc = screen[corner[0]], screen[corner[1]], screen[corner[2]]
    box = _screen_bounds(corners, corner, sa, sb, sc, two_sided[face])
    # pixel x has its centre at x + 0.5
    x0 = int(wp.max(wp.ceil(box[0] - 0.501), window[0]))
    x1 = int(wp.min(wp.floor(box[2] - 0.499), window[1]))
    y0 = int(wp.max(wp.ceil(box[1] - 0.501), window[2]))
    y1 = int(wp.min(wp.floor(box[3] - 0.499), window[3]))
    if x0 > x1 or y0 > y1:
        return
    a, b, c = corners[corner[0]], corners[corner[1]], corners[corner[2]]
    pa = wp.vec3d(a[0], a[1], a[2])
    pb = wp.vec3d(b[0], b[1], b[2])
    pc = wp.vec3d(c[0], c[1], c[2])
    ea = wp.cross(pb, pc)
    zero, volume = wp.float64(0.0), wp.dot(pa, ea)
    if volume == zero or (volume > zero and two_sided[face] == wp.uint8(0)):
        return
    eb = wp.cross(pc, pa)
    ec = wp.cross(pa, pb)
    if volume < wp.float64(0.0):
        ea, eb, ec = -ea, -eb, -ec
    total = ea + eb + ec
    scaled = a[3] * ea + b[3] * eb + c[3] * ec
    first_row = y0 + (stripe - y0 % stripes + stripes) % stripes
    for y in range(first_row, y1 + 1, stripes):
        fy = wp.float64(y) + wp.float64(0.5)
        ra = ea[1] * fy + ea[2]
        rb = eb[1] * fy + eb[2]
        rc = ec[1] * fy + ec[2]
        rt, rs = total[1] * fy + total[2], scaled[1] * fy + scaled[2]
        start, end = float(x0), float(x1)
        if x1 - x0 > WIDE:
            # where a line crosses the row, to a column more than rounding can be wrong
            start, end = _span(ea[0], ra, start, end)
            start, end = _span(eb[0], rb, start, end)
            start, end = _span(ec[0], rc, start, end)
        for x in range(int(start), int(end) + 1):
            fx = wp.float64(x) + wp.float64(0.5)
            if ea[0] * fx + ra >= zero and eb[0] * fx + rb >= zero and ec[0] * fx + rc >= zero:
                over = total[0] * fx + rt
                if over > zero:
                    _keep_nearest(keys, y, x, (scaled[0] * fx + rs) / over, face)


@wp.func
def _crossing(a: wp.vec2, b: wp.vec2, y: float, ends: wp.vec2):
    """Least and largest x of a row's crossings with edges, one more edge seen."""
    if (a[1] > y) == (b[1] > y):
        return ends
    x = a[0] + (b[0] - a[0]) * ((y - a[1]) / (b[1] - a[1]))
    return wp.vec2(wp.min(ends[0], x), wp.max(ends[1], x))


@wp.kernel
def cover(
    points: wp.array(dtype=wp.vec2), faces: wp.array(dtype=wp.vec3i), canvas: wp.array2d(dtype=wp.uint8)
):
    """Set the pixels to 255 whose centres, at halves, lie in a flat triangle of either winding."""
    corner = faces[wp.tid()]
    a, b, c = points[corner[0]], points[corner[1]], points[corner[2]]
    height, width = float(canvas.shape[0]), float(canvas.shape[1])
    low = wp.clamp(wp.min(a[1], wp.min(b[1], c[1])), -1.0, height)
    high = wp.clamp(wp.max(a[1], wp.max(b[1], c[1])), -1.0, height)
    first, last = wp.max(int(wp.ceil(low - 0.5)), 0), wp.min(int(wp.floor(high - 0.5)), canvas.shape[0] - 1)
    for row in range(first, last + 1):
        y = float(row) + 0.5
        ends = _crossing(a, b, y, wp.vec2(BEHIND, -BEHIND))
        ends = _crossing(c, a, y, _crossing(b, c, y, ends))
        start = int(wp.ceil(wp.clamp(ends[0], 0.0, width) - 0.5))
        end = int(wp.floor(wp.clamp(ends[1], 0.0, width) - 0.5))
        for column in range(start, end + 1):
            canvas[row, column] = wp.uint8(255)


@wp.kernel
def face_normals(
    vertices: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.vec3i),
    first: int,
    result: wp.array(dtype=wp.vec3),
):
    """Normals as long as twice the faces' areas."""
    face = first + wp.tid()
    corner = faces[face]
    a = vertices[corner[0]]
    result[face] = wp.cross(vertices[corner[1]] - a, vertices[corner[2]] - a)


@wp.kernel
def vertex_normals(
    face_normal: wp.array(dtype=wp.vec3),
    start: wp.array(dtype=wp.int32),
    around: wp.array(dtype=wp.int32),
    first_vertex: int,
    first_face: int,
    result: wp.array(dtype=wp.vec3),
):
    """Area-weighted unit normals; faces around[start[i]:start[i + 1]] meet in vertex i."""
    i = wp.tid()
    total = wp.vec3(0.0, 0.0, 0.0)
    for k in range(start[i], start[i + 1]):
        total += face_normal[first_face + around[k]]
    result[first_vertex + i] = total / wp.max(wp.length(total), 1.0e-9)


@wp.kernel
def unpack(
    corners: wp.array(dtype=wp.vec4d),
    faces: wp.array(dtype=wp.vec3i),
    keys: wp.array2d(dtype=wp.int64),
    depth: wp.array2d(dtype=wp.float32),
    face: wp.array2d(dtype=wp.int32),
    weights: wp.array2d(dtype=wp.vec3),
):
    """Depth (0: nothing), face (-1: nothing) and barycentric weights of every sample."""
    y, x = wp.tid()
    key = keys[y, x]
    if key == EMPTY:
        depth[y, x] = 0.0
        face[y, x] = -1
        weights[y, x] = wp.vec3(0.0, 0.0, 0.0)
        return
    index = int(key & wp.int64(0x7FFFFFFF))
    depth[y, x] = wp.cast(wp.uint32(key >> wp.int64(32)), wp.float32)
    face[y, x] = index
    weights[y, x] = barycentric(
        corners, faces[index], wp.float64(x) + wp.float64(0.5), wp.float64(y) + wp.float64(0.5)
    )


@wp.func
def barycentric(corners: wp.array(dtype=wp.vec4d), corner: wp.vec3i, x: wp.float64, y: wp.float64):
    """Perspective-correct weights of a face's corners at a pixel position."""
    a, b, c = corners[corner[0]], corners[corner[1]], corners[corner[2]]
    pa = wp.vec3d(a[0], a[1], a[2])
    pb = wp.vec3d(b[0], b[1], b[2])
    pc = wp.vec3d(c[0], c[1], c[2])
    p = wp.vec3d(x, y, wp.float64(1.0))
    u = wp.dot(p, wp.cross(pb, pc))
    v = wp.dot(p, wp.cross(pc, pa))
    w = wp.dot(p, wp.cross(pa, pb))
    over = wp.float64(1.0) / (u + v + w)
    return wp.vec3(wp.float32(u * over), wp.float32(v * over), wp.float32(w * over))


@wp.func
def weights_at(corners: wp.array(dtype=wp.vec4d), corner: wp.vec3i, x: wp.float64, y: wp.float64):
    """As `barycentric`, of a face that is seen there; what remains after the shift is single."""
    a, b, c = corners[corner[0]], corners[corner[1]], corners[corner[2]]
    ax, ay = wp.float32(a[0] - x * a[2]), wp.float32(a[1] - y * a[2])
    bx, by = wp.float32(b[0] - x * b[2]), wp.float32(b[1] - y * b[2])
    cx, cy = wp.float32(c[0] - x * c[2]), wp.float32(c[1] - y * c[2])
    u, v, w = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx
    if u + v + w < 0.0:
        u, v, w = -u, -v, -w
    u, v, w = wp.max(u, 0.0), wp.max(v, 0.0), wp.max(w, 0.0)
    over = 1.0 / wp.max(u + v + w, 1.0e-30)
    return wp.vec3(u * over, v * over, w * over)
