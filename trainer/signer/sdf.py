"""Ray marching of signed-distance primitives, compiled with numba. scene.py builds what it draws.

A scene is `prims` (N, 24) and `groups` (G, 7). Columns of a primitive:

    0 kind: 0 tapered capsule, 1 ellipsoid      1:4 first end or centre
    4:7 second end or radii                     7, 8 radii of a capsule's ends
    9 how it joins: 0 smoothly with the body of the group, 1 with that body only (a finger's root),
      2 smoothly with what joined by 1 or 2 (the rest of the finger), 3 carved out
    10 how smoothly, metres                     11:20 axes of an ellipsoid (rows)
    20:23 where the back of a finger bone faces 23 1 finger bone, 2 the last one (with a nail)

and of a group: 0, 1 its primitives from and to; 2:5, 5 a sphere around it; 6 its material.
"""

import math

import numpy as np
from numba import njit, prange

SKIN, SHIRT, HAIR, FACE = 0, 1, 2, 3
N_PRIM, N_GROUP = 24, 7
LIGHT = (-0.38, 0.62, 0.69)


@njit(fastmath=True, inline="always", cache=True)
def _distance_to(p, x, y, z):
    if p[0] == 0.0:
        bx, by, bz = p[4] - p[1], p[5] - p[2], p[6] - p[3]
        px, py, pz = x - p[1], y - p[2], z - p[3]
        h = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz + 1e-12)
        h = min(1.0, max(0.0, h))
        dx, dy, dz = px - bx * h, py - by * h, pz - bz * h
        return math.sqrt(dx * dx + dy * dy + dz * dz) - (p[7] + (p[8] - p[7]) * h)
    px, py, pz = x - p[1], y - p[2], z - p[3]
    lx = (p[11] * px + p[12] * py + p[13] * pz) / p[4]
    ly = (p[14] * px + p[15] * py + p[16] * pz) / p[5]
    lz = (p[17] * px + p[18] * py + p[19] * pz) / p[6]
    k0 = math.sqrt(lx * lx + ly * ly + lz * lz)
    k1 = math.sqrt((lx / p[4]) ** 2 + (ly / p[5]) ** 2 + (lz / p[6]) ** 2)
    return k0 * (k0 - 1.0) / (k1 + 1e-9)


@njit(fastmath=True, inline="always", cache=True)
def _smooth_min(a, b, k):
    if k <= 0.0:
        return min(a, b)
    h = max(k - abs(a - b), 0.0) / k
    return min(a, b) - h * h * k * 0.25


@njit(fastmath=True, cache=True)
def _group_distance(prims, start, end, x, y, z):
    """Distance to a group, and the number of the nearest primitive."""
    body, fingers, nearest, best = 1e9, 1e9, -1, 1e9
    for i in range(start, end):
        d = _distance_to(prims[i], x, y, z)
        mode, k = prims[i, 9], prims[i, 10]
        if mode == 3.0:
            h = max(k - abs(body + d), 0.0) / k
            body = max(body, -d) + h * h * k * 0.25
            continue
        if d < best:
            best, nearest = d, i
        if mode == 0.0:
            body = _smooth_min(body, d, k)
        elif mode == 1.0:
            fingers = min(fingers, _smooth_min(body, d, k))
        else:
            fingers = _smooth_min(fingers, d, k)
    return min(body, fingers), nearest


@njit(fastmath=True, cache=True)
def _scene_distance(prims, groups, active, x, y, z):
    """Distance to the scene, the group and the primitive (-1 while far away)."""
    d, group, prim = 1e9, -1, -1
    for g in range(groups.shape[0]):
        if active[g] == 0:
            continue
        dx, dy, dz = x - groups[g, 2], y - groups[g, 3], z - groups[g, 4]
        sphere = math.sqrt(dx * dx + dy * dy + dz * dz) - groups[g, 5]
        if sphere > d:
            continue
        if sphere > 0.04:
            if sphere < d:
                d, group, prim = sphere, g, -1
            continue
        dd, i = _group_distance(prims, int(groups[g, 0]), int(groups[g, 1]), x, y, z)
        if dd < d:
            d, group, prim = dd, g, i
    return d, group, prim


