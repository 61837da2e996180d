"""The sign of normals: towards the room from which the scan was taken."""

from __future__ import annotations

import numpy as np

from stages.superpoints.compilation import compiled
from stages.typing import Float, Float64, Int32

EYE_HEIGHT = 1.4
"""Metres above the floor from which scans are taken."""
FLIPS = 10
"""Rounds in which normals that oppose their neighbours are turned."""
FLIP_NEIGHBORS = 11


def orient(
    xyz: Float[np.ndarray, "N 3"], normals: Float64[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"]
) -> Float64[np.ndarray, "N 3"]:
    """Normals turned towards the middle of the room at eye height, then by majority of their neighbours."""
    if not len(xyz):
        return normals
    eye = np.array(
        [np.median(xyz[:, 0]), np.median(xyz[:, 1]), np.percentile(xyz[:, 2], 1) + EYE_HEIGHT], dtype=np.float64
    )
    towards = np.einsum("ij,ij->i", eye - xyz, normals)
    oriented = np.where(towards[:, None] < 0, -normals, normals)
    return _flip(oriented, neighbors, min(FLIP_NEIGHBORS, neighbors.shape[1]))


@compiled
def _flip(
    normals: Float64[np.ndarray, "N 3"], neighbors: Int32[np.ndarray, "N C"], columns: int
) -> Float64[np.ndarray, "N 3"]:
    """All points at once in each round, so that the order of points decides nothing; ends early where none opposes."""
    oriented = normals.copy()
    opposes = np.zeros(len(normals), np.bool_)
    for _ in range(FLIPS):
        any_opposes = False
        for point in range(len(oriented)):
            x, y, z = 0.0, 0.0, 0.0
            for column in range(columns):
                other = neighbors[point, column]
                x += oriented[other, 0]
                y += oriented[other, 1]
                z += oriented[other, 2]
            opposes[point] = x * oriented[point, 0] + y * oriented[point, 1] + z * oriented[point, 2] < 0.0
            any_opposes |= opposes[point]
        if not any_opposes:
            break
        for point in range(len(oriented)):
            if opposes[point]:
                oriented[point] *= -1.0
    return oriented
