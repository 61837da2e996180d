"""Affinity of neighbouring points: high where a surface goes on, low across a crease, a change of colour or a gap."""

from __future__ import annotations

import numpy as np

from stages.superpoints.graph import PointGraph
from stages.superpoints.weights import edge_distances, normal_weights
from stages.typing import Float64

NORMAL_UNIT = 0.03
"""1 - |n_i . n_j| at which affinity falls to 1/e."""
COLOR_UNIT = 72.0
"""Squared Lab distance at which affinity falls to 1/e."""
GAP = 3.0
"""Edges longer than this many times the median one bridge a gap."""
SHORTEST = 1e-6
"""Metres: the median edge counts as this long at least, for scans of which most points lie twice."""


def edge_affinities(
    lab: Float64[np.ndarray, "N 3"] | None, normals: Float64[np.ndarray, "N 3"], graph: PointGraph
) -> Float64[np.ndarray, " E"]:
    """exp(-(1 - |n_i . n_j|) / 0.03 - |Lab_i - Lab_j|^2 / 72 - max(l_ij / median l - 3, 0)) of each edge, in [0, 1].

    Half of it where only one of the two points is a neighbour of the other; the median is that of all directed edges.
    Without colour its term is 0.
    """
    if not len(graph.edges):
        return np.zeros(0)
    cost = normal_weights(normals, graph.edges) / NORMAL_UNIT
    if lab is not None:
        cost += edge_distances(lab, graph.edges) ** 2 / COLOR_UNIT
    median = max(float(np.median(np.repeat(graph.length, graph.directions))), SHORTEST)
    cost += np.maximum(graph.length / median - GAP, 0.0)
    return np.exp(-cost) * graph.directions / 2.0
