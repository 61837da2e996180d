"""Floor: flat surface at floor height inside a box is rarely the object's."""

from __future__ import annotations

import numpy as np

from stages.posteriors.membership import share_of_region
from stages.superpoints.split import points_in_boxes
from stages.typing import Bool, Float32, Float64, Int32, Int64

KEPT = 0.1
"""A box that would keep a smaller share of its points than this lies on the floor itself (a rug, a mat)."""


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
    box, point = points_in_boxes(xyz, corners, margin)
    inside = np.bincount(box, minlength=len(corners))
    kept = np.bincount(box[~on_floor[point]], minlength=len(corners))
    return np.where((kept >= KEPT * np.maximum(inside, 1))[:, None], share, 0.0)
