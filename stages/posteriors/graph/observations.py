"""What the joint Gaussian Process observes: the prior of each region, seeds at the faces of exact boxes, and noise."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from stages.posteriors.determine import Ownership
from stages.posteriors.graph.field import GraphProblem
from stages.structures import Superpoints
from stages.typing import Bool, Float64, Int64

POINTS_EXPONENT = 0.75
"""Observations of larger regions are surer, but points of one region err together."""
IN_NO_BOX, IN_ONE_BOX, NESTED, CROSSING, SEED = 0.1, 0.16, 0.5, 0.1, 0.5
"""Sure observations that one point of a region stands for, by what is known of the region."""
WITHOUT_SEEDS = 4.0
"""Factor of all of these where no seeds hold objects against the background around them."""
SAID = 1.0
"""Precision of what people said, at least that of a seed, as a multiple of a region's edges. Doubtful regions lie where
objects meet: surer ones draw too much of the other object in."""


def graph_problem(
    ownership: Ownership,
    observation: Float64[np.ndarray, "K_plus_1 S"],
    superpoints: Superpoints,
    size: Int64[np.ndarray, " S"],
    seed: Bool[np.ndarray, "K S"] | None,
) -> GraphProblem:
    """The joint problem of one scene from the observed probability of each owner, background last.

    ``seed`` says which region touches a face of which exact box, None: not known. What people said of a region takes
    the place of all else.
    """
    count = len(size)
    affinity = csr_array(
        (superpoints.affinity.astype(np.float64), superpoints.neighbor, superpoints.indptr), shape=(count, count)
    )
    points = np.maximum(size, 1) ** POINTS_EXPONENT
    precision = _points_trust(ownership) * points
    if seed is None:
        precision *= WITHOUT_SEEDS
    else:
        seed = seed & ownership.candidate & ~ownership.by_people
        seeded = seed.any(axis=0)
        precision[seeded] = SEED * points[seeded]
        observation = np.where(seeded, seeded_share(observation, seed), observation)
    said = np.flatnonzero(ownership.by_people)
    edges = np.asarray(affinity[said].sum(axis=1)).ravel()
    precision[said] = np.maximum(SEED * points[said], SAID * edges)
    return GraphProblem(affinity, precision, observation / observation.sum(axis=0))


def seeded_share(
    observation: Float64[np.ndarray, "K_plus_1 S"], seed: Bool[np.ndarray, "K S"]
) -> Float64[np.ndarray, "K_plus_1 S"]:
    """What is observed, given that one of the boxes whose face a region touches owns it; zero for regions without
    seeds."""
    touched = np.where(seed, np.maximum(observation[:-1], np.finfo(np.float32).tiny), 0.0)
    share = touched / np.maximum(touched.sum(axis=0), np.finfo(np.float32).tiny)
    return np.concatenate([share, np.zeros_like(observation[-1:])])


def _points_trust(ownership: Ownership) -> Float64[np.ndarray, " S"]:
    boxes = ownership.candidate.sum(axis=0)
    overlap = np.where(ownership.nested, NESTED, CROSSING)
    return np.where(boxes == 0, IN_NO_BOX, np.where(boxes == 1, IN_ONE_BOX, overlap))
