"""The evaluation of one scene's pseudo-labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.evaluation.boxes import box_overlaps_with, extents, mask_extents
from stages.evaluation.calibration import owner_samples
from stages.evaluation.drift import Owners, owner_of_regions, scene_drift
from stages.evaluation.label_quality import (
    ObjectQuality,
    instances_of_boxes,
    majority_of_regions,
    oracle_iou,
    smallest_box_of_points,
)
from stages.evaluation.overlap import (
    instance_points,
    intersection_over_union,
    mask_points,
    owner_points,
    points_in_instances,
)
from stages.evaluation.pairs import BoxMatches, box_matches, matches
from stages.evaluation.records import SceneEvaluation, TruthEvaluation
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource, Scene
from stages.typing import Bool, Float32, Float64, Int32, Int64


@dataclass(frozen=True, eq=False)
class Truth:
    """The ground-truth instances of one scene."""

    instance: Int32[np.ndarray, " N"]
    instance_class: Int32[np.ndarray, " I"]
    counts: Bool[np.ndarray, " I"]
    """False for instances that are none of the classes: void, as is every point of no instance"""


def evaluate_scene(
    scene: Scene,
    superpoint: Int32[np.ndarray, " N"],
    regions: int,
    labels: PseudoLabels,
    before: SceneEvaluation | None = None,
) -> SceneEvaluation:
    """The labels against the scene's ground truth, and the partition ``superpoint`` (-1: no region) against it.

    ``before`` is the evaluation of the round before, from which the labels may have drifted. Raises ValueError where
    scene, partition and labels have different numbers of points, and where the round before had other regions.
    """
    for name, partition in (("superpoints", superpoint), ("pseudo-labels", labels.superpoint)):
        if len(partition) != len(scene):
            raise ValueError(f"the scan has {len(scene)} points, its {name} have {len(partition)}")
    size = np.bincount(labels.superpoint[labels.superpoint >= 0], minlength=labels.mask.shape[1])
    decided = np.bincount(labels.source, weights=size, minlength=len(LabelSource)).astype(np.int64)
    trivial = smallest_box_of_points(scene.xyz, labels.boxes.corners)
    boxed = np.bincount(labels.superpoint[(labels.superpoint >= 0) & (trivial >= 0)], minlength=len(size))
    owners = _owners(labels, boxed)
    drift = None
    if before is not None:
        drift = scene_drift(before.owners, before.source_points, owners.owner, boxed, len(labels.boxes))
    truth = known_truth(scene)
    return SceneEvaluation(
        scene.scene,
        labels.class_names,
        len(scene),
        regions,
        len(labels.boxes),
        decided,
        owners,
        drift,
        None if truth is None else _against_truth(scene, truth, superpoint, regions, labels, size, trivial),
    )


def _owners(labels: PseudoLabels, boxed: Int64[np.ndarray, " S"]) -> Owners:
    points = int(boxed.sum())
    uncertain = float((boxed * labels.uncertainty.astype(np.float64)).sum())
    return Owners(owner_of_regions(labels.mask), points, uncertain / max(points, 1))


def known_truth(scene: Scene) -> Truth | None:
    """The ground truth of a scene, None without any.

    Instances of the scene's classes count; where the scan knows no classes at all, every instance does. Raises
    ValueError where an instance has no entry among the classes.
    """
    if scene.instance is None:
        return None
    instances = int(scene.instance.max(initial=-1)) + 1
    classes = np.full(instances, -1, np.int32) if scene.instance_class is None else scene.instance_class
    if len(classes) < instances:
        raise ValueError(f"instance {instances - 1} occurs, but only {len(classes)} instances have a class")
    counts = classes >= 0
    return Truth(scene.instance, classes, counts if counts.any() else np.ones(len(classes), bool))


def mask_scores(
    mask: Bool[np.ndarray, "K S"], probability: Float32[np.ndarray, "K S"], size: Int64[np.ndarray, " S"]
) -> Float32[np.ndarray, " K"]:
    """The score by which masks are ranked: the mean of an object's probability over the points of its mask, 0 if empty.

    ``size`` is the number of points of each region.
    """
    row, region = np.nonzero(mask)
    points = np.bincount(row, weights=size[region], minlength=len(mask))
    total = np.bincount(row, weights=size[region] * probability[row, region], minlength=len(mask))
    return (total / np.maximum(points, 1)).astype(np.float32)


def _against_truth(
    scene: Scene,
    truth: Truth,
    superpoint: Int32[np.ndarray, " N"],
    regions: int,
    labels: PseudoLabels,
    size: Int64[np.ndarray, " S"],
    trivial: Int32[np.ndarray, " N"],
) -> TruthEvaluation:
    instances = len(truth.counts)
    counts = points_in_instances(labels.superpoint, truth.instance, len(size), instances)
    partition = points_in_instances(superpoint, truth.instance, regions, instances)
    corners = extents(scene.xyz, truth.instance, instances)
    boxes = labels.boxes
    instance, found = instances_of_boxes(boxes.instance, boxes.corners, corners, truth.counts)
    shared = mask_points(labels.mask, counts, labels.contested)
    totals = instance_points(counts, labels.contested)
    score = mask_scores(labels.mask, labels.probability, size)
    objects = ObjectQuality(
        boxes.class_index,
        instance,
        found,
        intersection_over_union(shared, totals, instance),
        _smallest_box_iou(truth, labels, trivial, totals, instance),
        oracle_iou(partition, instance),
    )
    _, pure_points = majority_of_regions(partition)
    return TruthEvaluation(
        objects,
        matches(shared[0], boxes.class_index, score, totals[0], truth.instance_class, truth.counts),
        _box_matches(scene, truth, labels, corners, score),
        owner_samples(
            labels.mask, labels.probability, labels.contested, labels.ignore, labels.uncertainty, counts, instance
        ),
        pure_points,
    )


def _box_matches(
    scene: Scene,
    truth: Truth,
    labels: PseudoLabels,
    corners: Float32[np.ndarray, "I 6"],
    score: Float32[np.ndarray, " K"],
) -> BoxMatches:
    """Overlaps of the boxes around masks with those around instances that count; without points there is no box."""
    around = mask_extents(labels.mask, extents(scene.xyz, labels.superpoint, labels.mask.shape[1]))
    everything = box_matches(box_overlaps_with(around, corners), labels.boxes.class_index, score, truth.instance_class)
    return everything.select(~np.isnan(around[:, 0]), truth.counts & ~np.isnan(corners[:, 0]))


def _smallest_box_iou(
    truth: Truth,
    labels: PseudoLabels,
    owner: Int32[np.ndarray, " N"],
    totals: Int64[np.ndarray, "4 columns"],
    instance: Int32[np.ndarray, " K"],
) -> Float64[np.ndarray, "4 K"]:
    """IoU of the trivial rule, which gives each point to ``owner``, over the same subsets as that of the labels."""
    kind = np.append(labels.contested, np.uint8(3))[labels.superpoint]
    shared = owner_points(owner, truth.instance, kind, len(instance), len(truth.counts))
    return intersection_over_union(shared, totals, instance)
