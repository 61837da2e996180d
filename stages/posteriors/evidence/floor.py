"""Floor: flat surface at floor height inside a box is rarely the object's."""

from __future__ import annotations

import numpy as np

from stages.posteriors.background import floor_height
from stages.posteriors.membership import share_of_region
from stages.superpoints.split import in_box
from stages.typing import Bool, Float32, Float64, Int32, Int64

NEAR = 0.06
"""Metres from the floor height."""
FLAT = 0.8
"""|n_z| of a point that may be floor."""
KEPT = 0.1
"""A box that would keep a smaller share of its points than this lies on the floor itself (a rug, a mat)."""


def floor_points(
    xyz: Float32[np.ndarray, "N 3"], normals: Float64[np.ndarray, "N 3"], smooth_normals: Float64[np.ndarray, "N 3"]
) -> Bool[np.ndarray, " N"]:
    """Points near the floor height whose smoothed normal is upright; none where no floor is found."""
    height = floor_height(xyz, normals)
    if height is None:
        return np.zeros(len(xyz), bool)
    return (np.abs(xyz[:, 2] - height) < NEAR) & (np.abs(smooth_normals[:, 2]) > FLAT)


def floor_evidence(
    xyz: Float32[np.ndarray, "N 3"],
    on_floor: Bool[np.ndarray, " N"],
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    corners: Float32[np.ndarray, "K 6"],
    margin: float,
) -> Float64[np.ndarray, "K S"]:
    """Share of floor points of each region, in [0, 1]; 0 for boxes of objects that lie on the floor themselves."""
    share = share_of_region(on_floor, superpoint, size).astype(np.float64)
    evidence = np.zeros((len(corners), len(size)))
    for row, box in zip(evidence, corners, strict=True):
        inside = in_box(xyz, box, margin)
        if (inside & ~on_floor).sum() >= KEPT * max(int(inside.sum()), 1):
            row[:] = share
    return evidence
