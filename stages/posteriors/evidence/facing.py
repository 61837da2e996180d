"""Facing: a surface on the far side of a box that faces into it is what the object stands against."""

from __future__ import annotations

import numpy as np

from stages.features.handcrafted import region_means
from stages.typing import Float, Float32, Float64, Int32

TOLERATED = 0.3
SMALLEST_HALF_DEPTH = 0.15
"""Metres: boxes thinner than twice this along the normal have no far side to speak of."""


def facing(
    xyz: Float32[np.ndarray, "N 3"],
    oriented: Float[np.ndarray, "N 3"],
    superpoint: Int32[np.ndarray, " N"],
    count: int,
    corners: Float32[np.ndarray, "K 6"],
) -> Float64[np.ndarray, "K S"]:
    """max(-t - 0.3, 0) with t = n.(x - m) / sum_i |n_i| h_i, for box centre m and half sides h.

    t is -1 for a region on the far face that looks at the centre and 1 for one on the near face that looks away from
    it.
    """
    center = region_means(xyz.astype(np.float64), superpoint, count)
    normal = region_means(oriented, superpoint, count)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
    evidence = np.zeros((len(corners), count))
    for row, box in zip(evidence, corners.astype(np.float64), strict=True):
        half_depth = np.abs(normal) @ ((box[3:] - box[:3]) / 2)
        height = np.einsum("ij,ij->i", center - (box[:3] + box[3:]) / 2, normal)
        deep = half_depth > SMALLEST_HALF_DEPTH
        row[deep] = np.maximum(-height[deep] / half_depth[deep] - TOLERATED, 0.0)
    return evidence
