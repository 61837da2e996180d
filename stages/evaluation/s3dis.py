"""The instance metrics of the S3DIS literature: mCov, mWCov, mPrec50 and mRec50 (defined with ASIS, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.evaluation.pairs import Matches
from stages.typing import Float64

OVERLAP = 0.5
"""A prediction is right from this IoU on (here the boundary itself counts)."""


@dataclass(frozen=True)
class S3disMetrics:
    """Figures in [0, 1]; NaN where the class has no instance."""

    coverage: float
    """mCov: mean over instances of their best IoU, in each scene, then over the scenes"""
    weighted_coverage: float
    """mWCov: the same, instances weighted by their points"""
    precision50: float
    recall50: float


def s3dis_metrics(scenes: Sequence[Matches]) -> S3disMetrics:
    """The metrics of one class, or of all objects whatever their class; precision is 0 without predictions.

    Empty masks are no predictions; a prediction is right if its best instance overlaps by at least OVERLAP.
    """
    coverages, weighted = [], []
    right = predictions = truths = 0
    for scene in scenes:
        overlap = scene.pair_overlap
        best = _largest(overlap, scene.pair_truth, len(scene.truth_class))
        if len(best):
            coverages.append(best.mean())
            weighted.append(float(np.average(best, weights=scene.truth_points)))
        found = _largest(overlap, scene.pair_prediction, len(scene.prediction_class))
        right += int((found >= OVERLAP).sum())
        predictions += int((scene.prediction_points > 0).sum())
        truths += len(best)
    if not truths:
        return S3disMetrics(*[float("nan")] * 4)
    return S3disMetrics(
        float(np.mean(coverages)), float(np.mean(weighted)), right / max(predictions, 1), right / truths
    )


def s3dis_mean(classes: Sequence[S3disMetrics]) -> S3disMetrics:
    """Mean over the classes with instances; NaN without any."""
    rows = np.array(
        [[each.coverage, each.weighted_coverage, each.precision50, each.recall50] for each in classes]
    ).reshape(-1, 4)
    rows = rows[~np.isnan(rows[:, 0])]
    return S3disMetrics(*(rows.mean(axis=0).tolist() if len(rows) else [float("nan")] * 4))


def _largest(overlap: Float64[np.ndarray, " M"], row: np.ndarray, rows: int) -> Float64[np.ndarray, " rows"]:
    """The largest overlap of each row, 0 for rows without pairs."""
    best = np.zeros(rows)
    np.maximum.at(best, row, overlap)
    return best
