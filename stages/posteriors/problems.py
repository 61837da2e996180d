"""From contested regions to binary problems: one for each overlapping pair, one for each box and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from stages.geometry import box_overlaps
from stages.posteriors.determine import Ownership
from stages.posteriors.engines.base import PairProblem
from stages.typing import Bool, Float32, Float64, Int64

LARGEST_PRIOR_ODDS = 6.0
"""Nats: a prior mean beyond this leaves evidence from neighbours no say."""
SMALLEST = 1e-12


@dataclass(frozen=True)
class ProblemParameters:
    """How problems are built."""

    skip_overlap: float
    """pairs with at least this intersection over union have no posterior (the smaller box takes their regions)"""
    maximum_determined: int
    """determined regions of each side that are kept, the nearest to the contested ones"""
    background_reach: float
    """metres around a box within which regions in no box stand for background"""


@dataclass(frozen=True, eq=False)
class Pair:
    """One problem with what it is about."""

    first: int
    second: int
    """box, or K for background"""
    overlap: float
    region: Int64[np.ndarray, " m"]
    problem: PairProblem | None
    """None where one side has no determined region: nothing to learn from"""


def overlap_pairs(
    ownership: Ownership,
    feature: Float32[np.ndarray, "S D"],
    corners: Float32[np.ndarray, "K 6"],
    parameters: ProblemParameters,
) -> list[Pair]:
    """Pairs of boxes that share contested regions, in canonical order (GaPro, section 3.1)."""
    overlap = box_overlaps(corners)
    contested = ownership.candidate & (ownership.owner < 0)
    pairs = []
    for first in range(len(corners)):
        for second in range(first + 1, len(corners)):
            region = np.flatnonzero(contested[first] & contested[second])
            if not len(region):
                continue
            sides = None
            if overlap[first, second] < parameters.skip_overlap:
                sides = (np.flatnonzero(ownership.owner == first), np.flatnonzero(ownership.owner == second))
            odds = _log_odds(ownership.prior, first, second, region)
            problem = _problem(feature, sides, region, odds, parameters.maximum_determined)
            pairs.append(Pair(first, second, float(overlap[first, second]), region, problem))
    return pairs


def background_pairs(
    ownership: Ownership,
    feature: Float32[np.ndarray, "S D"],
    center: Float64[np.ndarray, "S 3"],
    corners: Float32[np.ndarray, "K 6"],
    parameters: ProblemParameters,
) -> list[Pair]:
    """One pair for each box with regions that may be background.

    Background is learnt from the regions that only background boxes hold, as published; without background boxes, from
    the regions in no box near this one.
    """
    boxes = len(corners)
    outside = np.flatnonzero(ownership.owner == boxes)
    in_slabs = outside[ownership.background[outside]]
    pairs = []
    for box in range(boxes):
        region = np.flatnonzero(ownership.candidate[box] & ownership.questioned)
        if not len(region):
            continue
        near = outside[_within(center[outside], corners[box], parameters.background_reach)]
        sides = (np.flatnonzero(ownership.owner == box), in_slabs if ownership.background.any() else near)
        background = ownership.prior[boxes, region].astype(np.float64)
        odds = np.log(np.maximum(1.0 - background, SMALLEST)) - np.log(background)
        problem = _problem(feature, sides, region, odds, parameters.maximum_determined)
        pairs.append(Pair(box, boxes, 0.0, region, problem))
    return pairs


def _within(center: Float64[np.ndarray, "M 3"], box: Float32[np.ndarray, "6"], reach: float) -> Bool[np.ndarray, " M"]:
    """True for points at most ``reach`` metres away from the box."""
    beyond = np.maximum(np.maximum(box[:3] - center, center - box[3:]), 0.0)
    return np.linalg.norm(beyond, axis=1) <= reach


def _log_odds(
    prior: Float32[np.ndarray, "K_plus_1 S"], first: int, second: int, region: Int64[np.ndarray, " m"]
) -> Float64[np.ndarray, " m"]:
    """Log odds of the first against the second owner."""
    sides = np.log(np.maximum(prior[[first, second]][:, region].astype(np.float64), SMALLEST))
    return sides[0] - sides[1]


def _problem(
    feature: Float32[np.ndarray, "S D"],
    sides: tuple[Int64[np.ndarray, " a"], Int64[np.ndarray, " b"]] | None,
    region: Int64[np.ndarray, " m"],
    odds: Float64[np.ndarray, " m"],
    maximum: int,
) -> PairProblem | None:
    """The binary problem over the determined regions nearest to the contested ones; None without two sides."""
    if sides is None or not len(sides[0]) or not len(sides[1]):
        return None
    first, second = (_nearest(feature, side, region, maximum) for side in sides)
    determined = np.concatenate([first, second])
    return PairProblem(
        feature=feature[determined],
        first=np.arange(len(determined)) < len(first),
        contested_feature=feature[region],
        prior_mean=np.zeros(len(determined), np.float32),
        contested_prior_mean=np.clip(odds, -LARGEST_PRIOR_ODDS, LARGEST_PRIOR_ODDS).astype(np.float32),
    )


def _nearest(
    feature: Float32[np.ndarray, "S D"], side: Int64[np.ndarray, " a"], region: Int64[np.ndarray, " m"], maximum: int
) -> Int64[np.ndarray, " b"]:
    """At most ``maximum`` of ``side``, by distance to the nearest contested region in feature space, in rising order.

    GaPro, section 6.1 keeps the 800 nearest points of each box in this way.
    """
    if len(side) <= maximum:
        return side
    distance, _ = cKDTree(feature[region]).query(feature[side])
    return np.sort(side[np.argsort(distance, kind="stable")[:maximum]])
