"""Box membership of regions and the candidates that follow from it."""

from __future__ import annotations

import numpy as np

from stages.geometry import box_volumes
from stages.superpoints.split import count_pairs, points_in_boxes
from stages.typing import Bool, Float32, Int32, Int64


def canonical_order(
    corners: Float32[np.ndarray, "K 6"], class_index: Int32[np.ndarray, " K"]
) -> Int64[np.ndarray, " K"]:
    """The order of boxes in which everything is computed: by volume, then corners, then class.

    Sums and ties then do not depend on the order in which boxes were annotated; smaller boxes come first.
    """
    keys = [class_index, *corners.T[::-1], box_volumes(corners)]
    return np.lexsort(keys).astype(np.int64)


def region_sizes(superpoint: Int32[np.ndarray, " N"], count: int) -> Int64[np.ndarray, " S"]:
    """Number of points of each region."""
    return np.bincount(superpoint[superpoint >= 0], minlength=count).astype(np.int64)


def share_of_region(
    flag: Bool[np.ndarray, " N"], superpoint: Int32[np.ndarray, " N"], size: Int64[np.ndarray, " S"]
) -> Float32[np.ndarray, " S"]:
    """Share of each region's points that are flagged, in [0, 1]."""
    flagged = superpoint[flag & (superpoint >= 0)]
    return (np.bincount(flagged, minlength=len(size)) / np.maximum(size, 1)).astype(np.float32)


def membership(
    xyz: Float32[np.ndarray, "N 3"],
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    corners: Float32[np.ndarray, "K 6"],
    margin: float,
) -> Float32[np.ndarray, "K S"]:
    """Share of each region's points inside each box grown by ``margin`` metres."""
    box, point = points_in_boxes(xyz, corners, margin)
    inside = count_pairs(box, superpoint[point], len(corners), len(size))
    return (inside / np.maximum(size, 1)).astype(np.float32)


def contained_pairs(corners: Float32[np.ndarray, "K 6"], tolerance: float) -> Bool[np.ndarray, "K K"]:
    """[inner, outer]: True where a box lies inside another one grown by ``tolerance`` metres.

    Boxes that contain each other count once, the one that comes first (the smaller) as the inner.
    """
    low, high = corners[:, None, :3], corners[:, None, 3:]
    inside = ((low >= corners[None, :, :3] - tolerance) & (high <= corners[None, :, 3:] + tolerance)).all(axis=2)
    inside &= ~np.eye(len(corners), dtype=bool)
    mutual = inside & inside.T
    return inside & ~(mutual & np.tri(len(corners), k=-1, dtype=bool))


def without_containers(candidate: Bool[np.ndarray, "K S"], inner: Bool[np.ndarray, "K K"]) -> Bool[np.ndarray, "K S"]:
    """Candidates less each box in which another candidate of the region is contained (the published rule)."""
    outer_of = (inner.T.astype(np.float32) @ candidate.astype(np.float32)) > 0
    return candidate & ~outer_of
