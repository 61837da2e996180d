"""The class lists of the field, and from the semantic ids of points to the classes of instances."""

from __future__ import annotations

import numpy as np

from stages.typing import Int32

SCANNET18: dict[str, int] = {
    "cabinet": 3,
    "bed": 4,
    "chair": 5,
    "sofa": 6,
    "table": 7,
    "door": 8,
    "window": 9,
    "bookshelf": 10,
    "picture": 11,
    "counter": 12,
    "desk": 14,
    "curtain": 16,
    "refrigerator": 24,
    "shower curtain": 28,
    "toilet": 33,
    "sink": 34,
    "bathtub": 36,
    "otherfurniture": 39,
}
"""The 18 instance classes of the ScanNet benchmark in its order, with their NYU40 ids."""
SCANNET20: dict[str, int] = {"wall": 1, "floor": 2} | SCANNET18
"""All classes of the ScanNet benchmark with their NYU40 ids."""
S3DIS13: tuple[str, ...] = (
    "ceiling",
    "floor",
    "wall",
    "beam",
    "column",
    "window",
    "door",
    "table",
    "chair",
    "sofa",
    "bookcase",
    "board",
    "clutter",
)
"""The 13 classes of S3DIS in the order of Open3D-ML and Pointcept; a class's semantic id is its position."""
CLASS_LISTS: dict[str, tuple[str, ...]] = {"scannet18": tuple(SCANNET18), "s3dis13": S3DIS13}


def class_of_semantic(semantic: Int32[np.ndarray, " I"], class_ids: tuple[int, ...]) -> Int32[np.ndarray, " I"]:
    """Position of each semantic id in ``class_ids`` (the semantic id of each class), -1 if it is none of them."""
    order = np.argsort(class_ids, kind="stable")
    ordered = np.asarray(class_ids, np.int64)[order]
    place = np.minimum(np.searchsorted(ordered, semantic), len(ordered) - 1)
    return np.where(ordered[place] == semantic, order[place], -1).astype(np.int32)