@njit(fastmath=True, inline="always", cache=True)
def _hash(i, j, k):
    n = (i * 73856093) ^ (j * 19349663) ^ (k * 83492791)
    n = (n ^ (n >> 13)) * 1274126177
    return float((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@njit(fastmath=True, cache=True)
def _noise(x, y, z):
    """Value noise, 0 to 1."""
    i, j, k = int(math.floor(x)), int(math.floor(y)), int(math.floor(z))
    fx, fy, fz = x - i, y - j, z - k
    fx, fy, fz = (
        fx * fx * (3 - 2 * fx),
        fy * fy * (3 - 2 * fy),
        fz * fz * (3 - 2 * fz),
    )
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                wx = fx if a else 1 - fx
                wy = fy if b else 1 - fy
                wz = fz if c else 1 - fz
                total += _hash(i + a, j + b, k + c) * wx * wy * wz
    return total


@njit(fastmath=True, inline="always", cache=True)
def _step(low, high, x):
    t = min(1.0, max(0.0, (x - low) / (high - low)))
    return t * t * (3 - 2 * t)


@njit(fastmath=True, inline="always", cache=True)
def _ring(x, y, rx, ry):
    return math.sqrt((x / rx) ** 2 + (y / ry) ** 2)


@njit(fastmath=True, inline="always", cache=True)
def _tint(col, w, r, g, b):
    col[0] = col[0] * (1 - w) + r * w
    col[1] = col[1] * (1 - w) + g * w
    col[2] = col[2] * (1 - w) + b * w


@njit(fastmath=True, cache=True)
def _paint_face(x, y, z, col, head, hair):
    """Eyes, brows, lips, nostrils and glasses at a point in head axes (metres / head size)."""
    if z < 0.02:
        return
    brow_up, mouth, eyes, glasses = head[12], head[13], head[14], head[16]
    ax, ey = abs(x) - 0.0315, y - 0.002
    socket = 1 - _step(0.6, 1.5, _ring(ax, ey - 0.002, 0.026, 0.017))
    _tint(col, 0.16 * socket, col[0] * 0.2, 0.0, 0.0)
    lid = ey + ax * ax * 6
    rim = 1 - _step(0.86, 1.12, _ring(ax, lid, 0.0158, 0.0072 * eyes + 0.0008))
    _tint(col, rim, 0.05, 0.035, 0.03)
    white = 1 - _step(0.85, 1.05, _ring(ax, lid + 0.0008, 0.0142, 0.0056 * eyes + 0.0002))
    if white > 0:
        r = math.sqrt(ax * ax + (ey - 0.0005) ** 2)
        iris, pupil = 1 - _step(0.0052, 0.0062, r), 1 - _step(0.0022, 0.0030, r)
        gx = x - 0.0315 * (1 if x > 0 else -1) + 0.002
        glint = 1 - _step(0.0007, 0.0015, math.sqrt(gx * gx + (ey - 0.0025) ** 2))
        for q, shade in enumerate((0.80, 0.78, 0.76)):
            v = shade * (1 - iris) + iris * (0.16, 0.10, 0.06)[q]
            v = v * (1 - pupil) + pupil * 0.02
            v = v * (1 - glint) + glint * 0.95
            col[q] = col[q] * (1 - white) + white * v
    bx = ax / 0.022
    by = y - 0.0215 + 0.006 * bx * bx - 0.0015 * bx - brow_up
    brow = (1 - _step(0.6, 1.1, abs(by) / (0.0042 - 0.0012 * bx))) * (
        1 - _step(0.85, 1.05, abs(bx))
    )
    _tint(col, 0.85 * brow, hair[0] * 0.8, hair[1] * 0.8, hair[2] * 0.8)
    my = y + 0.0685
    lips = 1 - _step(0.75, 1.08, _ring(x, my - x * x * 3 + 0.001, 0.0255, 0.0068 + mouth * 0.5))
    _tint(col, 0.7 * lips, col[0] * 0.5 + 0.18, col[1] * 0.35 + 0.04, col[2] * 0.35 + 0.045)
    line = 1 - _step(0.5, 1.2, _ring(x, my - x * x * 5 + 0.001, 0.0235, 0.0010 + mouth))
    _tint(col, 0.8 * line, 0.13, 0.04, 0.035)
    nostril = 1 - _step(0.5, 1.2, _ring(abs(x) - 0.0072, y + 0.0385, 0.0042, 0.0024))
    _tint(col, 0.7 * nostril, 0.0, 0.0, 0.0)
    if glasses > 0:
        lens = abs(_ring(ax - 0.001, y + 0.001, 0.0265, 0.0215) - 1) * 0.024
        frame = 1 - _step(0.0012, 0.0022, lens)
        bridge = (1 - _step(0.0012, 0.0022, abs(y - 0.006))) * (1 - _step(0.005, 0.0065, abs(x)))
        arm = (1 - _step(0.0012, 0.0022, abs(y - 0.006))) * _step(0.056, 0.058, abs(x))
        _tint(col, max(frame, max(bridge, arm)), 0.02, 0.02, 0.025)


@njit(fastmath=True, cache=True)
def _surface_colour(prims, prim, material, x, y, z, normal, colours, head, col):
    """The unlit colour of a point, into col."""
    base = SKIN if material == FACE else material
    for q in range(3):
        col[q] = colours[base, q]
    if base == SKIN:
        blotch, pore = _noise(x * 60, y * 60, z * 60) - 0.5, _noise(x * 260, y * 260, z * 260) - 0.5
        col[0] *= 1 + 0.08 * blotch + 0.04 * pore
        col[1] *= 1 + 0.13 * blotch + 0.05 * pore
        col[2] *= 1 + 0.13 * blotch + 0.05 * pore
    elif base == SHIRT:
        fold, weave = _noise(x * 35, y * 12, z * 35) - 0.5, _noise(x * 300, y * 300, z * 300) - 0.5
        for q in range(3):
            col[q] *= 1 + 0.22 * fold + 0.10 * weave
    else:
        strand = _noise(x * 240, y * 26, z * 90) - 0.5
        for q in range(3):
            col[q] *= 1 + 0.7 * strand
    if material == FACE:
        hx, hy, hz = x - head[0], y - head[1], z - head[2]
        size = head[15]
        lx = (head[3] * hx + head[4] * hy + head[5] * hz) / size
        ly = (head[6] * hx + head[7] * hy + head[8] * hz) / size
        lz = (head[9] * hx + head[10] * hy + head[11] * hz) / size
        cheek = (1 - _step(0.4, 1.3, _ring(abs(lx) - 0.043, ly + 0.035, 0.022, 0.018))) * 0.10
        _tint(col, cheek, col[0] * 1.1, col[1] * 0.6, col[2] * 0.6)
        _paint_face(lx, ly, lz, col, head, colours[HAIR])
    elif prims[prim, 23] > 0:
        _paint_finger(prims[prim], x, y, z, normal, colours[SKIN], col)


@njit(fastmath=True, cache=True)
def _paint_finger(p, x, y, z, normal, skin, col):
    """Nail and creases of a finger bone."""
    bx, by, bz = p[4] - p[1], p[5] - p[2], p[6] - p[3]
    length = math.sqrt(bx * bx + by * by + bz * bz)
    h = ((x - p[1]) * bx + (y - p[2]) * by + (z - p[3]) * bz) / (length * length)
    up = normal[0] * p[20] + normal[1] * p[21] + normal[2] * p[22]
    if p[23] == 2.0:
        nail = _step(0.25, 0.36, h) * (1 - _step(1.06, 1.16, h)) * _step(0.62, 0.74, up)
        _tint(col, nail, skin[0] * 1.02 + 0.05, skin[1] * 0.95 + 0.06, skin[2] * 0.98 + 0.08)
    crease = math.exp(-(((h - 0.02) * length / 0.0016) ** 2)) * (0.45 if up < 0 else 0.22)
    soft = math.exp(-(((h - 0.02) * length / 0.006) ** 2)) * (0.12 if up > 0.2 else 0.05)
    col[0] *= 1 - 0.6 * crease - 0.4 * soft
    col[1] *= 1 - crease - soft
    col[2] *= 1 - crease - soft


@njit(fastmath=True, cache=True)
def _shaded(prims, groups, every, at, normal, ray, col, skin, hair):
    """Light on col, in place: a soft-shadowed key light, sky and fill with ambient occlusion."""
    x, y, z = at
    nx, ny, nz = normal
    lx, ly, lz = LIGHT
    occlusion, share = 0.0, 1.0
    for k in range(1, 5):
        h = 0.004 * k * k
        d, _, _ = _scene_distance(prims, groups, every, x + nx * h, y + ny * h, z + nz * h)
        occlusion += max(0.0, h - d) * share / h
        share *= 0.7
    ao = max(0.0, 1 - 0.42 * occlusion)
    shadow, t = 1.0, 0.006
    for _ in range(22):
        px, py, pz = x + nx * 0.002 + lx * t, y + ny * 0.002 + ly * t, z + nz * 0.002 + lz * t
        d, _, _ = _scene_distance(prims, groups, every, px, py, pz)
        shadow = min(shadow, 0.5 + 0.5 * d / (0.10 * t + 0.001))
        if shadow <= 0 or t > 0.6:
            break
        t += min(0.05, max(0.004, abs(d)))
    shadow = max(0.0, shadow)
    shadow = shadow * shadow * (3 - 2 * shadow)
    facing = nx * lx + ny * ly + nz * lz
    key = max(0.0, facing) * shadow
    wrap = max(0.0, (facing + 0.35) / 1.35) * (0.35 + 0.65 * shadow)
    sky, fill = 0.5 + 0.5 * ny, max(0.0, nx * 0.7 + nz * 0.7)
    hx, hy, hz = lx - ray[0], ly - ray[1], lz - ray[2]
    half = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz)
    shine = max(0.0, half) ** 24 * shadow
    rim = (1 + min(0.0, nx * ray[0] + ny * ray[1] + nz * ray[2])) ** 3
    for q in range(3):
        direct = key
        if skin:  # light goes deeper into skin, the red most
            direct = 0.4 * key + 0.6 * wrap if q == 0 else 0.65 * key + 0.35 * wrap
        around = ao * (0.26 * sky + 0.24 * fill + 0.08) * (0.95, 0.98, 1.05)[q]
        light = col[q] * (0.85 * direct * (1.0, 0.97, 0.92)[q] + around)
        if skin:
            light += 0.06 * shine + 0.05 * rim * ao * sky
        elif hair:
            light += 0.05 * shine
        col[q] = math.sqrt(max(0.0, min(1.0, light)))


@njit(fastmath=True, cache=True)
def _reach(groups, eye, ray, active):
    """Where a ray enters the first group's sphere and leaves the last; marks those it meets."""
    near, far = 1e9, 0.0
    for g in range(groups.shape[0]):
        ox, oy, oz = eye[0] - groups[g, 2], eye[1] - groups[g, 3], eye[2] - groups[g, 4]
        along = ox * ray[0] + oy * ray[1] + oz * ray[2]
        r = groups[g, 5] + 0.01
        inside = along * along - (ox * ox + oy * oy + oz * oz - r * r)
        active[g] = 1 if inside > 0 else 0
        if inside > 0:
            near = min(near, -along - math.sqrt(inside))
            far = max(far, -along + math.sqrt(inside))
    return max(near, 0.05), far


@njit(fastmath=True, cache=True)
def _pixel(prims, groups, colours, head, eye, ray, active, every, col):
    """The colour where a ray from the eye meets the scene, into col; False where it meets none."""
    t, far = _reach(groups, eye, ray, active)
    group, prim, hit = -1, -1, False
    x, y, z = 0.0, 0.0, 0.0
    for _ in range(90):
        if t > far:
            break
        x, y, z = eye[0] + ray[0] * t, eye[1] + ray[1] * t, eye[2] + ray[2] * t
        d, group, prim = _scene_distance(prims, groups, active, x, y, z)
        if d < 0.0004:
            hit = prim >= 0
            break
        t += d * 0.92
    if not hit:
        return False
    e, start, end = 0.0006, int(groups[group, 0]), int(groups[group, 1])
    d = _group_distance(prims, start, end, x, y, z)[0]
    nx = _group_distance(prims, start, end, x + e, y, z)[0] - d
    ny = _group_distance(prims, start, end, x, y + e, z)[0] - d
    nz = _group_distance(prims, start, end, x, y, z + e)[0] - d
    inverse = 1 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-18)
    normal = (nx * inverse, ny * inverse, nz * inverse)
    material = int(groups[group, 6])
    _surface_colour(prims, prim, material, x, y, z, normal, colours, head, col)
    skin, hair = material == SKIN or material == FACE, material == HAIR
    _shaded(prims, groups, every, (x, y, z), normal, ray, col, skin, hair)
    return True


