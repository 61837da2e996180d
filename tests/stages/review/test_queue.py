"""Which regions come first, and what surrounds them."""

import numpy as np

from stages.review.queue import (
    BACKGROUND,
    around,
    candidate_owners,
    expected_gain,
    neighbors_alike,
    present_owners,
    region_points,
    review_order,
)


def test_points_without_a_region_count_nowhere() -> None:
    superpoint = np.array([0, 2, -1, 2, -1], np.int32)
    np.testing.assert_array_equal(region_points(superpoint, 4), [1, 0, 2, 0])


def test_the_gain_is_the_share_of_the_smaller_object_that_may_be_wrong() -> None:
    # objects of 100 and 20 points; regions sure of each, one between them, one between the first and background
    probability = np.array([[1, 0, 0.75, 0.5], [0, 1, 0.25, 0]], np.float32)
    mask = np.array([[True, False, True, False], [False, True, False, False]])
    gain = expected_gain(probability, mask, np.array([90, 20, 10, 5]))
    np.testing.assert_allclose(gain, [0, 0, 0.25 * 10 / 20, 0.5 * 5 / 100], rtol=1e-6)


def test_no_region_is_more_than_the_whole_of_an_object() -> None:
    mask = np.array([[True, False, False], [False, False, False]])
    gain = expected_gain(np.array([[1, 0.5, 0], [0, 0, 0.25]], np.float32), mask, np.array([3, 60, 8]))
    np.testing.assert_allclose(gain, [0, 0.5, 0.25], rtol=1e-6)
    assert expected_gain(np.zeros((0, 2), np.float32), np.zeros((0, 2), bool), np.array([4, 5])).tolist() == [0, 0]


def test_the_order_leaves_out_what_is_certain() -> None:
    order = review_order(np.array([10, 20, 0, 2, 2.0]))
    assert order.dtype == np.int32
    np.testing.assert_array_equal(order, [1, 0, 3, 4])  # equal ones by id


def test_nothing_is_doubtful() -> None:
    assert len(review_order(np.zeros(3))) == 0


def test_present_owners() -> None:
    mask = np.array([[True, False, False], [False, False, True]])
    np.testing.assert_array_equal(present_owners(mask), [0, BACKGROUND, 1])
    np.testing.assert_array_equal(present_owners(np.zeros((0, 2), bool)), [BACKGROUND, BACKGROUND])


def test_background_has_what_objects_leave() -> None:
    owners = candidate_owners(np.array([0.25, 0.0, 0.125], np.float32))
    assert owners == [(BACKGROUND, 0.625), (0, 0.25), (2, 0.125)]
    assert candidate_owners(np.array([1.0], np.float32)) == [(0, 1.0)]
    assert candidate_owners(np.zeros(0, np.float32)) == [(BACKGROUND, 1.0)]


def test_growing_takes_doubtful_neighbours_of_the_same_owner() -> None:
    # a chain 0 - 1 - 2 - 3 - 4, and 1 - 4
    rows = [[1], [0, 2, 4], [1, 3], [2, 4], [1, 3]]
    indptr = np.cumsum([0, *map(len, rows)])
    neighbor = np.concatenate(rows).astype(np.int32)
    owner = np.array([7, 7, 7, 7, 5], np.int32)
    doubtful = np.array([False, True, True, True, True])
    chosen = np.array([1], np.int32)
    np.testing.assert_array_equal(around(chosen, indptr, neighbor), [0, 2, 4])
    np.testing.assert_array_equal(neighbors_alike(chosen, owner, doubtful, indptr, neighbor), [2])
    np.testing.assert_array_equal(neighbors_alike(np.array([1, 2], np.int32), owner, doubtful, indptr, neighbor), [3])
    assert len(around(np.zeros(0, np.int32), indptr, neighbor)) == 0
