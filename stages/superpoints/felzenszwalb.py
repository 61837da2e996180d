"""Efficient graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004) on any weighted graph."""

from __future__ import annotations

import numpy as np

from stages.superpoints.compilation import compiled
from stages.typing import Float64, Int32, Int64

SHORT_RUN = 16
"""Edges of equal weight that are sorted by insertion: most runs have two or three."""


def segment(
    edges: Int32[np.ndarray, "E 2"],
    weight: Float64[np.ndarray, " E"],
    length: Float64[np.ndarray, " E"],
    count: int,
    scale: float,
    minimum_size: int,
) -> Int32[np.ndarray, " N"]:
    """Partitions ``count`` points into regions; ids are 0..S-1 in the order of each region's first point.

    Two regions C1, C2 merge along an edge of weight w when w <= min_i (largest weight inside C_i + scale / |C_i|);
    after that regions of fewer than ``minimum_size`` points merge along their lightest edge. Edges come in the order
    of weight, then of ``length`` (metres): noise makes lengths unique, so that the numbering of points does not decide
    ties.
    """
    order = np.argsort(weight)
    weight = weight[order]
    _settle_ties(order, weight, length)
    pairs = np.ascontiguousarray(edges, np.int32).view(np.int64).ravel()  # a pair at a time: much faster to reorder
    parent = _merge(pairs[order].view(np.int32).reshape(-1, 2), weight, count, scale, minimum_size)
    return numbered(parent, count)


@compiled
def _settle_ties(
    order: Int64[np.ndarray, " E"], weight: Float64[np.ndarray, " E"], length: Float64[np.ndarray, " E"]
) -> None:
    """Puts runs of equal ``weight``, which is in ``order`` already, into the order of length, then of place.

    With an unstable sort by weight before it, this is a lexical sort in a fraction of the time.
    """
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and weight[stop] == weight[start]:
            stop += 1
        if stop - start > SHORT_RUN:
            run = np.sort(order[start:stop])
            order[start:stop] = run[np.argsort(length[run], kind="mergesort")]
        else:
            for sorted_to in range(start + 1, stop):
                edge, place = order[sorted_to], sorted_to
                while place > start and (length[order[place - 1]], order[place - 1]) > (length[edge], edge):
                    order[place] = order[place - 1]
                    place -= 1
                order[place] = edge
        start = stop


@compiled
def _find(parent: Int32[np.ndarray, " N"], point: int) -> int:
    while parent[point] != point:
        parent[point] = parent[parent[point]]
        point = parent[point]
    return point


@compiled
def _merge(
    edges: Int32[np.ndarray, "E 2"], weight: Float64[np.ndarray, " E"], count: int, scale: float, minimum_size: int
) -> Int32[np.ndarray, " N"]:
    """The root of each point's region; edges come in order."""
    parent = np.arange(count).astype(np.int32)
    size = np.ones(count, np.int32)
    bound = np.full(count, scale)
    for e in range(len(edges)):
        first, second = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if first != second and weight[e] <= bound[first] and weight[e] <= bound[second]:
            root = _join(parent, size, first, second)
            bound[root] = weight[e] + scale / size[root]
    for point in range(count):
        parent[point] = _find(parent, point)
    for e in range(len(edges)):
        # a small region is made of small ones: one step up, to a part of it, tells most edges off without a walk
        first, second = parent[edges[e, 0]], parent[edges[e, 1]]
        if first != second and (size[first] < minimum_size or size[second] < minimum_size):
            first, second = _find(parent, first), _find(parent, second)
            if first != second and (size[first] < minimum_size or size[second] < minimum_size):
                _join(parent, size, first, second)
    for point in range(count):
        parent[point] = _find(parent, point)
    return parent


@compiled
def _join(parent: Int32[np.ndarray, " N"], size: Int32[np.ndarray, " N"], first: int, second: int) -> int:
    """Hangs the smaller of two regions under the root of the larger, which is returned."""
    if size[first] < size[second]:
        first, second = second, first
    parent[second] = first
    size[first] += size[second]
    return first


@compiled
def numbered(group: Int32[np.ndarray, " N"], groups: int) -> Int32[np.ndarray, " N"]:
    """Ids below ``groups`` to ids 0..S-1 in the order of their first appearance; -1 stays."""
    number = np.full(groups, -1, np.int32)
    result = np.full(len(group), -1, np.int32)
    known = 0
    for point in range(len(group)):
        if group[point] >= 0:
            if number[group[point]] < 0:
                number[group[point]] = known
                known += 1
            result[point] = number[group[point]]
    return result
