"""Geometry that several stages need: normals of a scene's points, edges of its mesh and its boxes."""

from __future__ import annotations

import numpy as np

from stages.structures import Scene
from stages.superpoints.neighbors import mesh_edges, nearest_neighbors
from stages.superpoints.normals import mesh_normals, point_normals
from stages.typing import Float32, Float64, Int32, Int64

SMALLEST_SIDE = 0.02
"""Metres: thinner box sides (pictures, doors) count as this thick when volumes are compared."""


def given_normals(scene: Scene) -> Float64[np.ndarray, "N 3"] | None:
    """Unit normals, up to sign, of the scan itself, else of its mesh; 0 where not finite; None where it has neither."""
    finite = scene.finite
    if scene.normals is not None:
        return np.where(finite[:, None], scene.normals, 0.0).astype(np.float64)
    if scene.faces is None:
        return None
    return mesh_normals(scene.xyz, scene.faces[finite[scene.faces].all(axis=1)])


def scene_normals(scene: Scene, neighbors: int) -> Float64[np.ndarray, "N 3"]:
    """Unit normals, up to sign: ``given_normals``, else fitted to ``neighbors`` points; 0 where not finite."""
    given = given_normals(scene)
    if given is not None:
        return given
    finite = scene.finite
    normals = np.zeros((len(scene), 3))
    if finite.any():
        xyz = scene.xyz[finite]
        normals[finite] = point_normals(xyz, nearest_neighbors(xyz, neighbors))
    return normals


def mesh_edges_among(scene: Scene, points: Int64[np.ndarray, " M"]) -> Int32[np.ndarray, "E 2"]:
    """Edges of the scene's mesh between two of ``points``, as places in ``points``; ValueError without a mesh."""
    if scene.faces is None:
        raise ValueError("the scan has no faces")
    place = np.full(len(scene), -1, np.int32)
    place[points] = np.arange(len(points), dtype=np.int32)
    edges = place[mesh_edges(scene.faces, len(scene))]
    return edges[(edges >= 0).all(axis=1)]


def box_volumes(corners: Float32[np.ndarray, "K 6"], smallest_side: float = SMALLEST_SIDE) -> Float64[np.ndarray, " K"]:
    """Volumes in cubic metres; sides shorter than ``smallest_side`` metres count as that long."""
    sides = corners[:, 3:].astype(np.float64) - corners[:, :3]
    return np.maximum(sides, smallest_side).prod(axis=1)


def box_intersections(corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K K"]:
    """Volume that each two boxes share, in cubic metres."""
    exact = corners.astype(np.float64)
    low = np.maximum(exact[:, None, :3], exact[None, :, :3])
    high = np.minimum(exact[:, None, 3:], exact[None, :, 3:])
    return np.maximum(high - low, 0.0).prod(axis=2)


def box_overlaps(corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K K"]:
    """Intersection over union of each two boxes, in [0, 1]; 0 where both are empty."""
    shared = box_intersections(corners)
    volume = box_volumes(corners, 0.0)
    union = volume[:, None] + volume[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
