"""Fusion: the posteriors of all pairs that concern a region become one distribution over its owners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.pseudo_labels.coupling import Entries, Fusion, Moments, couple, fitted_entries, product, usable
from stages.pseudo_labels.joint import joint_moments
from stages.structures import LabelSource, PairPosteriors
from stages.typing import Bool, Float32, Float64, Int64, UInt8

DETERMINED, OVERLAP, BACKGROUND = 0, 1, 2
"""Values of ``contested``."""


@dataclass(frozen=True, eq=False)
class Fused:
    """The label of every region: moments of each box, latent moments, who decided."""

    moments: Moments
    latent_mean: Float32[np.ndarray, "K S"]
    latent_variance: Float32[np.ndarray, "K S"]
    source: UInt8[np.ndarray, " S"]


def fuse(posteriors: PairPosteriors, fusion: Fusion) -> Fused:
    """One distribution over owners for each region: that of the joint posterior, or one fused from all pairs.

    Of pairs, the probability of box k is its share among the boxes around the region times its probability against
    background. Either factor comes from fitted pairs where they were, else from the prior (source ``fallback``, and the
    variance of a coin). Determined regions get 1 for their owner.
    """
    if posteriors.joint_mean is not None and posteriors.joint_variance is not None:
        return _from_joint(posteriors, posteriors.joint_mean, posteriors.joint_variance)
    boxes = len(posteriors.candidate)
    entries = fitted_entries(posteriors)
    count = posteriors.candidate.sum(axis=0)
    contested = posteriors.owner < 0
    among = usable(entries[entries.second < boxes], count, fusion)
    against = _complete(entries[entries.second == boxes], count)
    share, shared = _shares(posteriors, among)
    inside, questioned = _inside(posteriors, against)
    moments = product(share, inside)
    by_posterior = np.where(count > 1, shared, questioned)
    source = np.where(contested, np.where(by_posterior, LabelSource.GP, LabelSource.FALLBACK), posteriors.source)
    _determine(moments, posteriors, contested & ~by_posterior)
    latent_mean, latent_variance = _latent(posteriors, among, against, count)
    return Fused(moments, latent_mean, latent_variance, source.astype(np.uint8))


def _from_joint(
    posteriors: PairPosteriors, mean: Float32[np.ndarray, "K_plus_1 S"], variance: Float32[np.ndarray, " S"]
) -> Fused:
    """The joint posterior of contested regions; latent moments are those of each candidate's own function."""
    moments = joint_moments(mean, variance, posteriors.candidate)
    _determine(moments, posteriors, np.zeros(len(variance), bool))
    latent = posteriors.candidate & (posteriors.owner < 0)
    nothing = np.float32(np.nan)
    return Fused(moments, np.where(latent, mean[:-1], nothing), np.where(latent, variance, nothing), posteriors.source)


def _complete(against: Entries, count: Int64[np.ndarray, " S"]) -> Entries:
    """Entries of regions whose every candidate box has a posterior against background."""
    complete = np.bincount(against.region, minlength=len(count)) == count
    return against[complete[against.region]]


def _shares(posteriors: PairPosteriors, among: Entries) -> tuple[Moments, Bool[np.ndarray, " S"]]:
    """Share of each box among the boxes around a region, and where a posterior gave it."""
    boxes = len(posteriors.candidate)
    prior = posteriors.prior[:boxes].astype(np.float64)
    total = prior.sum(axis=0)
    share = np.divide(prior, total, out=np.zeros_like(prior), where=total > 0)
    moments = Moments(share, share.copy(), np.zeros_like(share))
    decided = np.unique(among.region).astype(np.int64)
    if len(decided):
        coupled = couple(among, boxes, decided)
        for name, values in vars(coupled).items():
            getattr(moments, name)[:, decided] = values
    known = np.zeros(prior.shape[1], bool)
    known[decided] = True
    return moments, known


