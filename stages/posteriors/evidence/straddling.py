"""Straddling: what belongs to a surface that goes on outside the box is rarely the object's."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array

from stages.superpoints.split import count_pairs, points_in_boxes
from stages.typing import Float32, Float64, Int32, Int64

GROWN = 0.02
"""Metres by which a box is grown before a point counts as outside."""


def straddling(
    xyz: Float32[np.ndarray, "N 3"],
    coarse: Int32[np.ndarray, "C N"],
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    corners: Float32[np.ndarray, "K 6"],
    deviation: float,
) -> Float64[np.ndarray, "K S"]:
    """Mean share, over a region's points, of their ``coarse`` segment that lies outside the box; in [0, 1].

    The box is grown by ``GROWN``, and by the standard ``deviation`` of its faces, a share of its sides.
    """
    spread = np.float32(deviation) * (corners[:, 3:] - corners[:, :3])
    grown = np.concatenate([corners[:, :3] - spread, corners[:, 3:] + spread], axis=1)
    box, point = points_in_boxes(xyz, grown, GROWN)
    valid = superpoint >= 0
    region, ones = superpoint[valid], np.ones(np.count_nonzero(valid))
    evidence = np.zeros((len(corners), len(size)))
    for partition in coarse:
        segment_size = np.bincount(partition[valid])
        inside = count_pairs(box, partition[point], len(corners), len(segment_size))
        outside = 1.0 - inside / segment_size
        shared = coo_array((ones, (region, partition[valid])), shape=(len(size), len(segment_size))).tocsr()
        evidence += (shared @ outside.T).T
    return evidence / np.maximum(size, 1) / len(coarse)
