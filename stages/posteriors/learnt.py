"""What a network of the round before says about owners: its masks beside the boxes."""

from __future__ import annotations

import numpy as np

from stages.inference.records import Predictions
from stages.typing import Bool, Float32, Float64, Int64

SAME_OBJECT = 0.2
"""Overlap of a proposal's mask with the prior of an owner from which on they may be one object."""
CAUTION = 0.02
"""Distance that a network's probabilities keep from 0 and 1: it is never sure."""
BEYOND = 0.2
"""Prior share, beside 1 for all other owners, of a box in a region that only the network gives to it."""


def network_probability(
    predictions: Predictions, prior: Float32[np.ndarray, "K_plus_1 S"], size: Int64[np.ndarray, " S"]
) -> Float64[np.ndarray, "K S"]:
    """Probability that each region belongs to the object of each box; NaN in rows of which the network knows nothing.

    The mean over the proposals' probabilities, each weighted by its score and its overlap with the prior of the box:
    the points that both are expected to share, divided by those of either. Overlaps below ``SAME_OBJECT`` count as
    none. Masks are compared with priors and not with boxes: those of thin objects hardly overlap, and a table's holds
    its chairs. ``size`` is the number of points of each region.
    """
    owned = prior[:-1] * size.astype(np.float64)
    shared = owned @ predictions.mask.T
    either = owned.sum(axis=1)[:, None] + (predictions.mask @ size)[None] - shared
    overlap = np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)
    fit = np.where(overlap >= SAME_OBJECT, overlap * predictions.score, 0.0)
    total = fit.sum(axis=1, keepdims=True)
    return np.divide(fit @ predictions.probability, total, out=np.full(owned.shape, np.nan), where=total > 0)


def with_network(
    candidate: Bool[np.ndarray, "K S"],
    prior: Float32[np.ndarray, "K_plus_1 S"],
    probability: Float64[np.ndarray, "K S"],
    weight: float,
    *,
    beyond: bool,
) -> tuple[Bool[np.ndarray, "K S"], Float32[np.ndarray, "K_plus_1 S"]]:
    """Candidates and prior, background last, after a network's ``probability`` (NaN: no opinion) was heard.

    The network counts as independent evidence, tempered by ``weight``: the share of each candidate is multiplied by
    its odds to the power of ``weight``, then all shares are divided by their sum. ``beyond``: boxes are inexact, and
    may own regions outside that the network rather gives to them; each enters with the share ``BEYOND``.
    """
    known = ~np.isnan(probability)
    share = prior.astype(np.float64)
    if beyond:
        entering = known & (probability >= 0.5) & ~candidate
        share[:-1] += np.where(entering, BEYOND, 0.0)
        candidate = candidate | entering
    certain = np.clip(np.where(known, probability, 0.5), CAUTION, 1.0 - CAUTION)
    share[:-1] *= np.where(candidate, (certain / (1.0 - certain)) ** weight, 1.0)
    return candidate, (share / share.sum(axis=0)).astype(np.float32)
