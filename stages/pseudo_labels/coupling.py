"""Pairwise probabilities to one distribution over the boxes around each region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.structures import PairPosteriors
from stages.typing import Bool, Float32, Float64, Int32, Int64

Fusion = Literal["coupling", "largest_overlap", "most_confident"]
SURE = 1e-6
"""Probabilities are kept this far from 0 and 1 before logarithms are taken."""


@dataclass(frozen=True, eq=False)
class Entries:
    """Posteriors of contested regions, one row for each pair and region."""

    first: Int32[np.ndarray, " R"]
    second: Int32[np.ndarray, " R"]
    region: Int32[np.ndarray, " R"]
    overlap: Float32[np.ndarray, " R"]
    probability: Float64[np.ndarray, " R"]
    mean: Float64[np.ndarray, " R"]
    variance: Float64[np.ndarray, " R"]
    latent_mean: Float32[np.ndarray, " R"]
    latent_variance: Float32[np.ndarray, " R"]

    def __getitem__(self, chosen: Bool[np.ndarray, " R"] | Int64[np.ndarray, " M"]) -> Entries:
        return Entries(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True, eq=False)
class Moments:
    """Probability pi*, and mean and variance of the label probability, of each owner at each of M regions."""

    probability: Float64[np.ndarray, "K M"]
    mean: Float64[np.ndarray, "K M"]
    variance: Float64[np.ndarray, "K M"]


def fitted_entries(posteriors: PairPosteriors) -> Entries:
    """The entries of fitted pairs, in the stored order of pairs."""
    counts = np.diff(posteriors.indptr)
    pair = np.repeat(np.arange(len(counts)), counts)
    entries = Entries(
        first=posteriors.pair[pair, 0],
        second=posteriors.pair[pair, 1],
        region=posteriors.region,
        overlap=posteriors.overlap[pair],
        probability=posteriors.probability.astype(np.float64),
        mean=posteriors.mean.astype(np.float64),
        variance=posteriors.variance.astype(np.float64),
        latent_mean=posteriors.latent_mean,
        latent_variance=posteriors.latent_variance,
    )
    return entries[posteriors.fitted[pair]]


def usable(among: Entries, count: Int64[np.ndarray, " S"], fusion: Fusion) -> Entries:
    """The entries that decide: all pairs of a region's boxes (``coupling``, only where all were fitted), or one pair.

    The one pair is that of the largest intersection over union (GaPro, section 3.1), or the most confident one;
    the first in the stored order among equals.
    """
    if fusion == "coupling":
        complete = np.bincount(among.region, minlength=len(count)) == count * (count - 1) // 2
        return among[complete[among.region]]
    merit = among.overlap if fusion == "largest_overlap" else np.abs(among.probability - 0.5)
    order = np.lexsort((-merit, among.region))
    _, first = np.unique(among.region[order], return_index=True)
    return among[order[first]]


def couple(among: Entries, boxes: int, decided: Int64[np.ndarray, " M"]) -> Moments:
    """Distribution over the boxes of each decided region (sorted ids) from its pairwise posteriors.

    p_i is proportional to prod_j r_ij^(2/m) for m boxes and pairwise probabilities r_ij: r itself for m = 2, and the
    geometric coupling of one-against-one classifiers for more. The variance follows by the delta method on the logit
    scale, Var[p_i] = sum_j (2/m p_i (1 - p_i) / (r_ij (1 - r_ij)))^2 Var[r_ij], which is exact for m = 2.
    """
    column = np.searchsorted(decided, among.region)
    taking_part = np.zeros((boxes, len(decided)), bool)
    taking_part[among.first, column] = True
    taking_part[among.second, column] = True
    exponent = 2.0 / taking_part.sum(axis=0)
    probability = _share(among, among.probability, taking_part, column, exponent)
    mean = _share(among, among.mean, taking_part, column, exponent)
    rate = np.clip(among.mean, SURE, 1.0 - SURE)
    variance = np.zeros_like(mean)
    for box in (among.first, among.second):
        own = mean[box, column]
        slope = exponent[column] * own * (1.0 - own) / (rate * (1.0 - rate))
        np.add.at(variance, (box, column), slope**2 * among.variance)
    return Moments(probability, mean, np.minimum(variance, mean * (1.0 - mean)))


def _share(
    among: Entries,
    rate: Float64[np.ndarray, " R"],
    taking_part: Bool[np.ndarray, "K M"],
    column: Int64[np.ndarray, " R"],
    exponent: Float64[np.ndarray, " M"],
) -> Float64[np.ndarray, "K M"]:
    """The normalised geometric coupling."""
    rate = np.clip(rate, SURE, 1.0 - SURE)
    logit = np.where(taking_part, 0.0, -np.inf)
    np.add.at(logit, (among.first, column), np.log(rate) * exponent[column])
    np.add.at(logit, (among.second, column), np.log1p(-rate) * exponent[column])
    share = np.exp(logit - logit.max(axis=0))
    return np.asarray(share / share.sum(axis=0))


def product(one: Moments, other: Moments) -> Moments:
    """Moments of a product of independent factors: Var[XY] = Vx Vy + Vx E[Y]^2 + Vy E[X]^2."""
    variance = one.variance * other.variance + one.variance * other.mean**2 + other.variance * one.mean**2
    return Moments(one.probability * other.probability, one.mean * other.mean, variance)