@njit(fastmath=True, cache=True)
def _row(row, v, height, prims, groups, colours, head, eye, axes, focal, wall, grain, seed):
    """One line of the picture, (width, 3), in place. Its own function: numba's parallel loop must
    not see the scalars above, it shares some of them between its threads."""
    width = row.shape[0]
    n = groups.shape[0]
    active, every, col = np.zeros(n, np.int32), np.ones(n, np.int32), np.zeros(3)
    b = -(v + 0.5 - height / 2) / focal
    for u in range(width):
        a = (u + 0.5 - width / 2) / focal
        rx = a * axes[0, 0] + b * axes[1, 0] - axes[2, 0]
        ry = a * axes[0, 1] + b * axes[1, 1] - axes[2, 1]
        rz = a * axes[0, 2] + b * axes[1, 2] - axes[2, 2]
        inverse = 1 / math.sqrt(rx * rx + ry * ry + rz * rz)
        ray = (rx * inverse, ry * inverse, rz * inverse)
        if _pixel(prims, groups, colours, head, eye, ray, active, every, col):
            for q in range(3):
                row[u, q] = col[q] * (1 + 0.03 * grain * (_hash(u, v, seed + 3 + q) - 0.5))
            continue
        gx, gy = u / width, v / height
        cloud = _noise(gx * 5, gy * 5, 7.0) * 0.03 + (_hash(u, v, seed) - 0.5) * 0.015 * grain
        shade = 1.06 - 0.20 * gy - 0.48 * (gx - 0.35) ** 2
        for q in range(3):
            row[u, q] = wall[q] * shade + cloud


@njit(parallel=True, fastmath=True, cache=True)
def march(prims, groups, colours, head, eye, axes, focal, width, height, wall, grain, seed):
    """The picture (height, width, 3), 0 to 1.

    colours : (3, 3) of skin, shirt, hair; wall : (3,); head : (17,), scene.py's
    eye, axes : the camera's place and its axes (rows: right, up, back); focal : in pixels
    """
    image = np.zeros((height, width, 3), np.float32)
    for v in prange(height):
        _row(image[v], v, height, prims, groups, colours, head, eye, axes, focal, wall, grain, seed)
    return image
