"""Coarse partitions: surfaces that go on where a box ends."""

from __future__ import annotations

import numpy as np

from stages.superpoints.felzenszwalb import segment
from stages.superpoints.graph import PointGraph
from stages.superpoints.weights import edge_distances, normal_weights
from stages.typing import Float64, Int32

COLOR_UNIT = 100.0
"""Lab distance that weighs as much as a right angle between normals."""
COARSE = ((0.01, 20, False), (0.15, 40, True))
"""The two partitions: Felzenszwalb's scale, smallest region, and whether colour enters the weight."""


def coarse_partitions(
    lab: Float64[np.ndarray, "N 3"] | None, normals: Float64[np.ndarray, "N 3"], graph: PointGraph
) -> Int32[np.ndarray, "2 N"]:
    """Two partitions that know nothing of boxes, by normals alone and by normals and colour."""
    by_normal = normal_weights(normals, graph.edges)
    partitions = []
    for scale, minimum_size, with_color in COARSE:
        weight = by_normal
        if with_color and lab is not None:
            weight = by_normal + edge_distances(lab, graph.edges) / COLOR_UNIT
        partitions.append(segment(graph.edges, weight, graph.length, len(normals), scale, minimum_size))
    return np.stack(partitions)
