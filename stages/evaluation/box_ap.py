"""Average precision of the axis-aligned boxes around masks, as the detection literature defines it."""

from __future__ import annotations

import numpy as np

from stages.evaluation.pairs import BoxMatches


def box_average_precision(pooled: BoxMatches, threshold: float) -> float:
    """AP of boxes at one IoU threshold: area under the monotone envelope of precision over recall (PASCAL VOC 2010).

    From the highest score down, a prediction is right if its best instance overlaps by more than ``threshold`` and was
    not taken before. NaN without instances.
    """
    truths = len(pooled.truth_class)
    if not truths:
        return float("nan")
    predictions = len(pooled.prediction_class)
    overlap, instance = np.zeros(predictions), np.full(predictions, -1)
    # of several writes to one place the last one stays: the largest overlap, of equal ones the first instance
    pair = np.lexsort((-pooled.pair_truth, pooled.pair_overlap))
    overlap[pooled.pair_prediction[pair]] = pooled.pair_overlap[pair]
    instance[pooled.pair_prediction[pair]] = pooled.pair_truth[pair]
    candidate = np.where(overlap > threshold, instance, -1)
    order = np.lexsort((-overlap, -pooled.prediction_score))
    right = np.zeros(predictions, bool)
    found, first = np.unique(candidate[order], return_index=True)
    right[first[found >= 0]] = True
    true = np.cumsum(right)
    precision = true / np.arange(1, predictions + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right).sum() / truths)
