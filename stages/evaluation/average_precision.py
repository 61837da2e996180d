"""Average precision of instance masks as the ScanNet benchmark defines it, pooled over scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.evaluation.pairs import Matches
from stages.typing import Bool, Float32

THRESHOLDS: tuple[float, ...] = tuple(percent / 100 for percent in range(50, 95, 5))
"""IoU thresholds 0.50, 0.55 .. 0.90, of which AP is the mean; an overlap must exceed its threshold."""
MINIMUM_POINTS = 100
"""Smaller predictions are dropped, smaller instances ignored."""


@dataclass(frozen=True)
class AveragePrecision:
    """AP in [0, 1] over the nine THRESHOLDS and at single ones; NaN where no instance counts."""

    ap: float
    ap50: float
    ap25: float
    ap90: float


def mask_ap(pooled: Matches) -> AveragePrecision:
    """AP over all predictions and instances, whatever their classes."""
    at = {threshold: average_precision(pooled, threshold) for threshold in THRESHOLDS}
    return AveragePrecision(float(np.mean(list(at.values()))), at[0.5], average_precision(pooled, 0.25), at[0.9])


def mean_over_classes(classes: Sequence[AveragePrecision]) -> AveragePrecision:
    """Mean over the classes with instances that count; NaN without any."""
    rows = np.array([[each.ap, each.ap50, each.ap25, each.ap90] for each in classes]).reshape(-1, 4)
    rows = rows[~np.isnan(rows[:, 0])]
    return AveragePrecision(*(rows.mean(axis=0).tolist() if len(rows) else [float("nan")] * 4))


def average_precision(pooled: Matches, threshold: float) -> float:
    """AP at one IoU threshold (the benchmark's rules; it takes instances in order and matches greedily).

    Among the predictions that overlap an instance by more than ``threshold`` the one of highest score is a true
    positive, the others are false ones. A prediction that matches nothing is a false positive unless more than the
    share ``threshold`` of its points lies in void or in instances below MINIMUM_POINTS. NaN without
    instances of that size.
    """
    large = pooled.truth_points >= MINIMUM_POINTS
    kept = pooled.select(pooled.prediction_points >= MINIMUM_POINTS, np.ones(len(large), bool))
    truths = int(large.sum())
    if not truths:
        return float("nan")
    right, wrong = _assign(kept, large, threshold)
    wrong = np.concatenate([wrong, kept.prediction_score[_unmatched(kept, large, threshold)]])
    return area_under_curve(right, wrong, truths)


def _assign(
    kept: Matches, large: Bool[np.ndarray, " T"], threshold: float
) -> tuple[Float32[np.ndarray, " right"], Float32[np.ndarray, " wrong"]]:
    """Scores of the true positives and of the false ones that repeat a match."""
    pair = np.flatnonzero((kept.pair_overlap > threshold) & large[kept.pair_truth])
    prediction, truth = kept.pair_prediction[pair], kept.pair_truth[pair]
    order = np.lexsort((prediction, -kept.prediction_score[prediction], truth))
    used: set[int] = set()
    right, wrong, matched = [], [], -1
    for candidate, instance in zip(prediction[order].tolist(), truth[order].tolist(), strict=True):
        if candidate in used:
            continue
        if instance == matched:
            wrong.append(candidate)
        else:
            right.append(candidate)
            used.add(candidate)
            matched = instance
    score = kept.prediction_score
    return score[np.array(right, np.int64)], score[np.array(wrong, np.int64)]


def _unmatched(kept: Matches, large: Bool[np.ndarray, " T"], threshold: float) -> Bool[np.ndarray, " Q"]:
    """Predictions that match no instance of any size and do not lie in ignored points either."""
    matched = np.zeros(len(kept.prediction_class), bool)
    matched[kept.pair_prediction[kept.pair_overlap > threshold]] = True
    small = ~large[kept.pair_truth]
    ignored = kept.prediction_void + np.bincount(
        kept.pair_prediction[small], weights=kept.pair_points[small], minlength=len(matched)
    )
    unmatched: Bool[np.ndarray, " Q"] = ~matched & (ignored / kept.prediction_points <= threshold)
    return unmatched


def area_under_curve(right: Float32[np.ndarray, " right"], wrong: Float32[np.ndarray, " wrong"], truths: int) -> float:
    """Area under precision over recall by the trapezoid rule, one point for each distinct score and (0, 1).

    The benchmark's script writes the same sum as precision times recall convolved with (-1/2, 0, 1/2).
    """
    scores = np.unique(np.concatenate([right, wrong]))[::-1]
    if not len(scores):
        return 0.0
    true = len(right) - np.searchsorted(np.sort(right), scores, side="left")
    false = len(wrong) - np.searchsorted(np.sort(wrong), scores, side="left")
    precision = np.concatenate([[1.0], true / (true + false)])
    recall = np.concatenate([[0.0], true / truths])
    return float(np.trapezoid(precision, recall))