def _inside(posteriors: PairPosteriors, against: Entries) -> tuple[Moments, Bool[np.ndarray, " S"]]:
    """Probability of each box against background, and where a posterior gave it."""
    shape = posteriors.candidate.shape
    left = np.broadcast_to(1.0 - posteriors.prior[-1].astype(np.float64), shape)
    moments = Moments(left.copy(), left.copy(), np.zeros(shape))
    for name in ("probability", "mean", "variance"):
        getattr(moments, name)[against.first, against.region] = getattr(against, name)
    known = np.zeros(shape[1], bool)
    known[against.region] = True
    return moments, known


def _determine(moments: Moments, posteriors: PairPosteriors, fallback: Bool[np.ndarray, " S"]) -> None:
    """Sets what needs no posterior: certain labels, and the variance of a coin where only the prior is known."""
    determined = np.flatnonzero(posteriors.owner >= 0)
    owner = posteriors.owner[determined]
    owned = owner < len(posteriors.candidate)
    for values, label in ((moments.probability, 1.0), (moments.mean, 1.0), (moments.variance, 0.0)):
        values[:, determined] = 0.0
        values[owner[owned], determined[owned]] = label
    chance = moments.mean[:, fallback]
    moments.variance[:, fallback] = chance * (1.0 - chance)


def _latent(
    posteriors: PairPosteriors, among: Entries, against: Entries, count: Int64[np.ndarray, " S"]
) -> tuple[Float32[np.ndarray, "K S"], Float32[np.ndarray, "K S"]]:
    """Moments of the latent function toward each box: of its pair with the largest overlap at a region, else against
    background; NaN where no Gaussian Process ran."""
    mean = np.full(posteriors.candidate.shape, np.nan, np.float32)
    variance = mean.copy()
    alone = against[count[against.region] == 1]
    mean[alone.first, alone.region], variance[alone.first, alone.region] = alone.latent_mean, alone.latent_variance
    rising = among[np.argsort(among.overlap, kind="stable")]
    for box, sign in ((rising.first, 1), (rising.second, -1)):
        mean[box, rising.region] = sign * rising.latent_mean
        variance[box, rising.region] = rising.latent_variance
    return mean, variance


def masks(
    probability: Float64[np.ndarray, "K S"],
    rank: Int64[np.ndarray, " K"],
    ignore: Bool[np.ndarray, " S"],
) -> Bool[np.ndarray, "K S"]:
    """The likeliest owner of each region, the lowest ``rank`` among equals; none where background is likelier."""
    mask = np.zeros(probability.shape, bool)
    if not len(probability):
        return mask
    order = np.argsort(rank)
    best = order[probability[order].argmax(axis=0)]
    region = np.arange(probability.shape[1])
    top = probability[best, region]
    owned = (top > 0) & (top >= 1.0 - probability.sum(axis=0)) & ~ignore
    mask[best[owned], region[owned]] = True
    return mask


def uncertainty(
    probability: Float64[np.ndarray, "K S"], candidate: Bool[np.ndarray, "K S"]
) -> Float32[np.ndarray, " S"]:
    """Entropy over the candidates and background, divided by the logarithm of their number; in [0, 1]."""
    background = np.clip(1.0 - probability.sum(axis=0), 0.0, 1.0)
    owners = np.concatenate([np.clip(probability, 0.0, 1.0), background[None]])
    entropy = -np.where(owners > 0, owners * np.log(np.where(owners > 0, owners, 1.0)), 0.0).sum(axis=0)
    possible = np.maximum(candidate.sum(axis=0) + 1, 2)
    return np.clip(entropy / np.log(possible), 0.0, 1.0).astype(np.float32)


def contested_kind(posteriors: PairPosteriors) -> UInt8[np.ndarray, " S"]:
    """0 determined, 1 overlap (two or more candidate boxes), 2 background (one)."""
    kind = np.where(posteriors.candidate.sum(axis=0) > 1, OVERLAP, BACKGROUND)
    return np.where(posteriors.owner >= 0, DETERMINED, kind).astype(np.uint8)
