"""The prior over owners of a region: smaller boxes are likelier, and evidence speaks against boxes."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from stages.geometry import box_intersections, box_volumes
from stages.typing import Bool, Float32, Float64, Int32

NESTED = 0.75
"""Share of a box that another one must hold for the first to count as lying in it."""
NESTED_EXPONENT, CROSSING_EXPONENT = 1.0, 0.5
"""Exponent of the volume: an object inside another's box owns nearly all of its own, crossing boxes share."""
INSIDE_ODDS, NESTED_INSIDE_ODDS = 3.0, 4.0
"""Log odds against background of a region in a box without any evidence."""


def uniform_prior(
    candidate: Bool[np.ndarray, "K S"], background: Bool[np.ndarray, " S"]
) -> Float32[np.ndarray, "K_plus_1 S"]:
    """Equal shares for all candidates, background included where it is one or where there is none."""
    owners = np.concatenate([candidate, (background | ~candidate.any(axis=0))[None]]).astype(np.float64)
    return (owners / owners.sum(axis=0)).astype(np.float32)


def nesting(corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K K"]:
    """[a, j]: share of box a's volume that lies in box j; 0 on the diagonal."""
    volume = box_intersections(corners)
    own = np.diag(volume).copy()
    share = np.divide(volume, own[:, None], out=np.zeros_like(volume), where=own[:, None] > 0)
    np.fill_diagonal(share, 0.0)
    return share


def evidence_prior(
    candidate: Bool[np.ndarray, "K S"],
    nested: Bool[np.ndarray, " S"],
    evidence: Float64[np.ndarray, "K S"],
    corners: Float32[np.ndarray, "K 6"],
) -> Float32[np.ndarray, "K_plus_1 S"]:
    """Probability of each owner from box volumes V and evidence g against each box, background last.

    p(background) = sigmoid(min_k g_k - t), t = 4 where the smallest box lies in another one (``nested_regions``) else
    3, and the boxes share the rest in proportion to V_k^-gamma exp(-g_k), gamma = 1 there else 0.5. A region in no box
    is background.
    """
    count = candidate.sum(axis=0)
    least = np.where(candidate, evidence, np.inf).min(axis=0, initial=np.inf)
    threshold = np.where(nested, NESTED_INSIDE_ODDS, INSIDE_ODDS)
    background = np.where(count == 0, 1.0, expit(least - threshold))
    exponent = np.where(nested, NESTED_EXPONENT, CROSSING_EXPONENT)
    logit = -exponent * np.log(box_volumes(corners))[:, None] - evidence
    logit = np.where(candidate, logit, -np.inf)
    share = np.exp(logit - np.where(count == 0, 0.0, logit.max(axis=0, initial=-np.inf)))
    share *= (1.0 - background) / np.maximum(share.sum(axis=0), np.finfo(float).tiny)
    return np.concatenate([share, background[None]]).astype(np.float32)


def nested_regions(candidate: Bool[np.ndarray, "K S"], corners: Float32[np.ndarray, "K 6"]) -> Bool[np.ndarray, " S"]:
    """True for regions whose smallest box lies in another of their boxes by more than the share ``NESTED``."""
    rank: Int32[np.ndarray, " K"] = np.empty(len(corners), np.int32)
    rank[np.argsort(box_volumes(corners), kind="stable")] = np.arange(len(corners), dtype=np.int32)
    nested = np.zeros(candidate.shape[1], bool)
    lies_in = nesting(corners) > NESTED
    smallest = np.where(candidate, rank[:, None], len(corners)).min(axis=0, initial=len(corners))
    by_rank = np.argsort(rank)
    for region_rank in np.unique(smallest[smallest < len(corners)]):
        inner = by_rank[region_rank]
        here = smallest == region_rank
        nested[here] = candidate[np.ix_(lies_in[inner], here)].any(axis=0)
    return nested


def with_background(
    prior: Float32[np.ndarray, "K_plus_1 S"], background: Bool[np.ndarray, " S"]
) -> Float32[np.ndarray, "K_plus_1 S"]:
    """A prior in which regions of background boxes are background with probability one half at least."""
    raised = np.where(background, np.maximum(prior[-1], 0.5), prior[-1])
    left = np.divide(1.0 - raised, 1.0 - prior[-1], out=np.zeros_like(raised), where=prior[-1] < 1.0)
    return np.concatenate([prior[:-1] * left, raised[None]]).astype(np.float32)
