"""The graph of points: who may merge with whom, from nearest neighbours or from the edges of a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.structures import Scene
from stages.superpoints.compilation import compiled
from stages.superpoints.weights import edge_distances
from stages.typing import Float, Float64, Int32, Int64, UInt8


@dataclass(frozen=True, eq=False)
class PointGraph:
    """Undirected edges between points, each once, and how they came about."""

    edges: Int32[np.ndarray, "E 2"]
    directions: UInt8[np.ndarray, " E"]
    """2 where each point is a neighbour of the other, as in every edge of a mesh; 1 where only one is"""
    length: Float64[np.ndarray, " E"]
    """metres"""


def neighbor_graph(xyz: Float[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], columns: int) -> PointGraph:
    """The graph of each point's ``columns`` nearest neighbours."""
    edges, directions = _neighbor_edges(neighbors, min(columns, neighbors.shape[1]))
    return PointGraph(edges, directions, edge_distances(xyz, edges))


def mesh_graph(scene: Scene, points: Int64[np.ndarray, " M"]) -> PointGraph:
    """The scene's mesh edges between two of ``points``, which are named by their places in ``points``.

    Raises ValueError without a mesh or with faces that name vertices the scan does not have.
    """
    if scene.faces is None:
        raise ValueError("the scan has no faces")
    place = np.full(len(scene), -1, np.int32)
    place[points] = np.arange(len(points), dtype=np.int32)
    edges = place[mesh_edges(scene.faces, len(scene))]
    edges = edges[(edges >= 0).all(axis=1)]
    return PointGraph(edges, np.full(len(edges), 2, np.uint8), edge_distances(scene.xyz[points], edges))


@compiled
def _neighbor_edges(
    neighbors: Int32[np.ndarray, "N C"], columns: int
) -> tuple[Int32[np.ndarray, "E 2"], UInt8[np.ndarray, " E"]]:
    """Each unordered pair of neighbours once, and how many of the two name the other."""
    edges = np.empty((len(neighbors) * columns, 2), np.int32)
    directions = np.empty(len(neighbors) * columns, np.uint8)
    count = 0
    for point in range(len(neighbors)):
        for column in range(columns):
            other = neighbors[point, column]
            mutual = False
            for back in range(columns):
                mutual |= neighbors[other, back] == point
            if point < other or not mutual:
                edges[count, 0], edges[count, 1] = min(point, other), max(point, other)
                directions[count] = 2 if mutual else 1
                count += 1
    return edges[:count].copy(), directions[:count].copy()


def mesh_edges(faces: Int32[np.ndarray, "F 3"], count: int) -> Int32[np.ndarray, "E 2"]:
    """The undirected edges of triangles over ``count`` vertices, each once; raises ValueError for foreign indices."""
    if faces.size and (faces.min() < 0 or faces.max() >= count):
        raise ValueError(f"faces name vertices {faces.min()}..{faces.max()}, but there are only {count}")
    corners = faces.astype(np.int64)
    source = np.concatenate([corners[:, 0], corners[:, 1], corners[:, 2]])
    target = np.concatenate([corners[:, 1], corners[:, 2], corners[:, 0]])
    key = np.minimum(source, target) * count + np.maximum(source, target)
    key = np.sort(key[source != target])  # much faster here than np.unique, which hashes
    key = key[np.diff(key, prepend=-1) > 0]
    return np.stack([key // count, key % count], axis=1).astype(np.int32)
