"""A simulated scanner: rays of uniform density over all directions, stopped by the first triangle that they hit.

A scanner that sends R rays leaves R cos(incidence) / (4 pi distance²) points per square metre; near ones are thinned,
as fused scans are, so that no surface is denser than a plane seen frontally from ``FULL_DENSITY_DISTANCE``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.typing import Bool, Float64, Int64

FULL_DENSITY_DISTANCE = 2.0
"""metres; see above"""
_GRAZING = 0.03
"""cosine of incidence below which nothing returns"""


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays met triangles."""

    triangle: Int64[np.ndarray, " H"]
    direction: Float64[np.ndarray, "H 3"]
    """unit vectors from the scanner"""
    distance: Float64[np.ndarray, " H"]
    """metres"""


def select(hits: Hits, keep: Bool[np.ndarray, " H"] | Int64[np.ndarray, " K"]) -> Hits:
    """The hits of a mask or of indices."""
    return Hits(hits.triangle[keep], hits.direction[keep], hits.distance[keep])


def _pixel_ranges(
    corners: Float64[np.ndarray, "T 3 3"], resolution: int
) -> tuple[Int64[np.ndarray, " V"], Int64[np.ndarray, "V 2"], Int64[np.ndarray, "V 2"]]:
    """Triangles that may appear on a cube face, and the first and last pixel of each in both directions.

    Corners are (depth, u, v) in the frame of the face, whose pixels are equal steps of the angle atan(u / depth).
    """
    depth, sides = corners[..., :1], corners[..., 1:]
    outside = np.logical_or((sides > depth).all(axis=1), (sides < -depth).all(axis=1)).any(axis=1)
    visible = np.flatnonzero((depth > 0).any(axis=(1, 2)) & ~outside)
    depth, sides = depth[visible], sides[visible]
    crossing = depth.min(axis=(1, 2)) <= 1e-6
    step = (np.arctan2(sides, np.maximum(depth, 1e-6)) / (np.pi / 4) + 1) / 2 * resolution
    first = np.clip(np.floor(step.min(axis=1)), 0, resolution - 1).astype(np.int64)
    last = np.clip(np.floor(step.max(axis=1)), 0, resolution - 1).astype(np.int64)
    first[crossing], last[crossing] = 0, resolution - 1
    return visible, first, last


