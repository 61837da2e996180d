"""What a network of the round before says about owners: its masks beside the boxes, its features beside the surface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.evaluation.boxes import box_overlaps_with, extents, mask_extents
from stages.inference.records import Predictions
from stages.structures import Superpoints
from stages.typing import Bool, Float32, Float64, Int32

SAME_OBJECT = 0.3
"""Intersection over union of an annotated box and that of a proposal's mask from which on they may be one object."""
CAUTION = 0.02
"""Distance that a network's probabilities keep from 0 and 1: it is never sure."""


def network_odds(
    predictions: Predictions,
    xyz: Float32[np.ndarray, "N 3"],
    superpoint: Int32[np.ndarray, " N"],
    corners: Float32[np.ndarray, "K 6"],
) -> Float64[np.ndarray, "K S"]:
    """Odds p / (1 - p) that each region belongs to the object of each box, by the proposal that fits the box best.

    The best one has the largest product of score and overlap of boxes; p is its mean of the label. 1, that is no
    opinion, for boxes that no proposal overlaps by ``SAME_OBJECT``.
    """
    regions = predictions.mask.shape[1]
    odds = np.ones((len(corners), regions))
    if not len(predictions) or not len(corners):
        return odds
    found = mask_extents(predictions.mask, extents(xyz, superpoint, regions))
    overlap = box_overlaps_with(corners, found)
    fit = np.where(overlap >= SAME_OBJECT, overlap * predictions.score, 0.0)
    best = fit.argmax(axis=1)
    known = fit.max(axis=1) > 0
    probability = np.clip(predictions.mean[best[known]].astype(np.float64), CAUTION, 1.0 - CAUTION)
    odds[known] = probability / (1.0 - probability)
    return odds


def with_network(
    prior: Float32[np.ndarray, "K_plus_1 S"],
    candidate: Bool[np.ndarray, "K S"],
    odds: Float64[np.ndarray, "K S"],
    weight: float,
) -> Float32[np.ndarray, "K_plus_1 S"]:
    """A prior over owners, background last, after a network's odds were taken into account.

    The network counts as independent evidence, tempered by ``weight``: the share of each candidate is multiplied by
    odds^weight, then all shares are divided by their sum.
    """
    share = prior.astype(np.float64)
    share[:-1] *= np.where(candidate, odds**weight, 1.0)
    return (share / share.sum(axis=0)).astype(np.float32)


def with_deep_affinity(
    superpoints: Superpoints, feature: Float32[np.ndarray, "S D"], length_scale: float
) -> Superpoints:
    """The graph of regions with affinities multiplied by exp(-|d_u - d_v|^2 / (2 l^2)), d the deep features."""
    count = len(superpoints)
    first = np.repeat(np.arange(count), np.diff(superpoints.indptr))
    difference = feature[first].astype(np.float64) - feature[superpoints.neighbor]
    kernel = np.exp(-np.square(difference).sum(axis=1) / (2.0 * length_scale**2))
    return replace(superpoints, affinity=(superpoints.affinity * kernel).astype(np.float32))
