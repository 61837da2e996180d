"""Which regions are worth a person's look first, and what the page says of each."""

from __future__ import annotations

import numpy as np

from stages.typing import Bool, Float32, Float64, Int32, Int64

BACKGROUND = -1
"""owner of regions that belong to no object"""
_LEAST_PROBABILITY = 0.005
"""owners less probable than this are no candidates: the page would show 0 %"""


def region_points(superpoint: Int32[np.ndarray, " N"], regions: int) -> Int64[np.ndarray, " S"]:
    """Number of points of each region; points without a region (-1) count nowhere."""
    return np.bincount(superpoint[superpoint >= 0], minlength=regions)


def expected_gain(
    probability: Float32[np.ndarray, "K S"], mask: Bool[np.ndarray, "K S"], points: Int64[np.ndarray, " S"]
) -> Float64[np.ndarray, " S"]:
    """What share of an object's points a look at each region is expected to put right.

    The probability that the region is not its likeliest owner's, times its points, divided by those of the smaller
    object among its two likeliest owners: the same error costs a stool more IoU than a sofa. Regions of which nothing
    is in doubt have 0.
    """
    if len(mask) == 0:
        return np.zeros(len(points))
    shares = np.concatenate([probability, np.clip(1 - probability.sum(axis=0, keepdims=True), 0, 1)])
    size = np.append(np.maximum(mask @ points, 1), np.inf)  # background is never the smaller one
    second, first = np.argsort(shares, axis=0, kind="stable")[-2:]
    smaller = np.maximum(np.minimum(size[first], size[second]), points)
    wrong = 1 - shares.max(axis=0).astype(np.float64)
    return np.asarray(np.clip(wrong, 0, 1) * points / np.maximum(smaller, 1))


def review_order(gain: Float64[np.ndarray, " S"]) -> Int32[np.ndarray, " Q"]:
    """The regions with anything to gain, the greatest gain first; equal ones in the order of their ids."""
    order = np.argsort(-gain, kind="stable")
    return order[gain[order] > 0].astype(np.int32)


def present_owners(mask: Bool[np.ndarray, "K S"]) -> Int32[np.ndarray, " S"]:
    """The object whose mask holds each region, BACKGROUND where none does."""
    if len(mask) == 0:
        return np.full(mask.shape[1], BACKGROUND, np.int32)
    return np.where(mask.any(axis=0), mask.argmax(axis=0), BACKGROUND).astype(np.int32)


def candidate_owners(probability: Float32[np.ndarray, " K"]) -> list[tuple[int, float]]:
    """The possible owners of one region with their probabilities, the most probable first.

    ``probability`` is that of each object; what is missing to 1 is the background's.
    """
    background = max(0.0, 1.0 - float(probability.sum(dtype=np.float64)))
    owners = [(k, float(share)) for k, share in enumerate(probability)] + [(BACKGROUND, background)]
    return sorted((one for one in owners if one[1] >= _LEAST_PROBABILITY), key=lambda one: -one[1])


def neighbors_alike(
    chosen: Int32[np.ndarray, " C"],
    owner: Int32[np.ndarray, " S"],
    open_to_doubt: Bool[np.ndarray, " S"],
    indptr: Int64[np.ndarray, " S_plus_1"],
    neighbor: Int32[np.ndarray, " E"],
) -> Int32[np.ndarray, " R"]:
    """The regions that touch the chosen ones, are open to doubt and have the present owner of one of them.

    ``indptr`` and ``neighbor`` are the region graph in compressed rows. Sorted, without the chosen ones.
    """
    is_chosen = np.zeros(len(owner), bool)
    is_chosen[chosen] = True
    of_owner = np.isin(owner, owner[chosen])
    found = around(chosen, indptr, neighbor)
    return found[~is_chosen[found] & of_owner[found] & open_to_doubt[found]]


def around(
    chosen: Int32[np.ndarray, " C"], indptr: Int64[np.ndarray, " S_plus_1"], neighbor: Int32[np.ndarray, " E"]
) -> Int32[np.ndarray, " R"]:
    """The regions that touch one of the chosen ones, sorted; chosen ones among them where they touch each other."""
    rows = [neighbor[indptr[region] : indptr[region + 1]] for region in chosen]
    return np.unique(np.concatenate([*rows, np.zeros(0, np.int32)])).astype(np.int32)
