"""Axis-aligned boxes around masks and instances, and how much they overlap."""

from __future__ import annotations

import numpy as np

from stages.typing import Bool, Float32, Float64, Int32


def extents(
    xyz: Float32[np.ndarray, "N 3"], group: Int32[np.ndarray, " N"], groups: int
) -> Float32[np.ndarray, "groups 6"]:
    """Corners (min xyz, max xyz) of the points of each group 0..groups-1; NaN for groups without finite points."""
    chosen = (group >= 0) & np.isfinite(xyz).all(axis=1)
    group, xyz = group[chosen], xyz[chosen]
    corners = np.concatenate([np.full((groups, 3), np.inf), np.full((groups, 3), -np.inf)], axis=1).astype(np.float32)
    for axis in range(3):
        np.minimum.at(corners[:, axis], group, xyz[:, axis])
        np.maximum.at(corners[:, axis + 3], group, xyz[:, axis])
    corners[np.isinf(corners[:, 0])] = np.nan
    return corners


def mask_extents(
    mask: Bool[np.ndarray, "K S"], region_corners: Float32[np.ndarray, "S 6"]
) -> Float32[np.ndarray, "K 6"]:
    """Corners of the points of each mask from those of the regions; NaN for empty masks."""
    corners = np.full((len(mask), 6), np.nan, np.float32)
    known = ~np.isnan(region_corners[:, 0])
    for index, row in enumerate(mask):
        inside = region_corners[row & known]
        if len(inside):
            corners[index] = np.concatenate([inside[:, :3].min(axis=0), inside[:, 3:].max(axis=0)])
    return corners


def box_overlaps_with(
    first: Float32[np.ndarray, "K 6"], second: Float32[np.ndarray, "I 6"]
) -> Float64[np.ndarray, "K I"]:
    """Intersection over union of each two boxes, in [0, 1]; 0 where a corner is NaN.

    Two flat boxes (a picture without thickness) have no volume: they overlap by 1 where they are the same, else by 0.
    """
    one, other = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    side = np.minimum(one[..., 3:], other[..., 3:]) - np.maximum(one[..., :3], other[..., :3])
    shared = np.maximum(side, 0.0).prod(axis=2)
    union = (one[..., 3:] - one[..., :3]).prod(axis=2) + (other[..., 3:] - other[..., :3]).prod(axis=2) - shared
    same = (one == other).all(axis=2).astype(np.float64)
    overlap: Float64[np.ndarray, "K I"] = np.divide(shared, union, out=same, where=union > 0)
    return overlap
