"""From contested regions to binary problems: one for each overlapping pair, one for each box and background."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from stages.geometry import box_overlaps
from stages.posteriors.determine import Ownership
from stages.posteriors.engines.base import PairProblem
from stages.typing import Bool, Float32, Float64, Int32, Int64

LARGEST_PRIOR_ODDS = 6.0
"""Nats: a prior mean beyond this leaves evidence from neighbours no say."""
SMALLEST = 1e-12


@dataclass(frozen=True)
class ProblemParameters:
    """How problems are built."""

    skip_overlap: float
    """pairs with at least this intersection over union have no posterior (the smaller box takes their regions)"""
    maximum_determined: int
    """determined regions of each side that are kept: the nearest ones of every contested region in turn"""
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
    determined = _regions_of(ownership.owner, len(corners))
    pairs = []
    for first, second, region in _shared(ownership.candidate & (ownership.owner < 0)):
        sides = None
        if overlap[first, second] < parameters.skip_overlap:
            sides = (determined[first], determined[second])
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

    Background is learnt from the regions that only background boxes hold, as published, or that people gave to it;
    without background boxes, from the regions in no box near this one.
    """
    boxes = len(corners)
    outside = np.flatnonzero(ownership.owner == boxes)
    in_slabs = outside[(ownership.background | ownership.by_people)[outside]]
    determined, questioned = _regions_of(ownership.owner, boxes), np.flatnonzero(ownership.questioned)
    pairs = []
    for box in range(boxes):
        region = questioned[ownership.candidate[box, questioned]]
        if not len(region):
            continue
        sides = determined[box], in_slabs
        if not ownership.background.any():
            sides = determined[box], outside[_within(center[outside], corners[box], parameters.background_reach)]
        background = ownership.prior[boxes, region].astype(np.float64)
        odds = np.log(np.maximum(1.0 - background, SMALLEST)) - np.log(background)
        problem = _problem(feature, sides, region, odds, parameters.maximum_determined)
        pairs.append(Pair(box, boxes, 0.0, region, problem))
    return pairs


def _shared(member: Bool[np.ndarray, "K S"]) -> Iterator[tuple[int, int, Int64[np.ndarray, " m"]]]:
    """Every two boxes with regions that are members of both, and these regions; in rising order.

    Work grows with the number of memberships, not with that of pairs of boxes times regions.
    """
    region, box = np.nonzero(member.T)
    count = np.bincount(region, minlength=member.shape[1]).max(initial=0)
    found = []
    for apart in range(1, count):
        same = np.flatnonzero(region[apart:] == region[:-apart])
        found.append(np.stack([box[same], box[same + apart], region[same]]))
    if not found:
        return
    entries = np.concatenate(found, axis=1)
    entries = entries[:, np.lexsort(entries[::-1])]
    starts = np.flatnonzero((np.diff(entries[:2], axis=1, prepend=-1) != 0).any(axis=0))
    for pair in np.split(entries, starts[1:], axis=1):
        yield int(pair[0, 0]), int(pair[1, 0]), pair[2]


def _regions_of(owner: Int32[np.ndarray, " S"], boxes: int) -> list[Int64[np.ndarray, " n"]]:
    """The determined regions of each box, in rising order."""
    order = np.argsort(owner, kind="stable")
    edges = np.searchsorted(owner[order], np.arange(boxes + 1))
    return [order[start:stop] for start, stop in itertools.pairwise(edges)]


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
    """At most ``maximum`` of ``side``, in rising order: the nearest, in feature space, of every contested region.

    GaPro, section 6.1, with its 800 nearest determined points of each undetermined region. First the nearest one of
    every contested region, then the second nearest of every one, and so on; within the round that has to be cut, by
    distance. By distance to all of them alone, a region apart from the others would keep none of its neighbours:
    ``benchmarks/reduction.py`` measures what is lost.
    """
    if len(side) <= maximum:
        return side
    tree, neighbors = cKDTree(feature[side]), -(-maximum // len(region))
    while True:
        distance, nearest = map(np.asarray, tree.query(feature[region], k=np.arange(1, neighbors + 1)))
        if neighbors == len(side) or len(np.unique(nearest)) >= maximum:
            break
        neighbors = min(2 * neighbors, len(side))
    order = np.lexsort((distance.ravel(), np.tile(np.arange(neighbors), len(region))))
    in_turn = nearest.ravel()[order]
    _, where = np.unique(in_turn, return_index=True)
    return np.sort(side[in_turn[np.sort(where)[:maximum]]])
