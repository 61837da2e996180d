"""Points that masks share with ground-truth instances, counted over regions and never as masks of points."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from stages.typing import Bool, Float64, Int32, Int64, UInt8

SUBSETS = ("all", "determined", "overlap", "background")
"""The points over which an intersection over union is taken: all of them, or those of regions of one kind."""


def points_in_instances(
    superpoint: Int32[np.ndarray, " N"], instance: Int32[np.ndarray, " N"], regions: int, instances: int
) -> csr_array:
    """Number of points of each region in each instance, int64 [S+1, I+1].

    The last row holds the points without a region, the last column those of no instance.
    """
    row = np.where(superpoint >= 0, superpoint, regions)
    column = np.where(instance >= 0, instance, instances)
    key, count = np.unique(row.astype(np.int64) * (instances + 1) + column, return_counts=True)
    places = (key // (instances + 1), key % (instances + 1))
    return csr_array((count.astype(np.int64), places), shape=(regions + 1, instances + 1))


def mask_points(
    mask: Bool[np.ndarray, "K S"], counts: csr_array, contested: UInt8[np.ndarray, " S"]
) -> Int64[np.ndarray, "4 K columns"]:
    """Points that each mask shares with each instance (none last), over the four SUBSETS.

    ``counts`` as ``points_in_instances`` gives them; ``contested`` is the kind of each region: 0, 1 or 2.
    """
    member = csr_array(mask).astype(np.int64)
    shared = np.zeros((len(SUBSETS), len(mask), counts.shape[1]), np.int64)
    for kind in range(3):
        region = np.flatnonzero(contested == kind)
        shared[kind + 1] = (member[:, region] @ counts[region]).toarray()
    shared[0] = shared[1:].sum(axis=0)
    return shared


def owner_points(
    owner: Int32[np.ndarray, " N"],
    instance: Int32[np.ndarray, " N"],
    kind: UInt8[np.ndarray, " N"],
    objects: int,
    instances: int,
) -> Int64[np.ndarray, "4 K columns"]:
    """``mask_points`` of masks given by the owner of each point (-1 none) instead of regions.

    ``kind`` is that of the point's region; 3 for points without a region, which only the first subset counts.
    """
    column = np.where(instance >= 0, instance, instances).astype(np.int64)
    owned = owner >= 0
    key = (kind[owned].astype(np.int64) * objects + owner[owned]) * (instances + 1) + column[owned]
    by_kind = np.bincount(key, minlength=4 * objects * (instances + 1)).reshape(4, objects, instances + 1)
    return np.concatenate([by_kind.sum(axis=0)[None], by_kind[:3]]).astype(np.int64)


def instance_points(counts: csr_array, contested: UInt8[np.ndarray, " S"]) -> Int64[np.ndarray, "4 columns"]:
    """Points of each instance (none last) over the four SUBSETS; points without a region count in the first alone."""
    total = np.asarray(counts.sum(axis=0)).ravel()
    kinds = [np.asarray(counts[np.flatnonzero(contested == kind)].sum(axis=0)).ravel() for kind in range(3)]
    return np.stack([total, *kinds]).astype(np.int64)


def intersection_over_union(
    shared: Int64[np.ndarray, "4 K columns"],
    truth: Int64[np.ndarray, "4 columns"],
    instance_of_object: Int32[np.ndarray, " K"],
) -> Float64[np.ndarray, "4 K"]:
    """IoU in [0, 1] of each object's mask with its instance, over the four SUBSETS.

    NaN where the instance is not known (-1) or neither mask nor instance has points in the subset.
    """
    objects = np.arange(len(instance_of_object))
    intersection = shared[:, objects, instance_of_object]
    union = shared.sum(axis=2) + truth[:, instance_of_object] - intersection
    valid = (union > 0) & (instance_of_object >= 0)
    nothing = np.full(union.shape, np.nan)
    overlap: Float64[np.ndarray, "4 K"] = np.divide(intersection, union, out=nothing, where=valid)
    return overlap
