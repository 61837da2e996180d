"""Which box of a scene each object of a file is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.pseudo_labels.imported_regions import NOTHING, Regions
from stages.structures import Scene
from stages.typing import Bool, Float32, Float64, Int64

MARGIN = 0.01
"""Metres by which boxes are grown: GaPro's generator grows them by half of that, and rounds."""
MOSTLY, HALF = 0.9, 0.5
"""Share of an object's points in the box that is found for it, and in the one that it is numbered by."""


@dataclass(frozen=True, eq=False)
class _Objects:
    """The objects that own a region, O of them."""

    number: Int64[np.ndarray, " O"]
    semantic: Int64[np.ndarray, " O"]
    inside: Float64[np.ndarray, "O K"]
    """share of the object's points in each box"""
    alike: Float64[np.ndarray, "O K"]
    """intersection over union of its extent and each box"""
    possible: Bool[np.ndarray, "O K"]
    """boxes of its class, or of none"""


def named_by_boxes(
    regions: Regions, scene: Scene, semantic_of_class: tuple[int, ...]
) -> tuple[Regions, tuple[str, ...]]:
    """Regions whose objects are numbered as the scene's boxes, and a sentence where that took a search.

    Files number objects by the boxes that their generator had; GaPro's had more, those of objects without a class.
    Where the numbers fit (class, and most of the points in the box), they stay. Else each object is the box of its
    class that holds it, one to one, as much alike in extent as possible. Raises ValueError where an object has none.
    """
    objects = _objects(regions, scene, semantic_of_class)
    if _fit(objects):
        return regions, ()
    box = _found(objects, len(scene.boxes))
    of_number = np.full(int(objects.number.max()) + 1, NOTHING, np.int64)
    of_number[objects.number] = box
    instance = np.where(regions.owned, of_number[np.where(regions.owned, regions.instance, 0)], NOTHING)
    said = (
        f"its objects are not numbered as the scene's {len(scene.boxes)} boxes: {len(box)} of these were found by "
        "class and place"
    )
    return replace(regions, instance=instance), (said,)


def _objects(regions: Regions, scene: Scene, semantic_of_class: tuple[int, ...]) -> _Objects:
    number, first = np.unique(regions.instance[regions.owned], return_index=True)
    semantic = regions.semantic[regions.owned][first]
    mixed = semantic[np.searchsorted(number, regions.instance[regions.owned])] != regions.semantic[regions.owned]
    if mixed.any():
        raise ValueError(f"object {regions.instance[regions.owned][mixed][0]} has regions of several classes")
    of_region = np.append(np.where(regions.owned, regions.instance, NOTHING), NOTHING)
    of_point = of_region[regions.superpoint]
    corners = scene.boxes.corners
    inside, alike = np.zeros((len(number), len(corners))), np.zeros((len(number), len(corners)))
    for place, one in enumerate(number):
        xyz = scene.xyz[of_point == one]
        inside[place] = _inside(xyz, corners)
        alike[place] = _overlap(np.concatenate([xyz.min(axis=0), xyz.max(axis=0)]), corners)
    of_box = np.array([*semantic_of_class, NOTHING])[scene.boxes.class_index]
    possible = (of_box == NOTHING) | (of_box == semantic[:, None])
    return _Objects(number, semantic, inside, alike, possible)


def _inside(xyz: Float32[np.ndarray, "M 3"], corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, " K"]:
    low, high = corners[:, :3] - MARGIN, corners[:, 3:] + MARGIN
    return np.asarray(((xyz[:, None] >= low) & (xyz[:, None] <= high)).all(axis=2).mean(axis=0))


def _overlap(extent: Float32[np.ndarray, " 6"], corners: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, " K"]:
    """Intersection over union of one box with others, all grown by MARGIN, so that flat ones have a volume."""
    low = np.maximum(extent[:3], corners[:, :3]) - MARGIN
    high = np.minimum(extent[3:], corners[:, 3:]) + MARGIN
    shared = np.clip(high - low, 0, None).prod(axis=1)
    volume = (corners[:, 3:] - corners[:, :3] + 2 * MARGIN).prod(axis=1)
    return np.asarray(shared / ((extent[3:] - extent[:3] + 2 * MARGIN).prod() + volume - shared), np.float64)


def _fit(objects: _Objects) -> bool:
    """Whether the objects' numbers are those of boxes that may be theirs."""
    boxes = objects.inside.shape[1]
    if len(objects.number) and objects.number[-1] >= boxes:
        return False
    row = np.arange(len(objects.number))
    return bool((objects.possible & (objects.inside >= HALF))[row, objects.number].all())


def _found(objects: _Objects, boxes: int) -> Int64[np.ndarray, " O"]:
    """Box of each object, each box once."""
    fits = objects.possible & (objects.inside >= MOSTLY)
    row, column = linear_sum_assignment(np.where(fits, objects.alike, -len(objects.number) - 1.0), maximize=True)
    box = np.full(len(objects.number), NOTHING, np.int64)
    box[row] = np.where(fits[row, column], column, NOTHING)
    lost = np.flatnonzero(box == NOTHING)
    if len(lost):
        raise ValueError(
            f"{len(lost)} of its {len(box)} objects lie in none of the scene's {boxes} boxes that has their class "
            f"(object {objects.number[lost[0]]}, class {objects.semantic[lost[0]]}): the labels were made from other "
            "boxes, or with other classes, and cannot be compared with these"
        )
    return box
