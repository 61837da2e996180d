"""Edge weights: how far apart two neighbouring points are, and how different they look."""

from __future__ import annotations

import numpy as np

from stages.superpoints.compilation import compiled
from stages.typing import Float, Float64, Int32, Shaped, UInt8

LARGEST_COLOR_DISTANCE = 255.0 * np.sqrt(3.0)


def normal_weights(normals: Float[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """1 - |n_i . n_j|: 0 on a plane, 1 at a right angle; the sign of normals does not matter."""
    return np.clip(1.0 - np.abs(_dots(np.ascontiguousarray(normals, np.float64), edges)), 0.0, 1.0)


def color_weights(rgb: UInt8[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """Euclidean distance of the colours over the largest one possible."""
    return edge_distances(rgb, edges) / LARGEST_COLOR_DISTANCE


def edge_distances(values: Shaped[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """Euclidean distance of the values of the two points of each edge: its length in metres, where they are xyz."""
    return _distances(np.ascontiguousarray(values, np.float64), edges)


@compiled
def _dots(values: Float64[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    result = np.empty(len(edges))
    for e in range(len(edges)):
        one, other = values[edges[e, 0]], values[edges[e, 1]]
        result[e] = one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
    return result


@compiled
def _distances(values: Float64[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    result = np.empty(len(edges))
    for e in range(len(edges)):
        one, other = values[edges[e, 0]], values[edges[e, 1]]
        x, y, z = one[0] - other[0], one[1] - other[1], one[2] - other[2]
        result[e] = np.sqrt(x * x + y * y + z * z)
    return result
