"""Geometry of boxes: volumes, intersections, overlaps."""

from __future__ import annotations

import numpy as np

from stages.typing import Float32, Float64

SMALLEST_SIDE = 0.02
"""Metres: thinner box sides (pictures, doors) count as this thick when volumes are compared."""


def box_volumes(corners: Float32[np.ndarray, "K 6"], smallest_side: float = SMALLEST_SIDE) -> Float64[np.ndarray, " K"]:
    """Volumes in cubic metres; sides shorter than ``smallest_side`` metres count as that long."""
    sides = corners[:, 3:].astype(np.float64) - corners[:, :3]
    return np.maximum(sides, smallest_side).prod(axis=1)


def box_intersections(corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K K"]:
    """Volume that each two boxes share, in cubic metres."""
    exact = corners.astype(np.float64)
    low = np.maximum(exact[:, None, :3], exact[None, :, :3])
    high = np.minimum(exact[:, None, 3:], exact[None, :, 3:])
    return np.maximum(high - low, 0.0).prod(axis=2)


def box_overlaps(corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K K"]:
    """Intersection over union of each two boxes, in [0, 1]; 0 where both are empty."""
    shared = box_intersections(corners)
    volume = box_volumes(corners, 0.0)
    union = volume[:, None] + volume[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
