"""Straddling: what belongs to a surface that goes on outside the box is rarely the object's."""

from __future__ import annotations

import numpy as np

from stages.posteriors.evidence.lab import to_lab
from stages.superpoints.felzenszwalb import segment
from stages.superpoints.split import in_box
from stages.superpoints.weights import normal_weights
from stages.typing import Float32, Float64, Int32, Int64, UInt8

GROWN = 0.02
"""Metres by which a box is grown before a point counts as outside."""
COLOR_UNIT = 100.0
"""Lab distance that weighs as much as a right angle between normals."""
COARSE = ((0.01, 20, False), (0.15, 40, True))
"""The two partitions: Felzenszwalb's scale, smallest region, and whether colour enters the weight."""


def coarse_partitions(
    rgb: UInt8[np.ndarray, "N 3"] | None,
    normals: Float64[np.ndarray, "N 3"],
    edges: Int32[np.ndarray, "E 2"],
    length: Float64[np.ndarray, " E"],
) -> list[Int32[np.ndarray, " N"]]:
    """Two partitions that know nothing of boxes, by normals alone and by normals and colour."""
    by_normal = normal_weights(normals, edges)
    partitions = []
    for scale, minimum_size, with_color in COARSE:
        weight = by_normal
        if with_color and rgb is not None:
            lab = to_lab(rgb)
            weight = by_normal + np.linalg.norm(lab[edges[:, 0]] - lab[edges[:, 1]], axis=1) / COLOR_UNIT
        partitions.append(segment(edges, weight, length, len(normals), scale, minimum_size))
    return partitions


def straddling(
    xyz: Float32[np.ndarray, "N 3"],
    partitions: list[Int32[np.ndarray, " N"]],
    superpoint: Int32[np.ndarray, " N"],
    size: Int64[np.ndarray, " S"],
    corners: Float32[np.ndarray, "K 6"],
) -> Float64[np.ndarray, "K S"]:
    """Mean share, over a region's points, of their coarse segment that lies outside the box; in [0, 1]."""
    evidence = np.zeros((len(corners), len(size)))
    sizes = [np.bincount(partition) for partition in partitions]
    for row, box in zip(evidence, corners, strict=True):
        outside = ~in_box(xyz, box, GROWN)
        for partition, segment_size in zip(partitions, sizes, strict=True):
            share = np.bincount(partition, outside, minlength=len(segment_size)) / segment_size
            total = np.bincount(superpoint, share[partition], minlength=len(size))
            row[:] = row + total / np.maximum(size, 1)
    return evidence / len(partitions)
