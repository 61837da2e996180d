"""One scene as the page gets it: thinned points in the order of their regions, and one row a region and object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stages.evaluation.plain import plain
from stages.pseudo_labels.labels import PseudoLabels
from stages.report.encoding import packed
from stages.report.regions import ObjectFacts, Regions
from stages.report.thinning import quantised, thinned
from stages.structures import Scene
from stages.typing import Int32

UNBOXED = -2
"""truth: an instance that no box annotates"""
_BYTE = 255


def scene_view(
    scene: Scene,
    labels: PseudoLabels,
    regions: Regions,
    objects: Sequence[ObjectFacts],
    instance_of_object: Int32[np.ndarray, " K"],
    budget: int,
) -> dict[str, Any]:
    """Plain values for JSON; ``page.js`` reads them. About ``budget`` points, at least one of each region.

    Raises ValueError where scene and labels have different numbers of points.
    """
    if len(scene) != len(labels.superpoint):
        raise ValueError(f"scene {scene.scene} has {len(scene)} points, its labels {len(labels.superpoint)}")
    chosen = thinned(labels.superpoint, budget)
    place, low, step = quantised(scene.xyz[chosen])
    region = labels.superpoint[chosen]
    order = np.lexsort((place[:, 0], region))  # along x within a region: the differences to send are small
    chosen, place = chosen[order], place[order]
    arrays: dict[str, np.ndarray] = {axis: np.ascontiguousarray(place[:, column]) for column, axis in enumerate("xyz")}
    truth = truth_owner(scene, instance_of_object)
    if truth is not None:
        arrays["truth"] = (truth[chosen] - UNBOXED).astype(np.uint16)
    if scene.rgb is not None:
        arrays |= {
            name: np.ascontiguousarray(scene.rgb[chosen, at]) for at, name in enumerate(("red", "green", "blue"))
        }
    return {
        "scene": scene.scene,
        "points": int(regions.points.sum()),
        "shown": len(chosen),
        "regions": len(regions.points),
        "low": [round(value, 4) for value in low.tolist()],
        "step": step.tolist(),
        "boxes": np.round(labels.boxes.corners.astype(np.float64), 3).tolist(),
        "objects": [
            plain({"name": one.title, "points": one.points, "uncertainty": one.uncertainty, "iou": one.iou})
            for one in objects
        ],
        **packed(arrays | _region_arrays(regions, region)),
    }


def truth_owner(scene: Scene, instance_of_object: Int32[np.ndarray, " K"]) -> Int32[np.ndarray, " N"] | None:
    """The object that each point truly belongs to, -1 for none, UNBOXED for instances without a box.

    None without truth. Of several boxes of one instance the first one counts.
    """
    if scene.instance is None:
        return None
    table = np.full(max(int(scene.instance.max(initial=-1)), int(instance_of_object.max(initial=-1))) + 2, UNBOXED)
    table[-1] = -1
    for index in range(len(instance_of_object) - 1, -1, -1):
        if instance_of_object[index] >= 0:
            table[instance_of_object[index]] = index
    found: Int32[np.ndarray, " N"] = table.astype(np.int32)[scene.instance]
    return found


def _region_arrays(regions: Regions, region: Int32[np.ndarray, " n"]) -> dict[str, np.ndarray]:
    """One value a region: points here and in the scan, owner + 1, shares as bytes."""
    count = len(regions.points)
    return {
        "here": np.bincount(region, minlength=count).astype(np.uint32),
        "size": regions.points.astype(np.uint32),
        "owner": (regions.owner + 1).astype(np.uint16),
        "source": regions.source,
        "contested": regions.contested,
        "uncertainty": np.round(np.clip(regions.uncertainty, 0, 1) * _BYTE).astype(np.uint8),
        "probability": np.round(np.clip(regions.probability, 0, 1) * _BYTE).astype(np.uint8),
    }
