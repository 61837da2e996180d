"""Every figure by which masks are judged as predictions: AP of masks and of boxes, and the metrics of S3DIS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.evaluation.average_precision import AveragePrecision, mask_ap, mean_over_classes
from stages.evaluation.box_ap import box_average_precision
from stages.evaluation.pairs import BoxMatches, Matches, pool
from stages.evaluation.s3dis import S3disMetrics, s3dis_mean, s3dis_metrics
from stages.typing import Float64


@dataclass(frozen=True)
class BoxAP:
    """AP of axis-aligned boxes in [0, 1]; NaN without instances."""

    ap25: float
    ap50: float


@dataclass(frozen=True)
class PredictionFigures:
    """Masks judged as predictions of one class, of the mean over classes, or whatever their class."""

    masks: AveragePrecision
    boxes: BoxAP
    s3dis: S3disMetrics


def prediction_figures(masks: Sequence[Matches], boxes: Sequence[BoxMatches]) -> PredictionFigures:
    """The figures of several scenes (at least one), pooled over their objects."""
    pooled = pool(boxes)
    return PredictionFigures(
        mask_ap(pool(masks)),
        BoxAP(box_average_precision(pooled, 0.25), box_average_precision(pooled, 0.5)),
        s3dis_metrics(masks),
    )


def mean_of_classes(classes: Sequence[PredictionFigures]) -> PredictionFigures:
    """Mean over the classes with instances; NaN without any."""
    return PredictionFigures(
        mean_over_classes([each.masks for each in classes]),
        BoxAP(
            mean_of_known(np.array([each.boxes.ap25 for each in classes], np.float64)),
            mean_of_known(np.array([each.boxes.ap50 for each in classes], np.float64)),
        ),
        s3dis_mean([each.s3dis for each in classes]),
    )


def mean_of_known(values: Float64[np.ndarray, " n"]) -> float:
    """Mean of the values that are not NaN; NaN if none is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
