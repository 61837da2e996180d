import numpy as np

from stages.posteriors.membership import (
    canonical_order,
    contained_pairs,
    membership,
    region_sizes,
    share_of_region,
    without_containers,
)

SUPERPOINT = np.array([0, 0, 0, 1, -1], np.int32)


def test_sizes_and_shares() -> None:
    size = region_sizes(SUPERPOINT, 3)
    assert size.tolist() == [3, 1, 0]
    share = share_of_region(np.array([True, False, True, True, True]), SUPERPOINT, size)
    np.testing.assert_allclose(share, [2 / 3, 1, 0], rtol=1e-6)


def test_membership_counts_points_in_grown_boxes() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [1.04, 0, 0], [5, 0, 0], [np.nan, 0, 0]], np.float32)
    corners = np.array([[0, 0, 0, 1, 1, 1], [9, 9, 9, 9, 9, 9]], np.float32)
    size = region_sizes(SUPERPOINT, 2)
    np.testing.assert_allclose(membership(xyz, SUPERPOINT, size, corners, 0.0), [[2 / 3, 0.0], [0.0, 0.0]], rtol=1e-6)
    np.testing.assert_allclose(membership(xyz, SUPERPOINT, size, corners, 0.05)[0], [1, 0])
    assert membership(xyz, SUPERPOINT, size, corners[:0], 0.0).shape == (0, 2)


def test_canonical_order_does_not_depend_on_the_annotation() -> None:
    generator = np.random.default_rng(0)
    low = generator.random((12, 3)).astype(np.float32)
    corners = np.c_[low, low + generator.integers(1, 3, (12, 3))].astype(np.float32)
    classes = generator.integers(0, 3, 12).astype(np.int32)
    shuffle = generator.permutation(12)
    expected = corners[canonical_order(corners, classes)]
    assert (corners[shuffle][canonical_order(corners[shuffle], classes[shuffle])] == expected).all()
    volume = (expected[:, 3:] - expected[:, :3]).prod(axis=1)
    assert (np.diff(volume) > -1e-5).all()


def test_the_inner_box_takes_what_both_hold() -> None:
    corners = np.array([[0, 0, 0, 1, 1, 1], [-1, -1, -1, 2, 2, 0.95], [5, 5, 5, 6, 6, 6]], np.float32)
    assert np.argwhere(contained_pairs(corners, 0.0)).tolist() == []
    inner = contained_pairs(corners, 0.1)
    assert np.argwhere(inner).tolist() == [[0, 1]]
    candidate = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1]], bool)
    assert without_containers(candidate, inner).tolist() == [
        [True, False, True],
        [False, True, False],
        [False, False, True],
    ]


def test_of_equal_boxes_the_first_is_the_inner() -> None:
    corners = np.array([[0, 0, 0, 1, 1, 1]] * 2, np.float32)
    inner = contained_pairs(corners, 0.0)
    assert np.argwhere(inner).tolist() == [[0, 1]]
    assert without_containers(np.ones((2, 1), bool), inner).tolist() == [[True], [False]]