def _face_hits(
    corners: Float64[np.ndarray, "T 3 3"], slopes: Float64[np.ndarray, "n n 2"]
) -> tuple[Int64[np.ndarray, " H"], Int64[np.ndarray, " H"], Float64[np.ndarray, " H"]]:
    """All hits of the rays (1, u, v) of one cube face: pixel, triangle, depth.

    With the edge normals n_i of a triangle (cross products of its corners), a ray r meets it where all r . n_i have the
    sign of the determinant of the corners; the depth there is determinant / sum_i r . n_i.
    """
    resolution = len(slopes)
    triangle, first, last = _pixel_ranges(corners, resolution)
    size = last - first + 1
    count = size.prod(axis=1)
    owner = np.repeat(np.arange(len(triangle)), count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    row, column = first[owner, 0] + offset // size[owner, 1], first[owner, 1] + offset % size[owner, 1]
    a, b, c = corners[triangle].transpose(1, 0, 2)
    normals = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    determinant = (a * normals[:, 0]).sum(axis=1)
    normals *= np.sign(determinant)[:, None, None]
    pixel, total = row * resolution + column, np.zeros(len(owner))
    u, v = slopes.reshape(-1, 2).T
    for edge in range(3):
        along_depth, along_u, along_v = normals[:, edge].T
        value = along_depth[owner] + along_u[owner] * u[pixel] + along_v[owner] * v[pixel]
        inside = value >= 0
        owner, pixel, total = owner[inside], pixel[inside], total[inside] + value[inside]
    hit = total > 0
    owner, pixel = owner[hit], pixel[hit]
    return pixel, triangle[owner], np.abs(determinant[owner]) / total[hit]


def cast(
    triangles: Float64[np.ndarray, "T 3 3"],
    origin: Float64[np.ndarray, " 3"],
    resolution: int,
    rng: np.random.Generator,
    *,
    occlusion: bool = True,
) -> Hits:
    """Sends about 5.2 resolution² rays, uniform over the sphere, and returns what they hit.

    Args:
        triangles: metres.
        origin: the scanner, metres.
        resolution: pixels along the edge of each of the six faces of a cube around the scanner; one jittered ray each.
        rng: jitters the rays.
        occlusion: False lets rays pass through and return from every triangle on their way.
    """
    faces = [(axis, sign) for axis in range(3) for sign in (1.0, -1.0)]
    return _joined([_cast_face(triangles - origin, *face, resolution, rng, occlusion=occlusion) for face in faces])


def _cast_face(
    corners: Float64[np.ndarray, "T 3 3"],
    axis: int,
    sign: float,
    resolution: int,
    rng: np.random.Generator,
    *,
    occlusion: bool,
) -> Hits:
    """The rays through the face of the cube across ``sign`` times ``axis``; corners are relative to the scanner."""
    order, signs = np.roll(np.arange(3), -axis), np.array([sign, 1.0, 1.0])
    grid = np.stack(np.meshgrid(*[np.arange(resolution)] * 2, indexing="ij"), axis=-1)
    slopes = np.tan((2 * (grid + rng.random(grid.shape)) / resolution - 1) * np.pi / 4)
    pixel, triangle, depth = _face_hits(corners[..., order] * signs, slopes)
    if occlusion:
        pixel, triangle, depth = _nearest(pixel, triangle, depth, resolution**2)
    slope = slopes.reshape(-1, 2)
    norm = np.sqrt(1 + (slope**2).sum(axis=1))
    solid_angle = (1 + slope**2).prod(axis=1) / norm**3  # of a pixel, over that of the largest one
    even = (rng.random(len(slope)) < solid_angle)[pixel]
    pixel, triangle, depth = pixel[even], triangle[even], depth[even]
    direction = np.empty((len(pixel), 3))
    direction[:, order] = np.column_stack([np.ones(len(pixel)), slope[pixel]]) * signs
    return Hits(triangle, direction / norm[pixel, None], depth * norm[pixel])


def _joined(hits: Sequence[Hits]) -> Hits:
    return Hits(
        np.concatenate([h.triangle for h in hits]),
        np.concatenate([h.direction for h in hits]),
        np.concatenate([h.distance for h in hits]),
    )


def _nearest(
    pixel: Int64[np.ndarray, " H"], triangle: Int64[np.ndarray, " H"], depth: Float64[np.ndarray, " H"], pixels: int
) -> tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"], Float64[np.ndarray, " P"]]:
    """The first hit of each pixel; of equal ones (shared edges) that of the lowest triangle."""
    best = np.full(pixels, np.inf)
    np.minimum.at(best, pixel, depth)
    first = np.flatnonzero(depth == best[pixel])
    _, unique = np.unique(pixel[first], return_index=True)
    keep = first[unique]
    return pixel[keep], triangle[keep], depth[keep]


def thin(hits: Hits, normals: Float64[np.ndarray, "T 3"], rng: np.random.Generator) -> Hits:
    """Drops grazing hits, and near ones at random until their density is at most that of ``FULL_DENSITY_DISTANCE``.

    Args:
        hits: of one scanner.
        normals: unit normal of each triangle, either sign.
        rng: chooses.
    """
    cosine = np.abs((normals[hits.triangle] * hits.direction).sum(axis=1))
    share = hits.distance**2 / (np.maximum(cosine, _GRAZING) * FULL_DENSITY_DISTANCE**2)
    return select(hits, (cosine > _GRAZING) & (rng.random(len(cosine)) < share))


def unit_normals(triangles: Float64[np.ndarray, "T 3 3"]) -> Float64[np.ndarray, "T 3"]:
    """Unit normal of each triangle by its winding; zero for triangles without area."""
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    unit: Float64[np.ndarray, "T 3"] = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-15)
    return unit


@dataclass(frozen=True, eq=False)
class Measurement:
    """Measured points and the exact truth behind each."""

    xyz: Float64[np.ndarray, "N 3"]
    triangle: Int64[np.ndarray, " N"]
    """-1 for stray points"""
    direction: Float64[np.ndarray, "N 3"]
    """unit vector from the scanner"""
    scanner: Int64[np.ndarray, " N"]


def measure(
    hits: Sequence[Hits],
    origins: Float64[np.ndarray, "V 3"],
    noise: float,
    stray_share: float,
    rng: np.random.Generator,
) -> Measurement:
    """Points with noise: ``noise`` along the ray and a third of it sideways (standard deviations, metres).

    A share of the rays strays: their points lie anywhere between 0.3 and 1 of the true distance.
    """
    scanner = np.repeat(np.arange(len(hits)), [len(h.distance) for h in hits])
    every = _joined(hits)
    count = len(scanner)
    stray = rng.random(count) < stray_share
    shortened = np.where(stray, rng.uniform(0.3, 1.0, count), 1.0)
    distance = every.distance * shortened + noise * rng.standard_normal(count)
    sideways = noise / 3 * rng.standard_normal((count, 3))
    xyz = origins[scanner] + every.direction * distance[:, None] + sideways
    return Measurement(xyz, np.where(stray, -1, every.triangle), every.direction, scanner)
