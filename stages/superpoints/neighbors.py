"""The neighbour graph of a point cloud and the edges of a mesh: who may merge with whom."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from stages.typing import Float, Float64, Int32, Int64

BLOCK = 262_144
"""Points that are queried at once: bounds the memory of the distances to 64-bit [BLOCK, count]."""


def nearest_neighbors(xyz: Float[np.ndarray, "N 3"], count: int) -> Int32[np.ndarray, "N C"]:
    """The ``count`` nearest other points of each point, nearest first.

    Parameters: xyz in metres, finite. Returns indices [N, min(count, N - 1)]. Among points at the same place
    the order is that of the tree; a point never is its own neighbour.
    """
    points = np.asarray(xyz, np.float64)
    count = max(min(count, len(points) - 1), 0)
    neighbors = np.empty((len(points), count), np.int32)
    if count == 0:
        return neighbors
    tree = cKDTree(points, balanced_tree=False)
    for start in range(0, len(points), BLOCK):
        stop = min(start + BLOCK, len(points))
        _, found = tree.query(points[start:stop], k=count + 1)
        neighbors[start:stop] = _without_self(np.asarray(found), np.arange(start, stop))
    return neighbors


def _without_self(found: Int64[np.ndarray, "B C_plus_1"], own: Int64[np.ndarray, " B"]) -> Int64[np.ndarray, "B C"]:
    """Drops each row's own index, or its last entry where duplicates pushed the own index out."""
    is_self = found == own[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return found[~is_self].reshape(len(found), -1)


def undirected_edges(neighbors: Int32[np.ndarray, "N C"]) -> Int32[np.ndarray, "E 2"]:
    """Each unordered pair of neighbours once, smaller index first, in rising order."""
    count, columns = neighbors.shape
    source = np.repeat(np.arange(count, dtype=np.int64), columns)
    return unique_edges(source, neighbors.ravel().astype(np.int64), count)


def mesh_edges(faces: Int32[np.ndarray, "F 3"], count: int) -> Int32[np.ndarray, "E 2"]:
    """The undirected edges of triangles over ``count`` vertices, each once; raises ValueError for foreign indices."""
    if faces.size and (faces.min() < 0 or faces.max() >= count):
        raise ValueError(f"faces name vertices {faces.min()}..{faces.max()}, but there are only {count}")
    corners = faces.astype(np.int64)
    source = np.concatenate([corners[:, 0], corners[:, 1], corners[:, 2]])
    target = np.concatenate([corners[:, 1], corners[:, 2], corners[:, 0]])
    return unique_edges(source, target, count)


def unique_edges(
    source: Int64[np.ndarray, " M"], target: Int64[np.ndarray, " M"], count: int
) -> Int32[np.ndarray, "E 2"]:
    """Directed edges made undirected, unique and sorted; loops are dropped."""
    key = np.minimum(source, target) * count + np.maximum(source, target)
    key = np.sort(key[source != target])  # much faster here than np.unique, which hashes
    key = key[np.diff(key, prepend=-1) > 0]
    return np.stack([key // count, key % count], axis=1).astype(np.int32)


def edge_lengths(xyz: Float[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """Length of each edge in metres."""
    difference = xyz[edges[:, 0]].astype(np.float64) - xyz[edges[:, 1]]
    return np.sqrt(np.einsum("ij,ij->i", difference, difference))
