"""Class lists and the classes of instances."""

from __future__ import annotations

import numpy as np

from stages.scenes.classes import CLASS_LISTS, S3DIS13, SCANNET18, class_of_semantic


def test_the_lists_are_those_of_the_field() -> None:
    assert list(SCANNET18.values()) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39]
    assert S3DIS13.index("table") == 7
    assert S3DIS13.index("bookcase") == 10
    assert {name: len(classes) for name, classes in CLASS_LISTS.items()} == {"scannet18": 18, "s3dis13": 13}


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
