"""Points in groups (instances, regions): ids without gaps, and what most points of a group have."""

from __future__ import annotations

import numpy as np

from stages.typing import Int, Int32, Int64


def contiguous(ids: Int[np.ndarray, " N"]) -> tuple[Int32[np.ndarray, " N"], Int64[np.ndarray, " I"]]:
    """Ids without gaps (0..I-1, in the order of the given ids; negative ones become -1), and the given id of each."""
    known, position = np.unique(ids, return_inverse=True)
    negative = int(np.count_nonzero(known < 0))
    return np.maximum(position - negative, -1).astype(np.int32), known[negative:].astype(np.int64)


def majority(group: Int32[np.ndarray, " N"], value: Int32[np.ndarray, " N"], groups: int) -> Int32[np.ndarray, " G"]:
    """Most frequent value among the points of each group 0..groups-1; the smallest of equally frequent ones.

    ``group`` is -1 for points of none; a group without points gets -1.
    """
    result = np.full(groups, -1, np.int32)
    inside = group >= 0
    if inside.any():
        lowest = int(value.min())
        span = int(value.max()) - lowest + 1
        pair, count = np.unique(group[inside].astype(np.int64) * span + (value[inside] - lowest), return_counts=True)
        order = np.lexsort((-pair, count))
        # of several writes to one place the last one stays: the most frequent
        result[pair[order] // span] = pair[order] % span + lowest
    return result
