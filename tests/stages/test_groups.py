"""Points in groups."""

from __future__ import annotations

import numpy as np
import pytest

from stages.groups import contiguous, majority


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_contiguous_keeps_order(dtype: type) -> None:
    ids, given = contiguous(np.array([9, 2, 2, 7, 9], dtype))
    assert ids.tolist() == [2, 0, 0, 1, 2]
    assert given.tolist() == [2, 7, 9]


def test_contiguous_reads_negative_ids_as_none() -> None:
    ids, given = contiguous(np.array([-100, 5, -1, 5, 3]))
    assert ids.tolist() == [-1, 1, -1, 1, 0]
    assert given.tolist() == [3, 5]


def test_contiguous_leaves_contiguous_ids_alone() -> None:
    ids = np.random.default_rng(0).permutation(np.repeat(np.arange(-1, 20, dtype=np.int32), 3))
    assert np.array_equal(contiguous(ids)[0], ids)


def test_majority_of_each_instance() -> None:
    instance = np.array([0, 0, 0, 1, 1, -1, -1, 3], np.int32)
    semantic = np.array([5, 7, 5, 9, 4, 39, 39, -1], np.int32)
    assert majority(instance, semantic, 4).tolist() == [5, 4, -1, -1]  # a tie: the smaller id; instance 2 has no points


def test_majority_agrees_with_counting() -> None:
    rng = np.random.default_rng(1)
    instance = rng.integers(-1, 6, 500).astype(np.int32)
    semantic = rng.integers(-3, 9, 500).astype(np.int32)
    counted = [np.bincount(semantic[instance == i] + 3).argmax() - 3 for i in range(6)]
    assert majority(instance, semantic, 6).tolist() == counted


def test_contiguous_keeps_negative_ids() -> None:
    assert contiguous(np.array([7, -1, 3, 7]))[0].tolist() == [1, -1, 0, 1]


def test_majority_counts_points_and_none_counts_too() -> None:
    superpoint = np.array([0, 0, 0, 1, 1, 1, 2, -1, 3, 3], np.int32)
    instance = np.array([5, 5, 2, -1, -1, 4, 4, 7, 2, 1], np.int32)
    assert majority(superpoint, instance, 5).tolist() == [5, -1, 4, 1, -1]
