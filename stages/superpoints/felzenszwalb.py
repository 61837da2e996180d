"""Efficient graph-based segmentation (Felzenszwalb & Huttenlocher, IJCV 2004) on any weighted graph."""

from __future__ import annotations

import numpy as np

from stages.superpoints.compilation import compiled
from stages.typing import Float64, Int32


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
    order = np.lexsort((length, weight))
    parent = _merge(edges[order], weight[order], count, scale, minimum_size)
    return _number(parent)


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
    parent = np.arange(count).astype(np.int32)
    size = np.ones(count, np.int32)
    bound = np.full(count, scale)
    for e in range(len(edges)):
        first, second = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if first != second and weight[e] <= bound[first] and weight[e] <= bound[second]:
            if size[first] < size[second]:
                first, second = second, first
            parent[second] = first
            size[first] += size[second]
            bound[first] = weight[e] + scale / size[first]
    for e in range(len(edges)):
        first, second = _find(parent, edges[e, 0]), _find(parent, edges[e, 1])
        if first != second and (size[first] < minimum_size or size[second] < minimum_size):
            if size[first] < size[second]:
                first, second = second, first
            parent[second] = first
            size[first] += size[second]
    for point in range(count):
        parent[point] = _find(parent, point)
    return parent


def _number(parent: Int32[np.ndarray, " N"]) -> Int32[np.ndarray, " N"]:
    """Roots to ids 0..S-1, numbered by first appearance."""
    _, first, inverse = np.unique(parent, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
