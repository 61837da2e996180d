"""Box membership of points, and edges cut where it changes, so that no region straddles the face of a box."""

from __future__ import annotations

import numpy as np

from stages.superpoints.compilation import compiled
from stages.typing import Bool, Float32, Float64, Int32, Int64, Shaped


def in_box(xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "6"], margin: float) -> Bool[np.ndarray, " N"]:
    """True for points inside the closed box [min xyz, max xyz] grown by ``margin`` metres."""
    inside = np.ones(len(xyz), bool)
    for axis in range(3):
        inside &= (xyz[:, axis] >= corners[axis] - margin) & (xyz[:, axis] <= corners[axis + 3] + margin)
    return inside


def points_in_boxes(
    xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "K 6"], margin: float
) -> tuple[Int32[np.ndarray, " M"], Int32[np.ndarray, " M"]]:
    """All (box, point) where ``in_box`` is true: box by box, points of a box in no particular order.

    One sort along x leaves each box the points of its slab, so that boxes do not cost a pass over all points each.
    """
    order = np.argsort(xyz[:, 0])
    slab = xyz[order]
    low, high = corners[:, :3] - np.float32(margin), corners[:, 3:] + np.float32(margin)
    first = np.searchsorted(slab[:, 0], low[:, 0], "left")
    last = np.searchsorted(slab[:, 0], high[:, 0], "right")
    box, place = _inside(slab, low, high, first, last)
    return box, order[place].astype(np.int32)


@compiled
def _inside(
    slab: Float32[np.ndarray, "N 3"],
    low: Float32[np.ndarray, "K 3"],
    high: Float32[np.ndarray, "K 3"],
    first: Int64[np.ndarray, " K"],
    last: Int64[np.ndarray, " K"],
) -> tuple[Int32[np.ndarray, " M"], Int32[np.ndarray, " M"]]:
    """Points first[k]..last[k] of ``slab`` whose y and z lie in box k: counted, then written."""
    box, place = np.empty(0, np.int32), np.empty(0, np.int32)
    for writing in (False, True):
        count = 0
        for k in range(len(low)):
            for point in range(first[k], last[k]):
                y, z = slab[point, 1], slab[point, 2]
                if low[k, 1] <= y <= high[k, 1] and low[k, 2] <= z <= high[k, 2]:
                    if writing:
                        box[count], place[count] = k, point
                    count += 1
        if not writing:
            box, place = np.empty(count, np.int32), np.empty(count, np.int32)
    return box, place


def count_pairs(
    row: Int32[np.ndarray, " M"],
    column: Int32[np.ndarray, " M"],
    rows: int,
    columns: int,
    weight: Float64[np.ndarray, " M"] | None = None,
) -> Shaped[np.ndarray, "R C"]:
    """How often each (row, column) occurs, say points of each box in each region; columns of -1 are left out.

    int64, or with a ``weight`` each float64 sums of those.
    """
    known = column >= 0
    key = row[known].astype(np.int64) * columns + column[known]
    weights = None if weight is None else weight[known]
    return np.bincount(key, weights, minlength=rows * columns).reshape(rows, columns)


def same_boxes(
    xyz: Float32[np.ndarray, "N 3"],
    corners: Float32[np.ndarray, "K 6"],
    edges: Int32[np.ndarray, "E 2"],
    margin: float,
) -> Bool[np.ndarray, " E"]:
    """True for edges whose two points lie in the same set of boxes grown by ``margin`` metres.

    The sets are compared exactly, so that neither the order of boxes nor a hash decides.
    """
    box_set = _box_sets(*points_in_boxes(xyz, corners, margin), len(xyz))
    same: Bool[np.ndarray, " E"] = box_set[edges[:, 0]] == box_set[edges[:, 1]]
    return same


@compiled
def _box_sets(box: Int32[np.ndarray, " M"], point: Int32[np.ndarray, " M"], count: int) -> Int32[np.ndarray, " N"]:
    """A number for each point, equal for two points if and only if they lie in the same set of boxes.

    Box by box, each set that has points inside it is split in two; 0 is the empty set.
    """
    box_set = np.zeros(count, np.int32)
    inner = np.zeros(len(box) + 1, np.int32)
    split_by = np.full(len(box) + 1, -1, np.int32)
    known = 1
    for entry in range(len(box)):
        outer = box_set[point[entry]]
        if split_by[outer] != box[entry]:
            split_by[outer] = box[entry]
            inner[outer] = known
            known += 1
        box_set[point[entry]] = inner[outer]
    return box_set
