"""Label AP: how well each box's mask agrees with the instance that the box annotates; reference rule and oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from stages.evaluation.average_precision import THRESHOLDS
from stages.evaluation.boxes import box_overlaps_with
from stages.geometry import box_volumes
from stages.typing import Bool, Float32, Float64, Int32

MARGIN = 0.0001
"""Metres by which the reference rule grows boxes: as little as the labels do, so that exact boxes favour neither."""


@dataclass(frozen=True, eq=False)
class ObjectQuality:
    """One row for each box of a scene; IoU in [0, 1], NaN where not defined."""

    class_index: Int32[np.ndarray, " K"]
    instance: Int32[np.ndarray, " K"]
    """the instance that the box annotates, -1 if it is not known"""
    found_by_box: Bool[np.ndarray, " K"]
    """True where the annotation does not name the instance and the best overlap of boxes decides"""
    iou: Float64[np.ndarray, "4 K"]
    """of the pseudo-label, over all points and over those of determined, overlap and background regions"""
    smallest_box_iou: Float64[np.ndarray, "4 K"]
    """the same if every point belongs to the smallest box around it"""
    oracle_iou: Float64[np.ndarray, " K"]
    """if every region belongs to the instance of most of its points"""


@dataclass(frozen=True)
class LabelAP:
    """Label quality over all objects; figures in [0, 1], NaN without objects."""

    objects: int
    ap: float
    ap50: float
    ap25: float
    ap90: float
    mean_iou: float


def label_ap(iou: Float64[np.ndarray, " objects"]) -> LabelAP:
    """Shares of the objects whose IoU exceeds a threshold; AP is the mean share over 0.50, 0.55 .. 0.90.

    Objects with NaN (no known instance) are not counted.
    """
    known = iou[~np.isnan(iou)]
    if not len(known):
        return LabelAP(0, *[float("nan")] * 5)
    share = {threshold: float(np.mean(known > threshold)) for threshold in (*THRESHOLDS, 0.25)}
    mean = float(np.mean([share[threshold] for threshold in THRESHOLDS]))
    return LabelAP(len(known), mean, share[0.5], share[0.25], share[0.9], float(known.mean()))


def instances_of_boxes(
    box_instance: Int32[np.ndarray, " K"],
    corners: Float32[np.ndarray, "K 6"],
    instance_corners: Float32[np.ndarray, "I 6"],
    counts: Bool[np.ndarray, " I"],
) -> tuple[Int32[np.ndarray, " K"], Bool[np.ndarray, " K"]]:
    """The instance that each box annotates (-1 unknown), and whether the best overlap of boxes had to decide.

    ``instance_corners`` are NaN for instances without points; those are not known, even where the annotation names
    them. Only instances that count are searched; of equal overlaps the lower id wins.
    """
    instances = len(counts)
    if not instances:
        return np.full(len(corners), -1, np.int32), np.zeros(len(corners), bool)
    present = ~np.isnan(instance_corners[:, 0])
    named = (box_instance >= 0) & (box_instance < instances)
    named[named] = present[box_instance[named]]
    overlap = np.where(counts & present, box_overlaps_with(corners, instance_corners), 0.0)
    found = (box_instance < 0) & (overlap.max(axis=1) > 0)
    best = np.where(found, overlap.argmax(axis=1), -1)
    return np.where(named, box_instance, best).astype(np.int32), found


def smallest_box_of_points(
    xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "K 6"], margin: float = MARGIN
) -> Int32[np.ndarray, " N"]:
    """The box of least volume around each point (Box2Mask's heuristic, per point), -1 outside all boxes.

    Boxes are grown by ``margin`` metres. Of equal volumes the box that comes first wins; points that are not finite are
    outside.
    """
    order = np.argsort(xyz[:, 0], kind="stable")
    ordered = xyz[order]
    owner = np.full(len(xyz), -1, np.int32)
    # from the largest to the smallest, so that the last to write is the smallest; only the slab of x is looked at
    for box in np.argsort(box_volumes(corners), kind="stable")[::-1]:
        low, high = corners[box, :3] - margin, corners[box, 3:] + margin
        start = np.searchsorted(ordered[:, 0], low[0], side="left")
        stop = np.searchsorted(ordered[:, 0], high[0], side="right")
        inside = ((ordered[start:stop, 1:] >= low[1:]) & (ordered[start:stop, 1:] <= high[1:])).all(axis=1)
        owner[order[start:stop][inside]] = box
    return owner


def majority_of_regions(counts: csr_array) -> tuple[Int32[np.ndarray, " S"], int]:
    """The instance of most points of each region (I for none), and how many points lie in their region's majority.

    ``counts`` int64 [S+1, I+1], its last row the points without a region. Of equal counts the lower column wins.
    """
    entries = counts[:-1].tocoo()
    order = np.lexsort((entries.col, -entries.data, entries.row))
    regions, first = np.unique(entries.row[order], return_index=True)
    majority = np.full(counts.shape[0] - 1, counts.shape[1] - 1, np.int32)
    majority[regions] = entries.col[order][first]
    return majority, int(entries.data[order][first].sum())


def oracle_iou(counts: csr_array, instance_of_object: Int32[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
    """IoU of each object's instance with the regions of which it is the majority: the partition's ceiling."""
    majority, _ = majority_of_regions(counts)
    instances = counts.shape[1] - 1
    by_region = np.asarray(counts[:-1].sum(axis=1)).ravel()
    size = np.bincount(majority, weights=by_region, minlength=instances + 1)
    entries = counts[:-1].tocoo()
    won = majority[entries.row] == entries.col
    shared = np.bincount(entries.col[won], weights=entries.data[won], minlength=instances + 1)
    union = size + np.asarray(counts.sum(axis=0)).ravel() - shared
    iou = np.divide(shared, union, out=np.full(instances + 1, np.nan), where=union > 0)
    iou[instances] = np.nan
    by_object: Float64[np.ndarray, " K"] = iou[np.where(instance_of_object >= 0, instance_of_object, instances)]
    return by_object
