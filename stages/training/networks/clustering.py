"""Clusters of regions: connected components, within one class, of regions that touch or whose votes are near.

N points, S regions, P pairs, Q clusters. All in numpy and scipy, on the CPU: nothing here has a gradient.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from stages.typing import Bool, Float32, Float64, Int64

Pairs = Int64[np.ndarray, "P 2"]
"""of regions, the lower first"""


def touching_regions(xyz: Float32[np.ndarray, "N 3"], region_of_point: Int64[np.ndarray, " N"], reach: float) -> Pairs:
    """Each pair of regions that come within about ``reach`` metres of each other.

    A region's points in a cell of half that size are looked for at their mean.
    """
    if not len(xyz):
        return np.zeros((0, 2), np.int64)
    place, region = _thinned(xyz, region_of_point, reach / 2)
    pairs = np.sort(region[cKDTree(place).query_pairs(reach, output_type="ndarray")], axis=1)
    regions = region.max() + 1
    number = np.unique(pairs[:, 0] * regions + pairs[:, 1])
    found = np.stack([number // regions, number % regions], axis=1)
    return found[found[:, 0] < found[:, 1]]


def _thinned(
    xyz: Float32[np.ndarray, "N 3"], region_of_point: Int64[np.ndarray, " N"], size: float
) -> tuple[Float64[np.ndarray, "M 3"], Int64[np.ndarray, " M"]]:
    """Mean of the points that share a region and a cell of ``size`` metres, and their region."""
    near = xyz.astype(np.float64) - xyz.min(axis=0)
    cell = np.floor(near / size).astype(np.int64)
    key = region_of_point
    for axis in range(3):
        key = key * (cell[:, axis].max() + 1) + cell[:, axis]
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    total = np.stack([np.bincount(group, weights=near[:, axis]) for axis in range(3)], axis=1)
    return total / np.bincount(group)[:, None], region_of_point[first]


def near_votes(vote: Float32[np.ndarray, "S 3"], radius: float) -> Pairs:
    """Each pair of regions whose votes are at most ``radius`` metres apart."""
    if not len(vote):
        return np.zeros((0, 2), np.int64)
    return cKDTree(vote).query_pairs(radius, output_type="ndarray").astype(np.int64)


def components(
    pairs: Pairs, kind: Int64[np.ndarray, " S"], points: Int64[np.ndarray, " S"], least_points: int
) -> Bool[np.ndarray, "Q S"]:
    """Regions of one kind that are connected by ``pairs``, as far as they hold ``least_points`` together.

    ``kind`` is -1 for regions that belong nowhere, ``points`` the number of points of each region.
    """
    first, second = kind[pairs.T]
    alike = pairs[(first == second) & (first >= 0)]
    links = csr_array((np.ones(len(alike), bool), tuple(alike.T)), shape=(len(kind), len(kind)))
    _, label = connected_components(links, directed=False)
    size = np.bincount(label, weights=points * (kind >= 0))
    return (label == np.flatnonzero(size >= max(least_points, 1))[:, None]) & (kind >= 0)


def distinct(mask: Bool[np.ndarray, "Q S"]) -> Bool[np.ndarray, "R S"]:
    """Each mask once, in the order in which they come."""
    packed = np.packbits(mask, axis=1)
    return mask[np.sort(np.unique(packed, axis=0, return_index=True)[1])]
