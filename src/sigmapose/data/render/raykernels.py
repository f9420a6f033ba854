"""Warp kernels that cast rays at a mesh; they are compiled at their first launch and cached by Warp.

Their bodies are Warp's language, which Python type checkers cannot follow.
"""
# pyright: basic, reportAttributeAccessIssue=false, reportArgumentType=false, reportInvalidTypeForm=false

import warp as wp

# a library prints nothing: no banner, no notice of every compiled module
wp.config.log_level = wp.LOG_ERROR


@wp.kernel
def cast_rays(
    mesh: wp.uint64,
    directions: wp.array(dtype=wp.vec3),
    depth: wp.array(dtype=wp.float32),
    face: wp.array(dtype=wp.int32),
    barycentric: wp.array(dtype=wp.vec2),
):
    ray = wp.tid()
    hit = wp.mesh_query_ray(mesh, wp.vec3(0.0, 0.0, 0.0), directions[ray], 1.0e6)
    if hit.result:
        depth[ray] = hit.t
        face[ray] = hit.face
        barycentric[ray] = wp.vec2(hit.u, hit.v)
    else:
        depth[ray] = 0.0
        face[ray] = -1


@wp.kernel
def cast_shadows(
    mesh: wp.uint64,
    origins: wp.array(dtype=wp.vec3),
    light: wp.vec3,
    blocked: wp.array(dtype=wp.int32),
):
    ray = wp.tid()
    blocked[ray] = wp.where(wp.mesh_query_ray_anyhit(mesh, origins[ray], light, 1.0e6), 1, 0)
