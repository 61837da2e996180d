"""Solved pairs, gathered into one structure and put back into the annotation's order of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stages.posteriors.determine import Ownership
from stages.posteriors.engines.base import Link, PairSolution
from stages.posteriors.graph.field import GraphPosterior
from stages.posteriors.problems import Pair
from stages.structures import Faces, PairPosteriors
from stages.typing import Int32, Int64


def assemble(
    ownership: Ownership,
    pairs: Sequence[Pair],
    solutions: Sequence[PairSolution | None],
    order: Int64[np.ndarray, " K"],
    link: Link | Literal["identity"],
    engine: str,
    faces: Faces,
    joint: GraphPosterior | None = None,
) -> PairPosteriors:
    """The posteriors of one scene, of pairs or ``joint``.

    ``ownership`` and ``pairs`` number the boxes canonically; ``order`` gives the annotation's number of each. Pairs
    stay in canonical order, so that sums over them do not depend on the annotation's.
    """
    boxes = len(order)
    original = np.append(order, boxes).astype(np.int32)
    row = np.append(np.argsort(order), boxes)
    counts = [len(pair.region) for pair in pairs]
    return PairPosteriors(
        owner=_renumber(ownership.owner, original),
        source=ownership.source,
        candidate=ownership.candidate[row[:-1]],
        prior=ownership.prior[row],
        pair=original[np.array([(p.first, p.second) for p in pairs], np.int64).reshape(-1, 2)],
        overlap=np.array([pair.overlap for pair in pairs], np.float32),
        indptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        region=_concatenate([pair.region for pair in pairs], np.int32),
        latent_mean=_moments(solutions, counts, "latent_mean"),
        latent_variance=_moments(solutions, counts, "latent_variance"),
        probability=_moments(solutions, counts, "probability"),
        mean=_moments(solutions, counts, "mean"),
        variance=_moments(solutions, counts, "variance"),
        length_scale=_values(solutions, "length_scale"),
        output_scale=_values(solutions, "output_scale"),
        evidence=_values(solutions, "evidence"),
        steps=np.array([0 if s is None else s.steps for s in solutions], np.int32),
        jitter_retries=np.array([0 if s is None else s.jitter_retries for s in solutions], np.int32),
        fitted=np.array([s is not None and s.converged for s in solutions], bool),
        link=link,
        engine=engine,
        faces=faces,
        joint_mean=None if joint is None else joint.mean[row],
        joint_variance=None if joint is None else joint.variance,
    )


def _renumber(owner: Int32[np.ndarray, " S"], original: Int32[np.ndarray, " K_plus_1"]) -> Int32[np.ndarray, " S"]:
    return np.where(owner >= 0, original[owner], -1).astype(np.int32)


def _concatenate(parts: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.zeros(0, dtype)


def _moments(solutions: Sequence[PairSolution | None], counts: Sequence[int], name: str) -> np.ndarray:
    """One value an entry; NaN where no posterior could be had."""
    parts = [
        np.full(count, np.nan, np.float32) if s is None or not s.converged else getattr(s, name)
        for s, count in zip(solutions, counts, strict=True)
    ]
    return _concatenate(parts, np.float32)


def _values(solutions: Sequence[PairSolution | None], name: str) -> np.ndarray:
    return np.array([np.nan if s is None else getattr(s, name) for s in solutions], np.float32)
