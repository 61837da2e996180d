"""The floor: where it is, and which points may lie on it."""

from __future__ import annotations

import numpy as np

from stages.superpoints.normals import smooth_normals
from stages.typing import Bool, Float, Int32

FLOOR_BIN = 0.02
"""Metres: height of the histogram bins in which the floor is looked for."""
FLOOR_SEARCH = 1.0
"""Metres above the lowest point in which the floor is looked for."""
UPRIGHT = 0.95
"""|n_z| of a horizontal surface; a vertical one has less than sqrt(1 - UPRIGHT^2)."""
NEAR = 0.06
"""Metres from the floor height."""
FLAT = 0.8
"""|n_z| of a point that may be floor."""


def floor_height(xyz: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"]) -> float | None:
    """Height of the floor in metres: the fullest bin of horizontal surface in the lowest metre; None without any."""
    if not len(xyz):
        return None
    height = xyz[:, 2].astype(np.float64)
    lowest = height.min()
    horizontal = (np.abs(normals[:, 2]) > UPRIGHT) & (height < lowest + FLOOR_SEARCH)
    if not horizontal.any():
        return None
    histogram = np.bincount(((height[horizontal] - lowest) / FLOOR_BIN).astype(np.int64))
    return float(lowest + (histogram.argmax() + 0.5) * FLOOR_BIN)


def floor_points(
    xyz: Float[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"]
) -> Bool[np.ndarray, " N"]:
    """Points near the floor height whose smoothed normal is upright; none where no floor is found."""
    on_floor = np.zeros(len(xyz), bool)
    height = floor_height(xyz, normals)
    if height is not None:
        near = np.flatnonzero(np.abs(xyz[:, 2] - height) < NEAR)
        on_floor[near] = np.abs(smooth_normals(xyz, neighbors, near)[:, 2]) > FLAT
    return on_floor
