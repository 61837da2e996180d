"""Edge weights: how different two neighbouring points look, in [0, 1] per term."""

from __future__ import annotations

import numpy as np

from stages.typing import Float, Float64, Int32, UInt8

LARGEST_COLOR_DISTANCE = 255.0 * np.sqrt(3.0)


def normal_weights(normals: Float[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """1 - |n_i . n_j|: 0 on a plane, 1 at a right angle; the sign of normals does not matter."""
    product = np.einsum("ij,ij->i", normals[edges[:, 0]], normals[edges[:, 1]])
    return np.clip(1.0 - np.abs(product), 0.0, 1.0)


def color_weights(rgb: UInt8[np.ndarray, "N 3"], edges: Int32[np.ndarray, "E 2"]) -> Float64[np.ndarray, " E"]:
    """Euclidean distance of the colours over the largest one possible."""
    difference = rgb[edges[:, 0]].astype(np.float64) - rgb[edges[:, 1]]
    return np.sqrt(np.einsum("ij,ij->i", difference, difference)) / LARGEST_COLOR_DISTANCE
