"""Nearest neighbours of the points of a cloud, and the order of points in which they are found fastest."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from stages.typing import Float, Int32, Int64

BLOCK = 65_536
"""Points that are queried at once: bounds the memory of the distances to 64-bit [BLOCK, count]."""
CELL = 0.02
"""Metres: side of the cells along whose curve points are sorted."""
CELL_BITS = 21
SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)
"""Shifts and masks that move bit b of a 21-bit number to bit 3 b."""


def spatial_order(xyz: Float[np.ndarray, "N 3"]) -> Int64[np.ndarray, " N"]:
    """Points along Morton's curve (1966) through cells of ``CELL`` metres; neighbours in space lie near in memory.

    Parameters: xyz in metres, finite. Points of one cell keep their order.
    """
    if not len(xyz):
        return np.zeros(0, np.int64)
    cell = ((xyz.astype(np.float64) - xyz.min(axis=0)) / CELL).astype(np.int64)
    key = np.zeros(len(xyz), np.int64)
    for axis in range(3):
        key |= _spread(np.minimum(cell[:, axis], 2**CELL_BITS - 1)) << axis
    return np.argsort(key, kind="stable")


def _spread(number: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Two zeros between each two bits."""
    for shift, mask in SPREAD:
        number = (number | (number << shift)) & mask
    return number


def nearest_neighbors(xyz: Float[np.ndarray, "N 3"], count: int) -> Int32[np.ndarray, "N C"]:
    """The ``count`` nearest other points of each point, nearest first; fastest in ``spatial_order``.

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
