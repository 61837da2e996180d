"""The graph of regions: which regions touch, across how many pairs of neighbouring points, and how smoothly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from stages.typing import Float32, Float64, Int32, Int64, Shaped

LEAST_AFFINITY = 0.001
"""Added to the affinity of every two regions that touch, so that none is cut off."""


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """Symmetric compressed rows; the fields are those of ``Superpoints``."""

    indptr: Int64[np.ndarray, " S_plus_1"]
    neighbor: Int32[np.ndarray, " M"]
    contacts: Int32[np.ndarray, " M"]
    affinity: Float32[np.ndarray, " M"]


def region_graph(
    superpoint: Int32[np.ndarray, " N"],
    edges: Int32[np.ndarray, "E 2"],
    affinity: Float64[np.ndarray, " E"],
    count: int,
) -> RegionGraph:
    """The graph of ``count`` regions from the edges between their points and the affinity of those.

    ``contacts`` counts the point edges across each region edge, ``affinity`` adds theirs up and 0.001 to the sum.
    Points without a region (-1) have no edges.
    """
    one, other = superpoint[edges[:, 0]], superpoint[edges[:, 1]]
    across = np.flatnonzero((one != other) & (one >= 0) & (other >= 0))
    low, high = np.minimum(one[across], other[across]), np.maximum(one[across], other[across])
    indptr, neighbor, contacts = _symmetric_sums(low, high, np.ones(len(low)), 0.0, count)
    total = _symmetric_sums(low, high, affinity[across], LEAST_AFFINITY, count)[2]
    return RegionGraph(indptr, neighbor, contacts.astype(np.int32), total.astype(np.float32))


def _symmetric_sums(
    low: Int32[np.ndarray, " M"],
    high: Int32[np.ndarray, " M"],
    value: Float64[np.ndarray, " M"],
    added: float,
    count: int,
) -> tuple[Int64[np.ndarray, " S_plus_1"], Int32[np.ndarray, " E"], Shaped[np.ndarray, " E"]]:
    """Sums over equal pairs, plus ``added``, which must leave none at 0 (scipy drops zeros), in compressed rows."""
    upper = coo_array((value, (low, high)), shape=(count, count)).tocsr()
    upper.sum_duplicates()
    upper.data += added
    both = upper + upper.T.tocsr()  # each half summed once: symmetric to the bit
    both.sort_indices()
    return both.indptr.astype(np.int64), both.indices.astype(np.int32), both.data
