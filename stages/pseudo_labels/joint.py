"""Moments of labels from one joint Gaussian Process over all owners."""

from __future__ import annotations

import numpy as np

from stages.pseudo_labels.coupling import Moments
from stages.typing import Bool, Float32, Float64


def joint_moments(
    mean: Float32[np.ndarray, "K_plus_1 S"], variance: Float32[np.ndarray, " S"], candidate: Bool[np.ndarray, "K S"]
) -> Moments:
    """Probability, mean and variance of the label of each box at each region.

    The probability p is the posterior mean, restricted to the region's candidates and background and scaled to add up
    to 1. A label is a Bernoulli variable whose p is known from n = 1 / ``variance`` sure observations; then p has a
    Beta distribution with mean p and variance p (1 - p) / (1 + n), never above that of a coin.
    """
    possible = np.concatenate([candidate, np.ones_like(candidate[:1], shape=(1, candidate.shape[1]))])
    share = np.where(possible, mean.astype(np.float64), 0.0)
    total = share.sum(axis=0)
    probability = np.divide(share, total, out=np.zeros_like(share), where=total > 0)[:-1]
    known: Float64[np.ndarray, " S"] = variance / (1.0 + variance.astype(np.float64))
    return Moments(probability, probability.copy(), probability * (1.0 - probability) * known)
