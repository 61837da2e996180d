"""What a network says changes who is likely to own a region, by closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from stages.inference.records import Predictions
from stages.posteriors.learnt import CAUTION, network_odds, with_deep_affinity, with_network
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects

XYZ = np.array([[0, 0, 0], [1, 1, 1], [5, 5, 5], [6, 6, 6]], np.float32)
"""one point a region: two objects of two regions each"""
SUPERPOINT = np.arange(4, dtype=np.int32)
CORNERS = np.array([[0, 0, 0, 1, 1, 1], [5, 5, 5, 6, 6, 6]], np.float32)


def predictions(mask: list[list[int]], mean: list[list[float]], score: list[float]) -> Predictions:
    rows = np.array(mask, bool).reshape(-1, 4)
    means = np.array(mean, np.float32).reshape(-1, 4)
    return Predictions(
        rows,
        np.zeros(len(rows), np.int32),
        np.array(score, np.float32),
        means,
        np.zeros_like(means),
        np.zeros((4, 2), np.float32),
    )


def test_odds_are_those_of_the_proposal_in_the_box() -> None:
    found = predictions([[1, 1, 0, 0], [0, 1, 0, 0]], [[0.8, 0.5, 0.1, 0.0], [1, 1, 1, 1]], [0.9, 1.0])
    odds = network_odds(found, XYZ, SUPERPOINT, CORNERS)
    never = CAUTION / (1 - CAUTION)
    np.testing.assert_allclose(odds[0], [4.0, 1.0, 1 / 9, never], rtol=1e-5)
    np.testing.assert_array_equal(odds[1], 1.0)  # nothing was found in the second box


def test_of_two_proposals_in_a_box_the_surer_one_speaks() -> None:
    found = predictions([[1, 1, 0, 0]] * 2, [[0.6] * 4, [0.75] * 4], [0.2, 0.3])
    np.testing.assert_allclose(network_odds(found, XYZ, SUPERPOINT, CORNERS)[0], 3.0, rtol=1e-5)


@pytest.mark.parametrize("corners", [CORNERS, np.zeros((0, 6), np.float32)])
def test_a_network_without_proposals_says_nothing(corners: np.ndarray) -> None:
    odds = network_odds(predictions([], [], []), XYZ, SUPERPOINT, corners)
    np.testing.assert_array_equal(odds, np.ones((len(corners), 4)))


def test_odds_multiply_the_shares_of_candidates() -> None:
    prior = np.array([[0.4, 0.5], [0.4, 0.0], [0.2, 0.5]], np.float32)
    candidate = np.array([[True, True], [True, False]])
    odds = np.array([[4.0, 1.0], [1.0, 100.0]])
    half = with_network(prior, candidate, odds, 0.5)
    np.testing.assert_allclose(half[:, 0], np.array([0.8, 0.4, 0.2]) / 1.4, rtol=1e-6)
    np.testing.assert_array_equal(half[:, 1], prior[:, 1])
    np.testing.assert_array_equal(with_network(prior, candidate, odds, 0.0), prior)


def test_alike_regions_keep_their_affinity() -> None:
    superpoints = partition_scene(two_objects(), "points", PARAMETERS)
    feature = np.zeros((len(superpoints), 3), np.float32)
    np.testing.assert_array_equal(with_deep_affinity(superpoints, feature, 0.5).affinity, superpoints.affinity)
    feature[0] = (0.3, 0.0, 0.4)
    other = with_deep_affinity(superpoints, feature, 0.5).affinity / superpoints.affinity
    first = np.repeat(np.arange(len(superpoints)), np.diff(superpoints.indptr))
    touched = (first == 0) | (superpoints.neighbor == 0)
    assert touched.any()
    np.testing.assert_allclose(other[touched], np.exp(-0.5), rtol=1e-5)
    np.testing.assert_array_equal(other[~touched], 1.0)
