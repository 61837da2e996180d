"""Class lists and the classes of instances."""

from __future__ import annotations

import numpy as np
import pytest

from stages.scenes.classes import CLASS_LISTS, S3DIS13, SCANNET18, class_of_semantic, contiguous, majority


def test_the_lists_are_those_of_the_field() -> None:
    assert list(SCANNET18.values()) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]
    assert S3DIS13.index("table") == 7
    assert S3DIS13.index("bookcase") == 10
    assert {name: len(classes) for name, classes in CLASS_LISTS.items()} == {"scannet18": 18, "s3dis13": 13}


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


def test_class_of_semantic_is_the_position() -> None:
    assert class_of_semantic(np.array([39, 3, 1, 0, -1, 40, 5], np.int32), tuple(SCANNET18.values())).tolist() == [
        17,
        0,
        -1,
        -1,
        -1,
        -1,
        2,
    ]
    assert class_of_semantic(np.array([7, 2], np.int32), (7, 2)).tolist() == [0, 1]
