"""The graph of regions: which regions touch, and across how many pairs of neighbouring points."""

from __future__ import annotations

import numpy as np

from stages.typing import Int32, Int64


def region_graph(
    superpoint: Int32[np.ndarray, " N"], edges: Int32[np.ndarray, "E 2"], count: int
) -> tuple[Int64[np.ndarray, " S_plus_1"], Int32[np.ndarray, " M"], Int32[np.ndarray, " M"]]:
    """Symmetric compressed rows (indptr, neighbor, contacts) of ``count`` regions from the edges between their points.

    ``contacts`` counts the point edges across each region edge. Points without a region (-1) have no edges.
    """
    side = superpoint[edges].astype(np.int64)
    across = (side[:, 0] != side[:, 1]) & (side >= 0).all(axis=1)
    source = np.concatenate([side[across, 0], side[across, 1]])
    target = np.concatenate([side[across, 1], side[across, 0]])
    key, contacts = np.unique(source * max(count, 1) + target, return_counts=True)
    indptr = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(key // max(count, 1), minlength=count), out=indptr[1:])
    return indptr, (key % max(count, 1)).astype(np.int32), contacts.astype(np.int32)
