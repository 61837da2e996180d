"""Predictions of a network against the ground truth, and the figures of all scenes of a split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from stages.evaluation.average_precision import AveragePrecision, mask_ap
from stages.evaluation.boxes import box_overlaps_with, extents, mask_extents
from stages.evaluation.overlap import points_in_instances
from stages.evaluation.pairs import BoxMatches, Matches, box_matches, matches, pool
from stages.evaluation.plain import plain
from stages.evaluation.prediction_figures import PredictionFigures, mean_of_classes, prediction_figures
from stages.evaluation.scene import Truth
from stages.inference.records import Predictions
from stages.typing import Bool, Float32, Int32, Int64

SPLITS = ("train", "val", "test", "")
"""in the order in which they are shown; the last one: scenes of no split"""


@dataclass(frozen=True, eq=False)
class RegionTruth:
    """The ground truth of a scene, counted over its regions: enough to judge masks, and small."""

    points: csr_array
    """int64 [S+1, I+1], points of each region in each instance; the last ones: in no region, in no instance"""
    instance_class: Int32[np.ndarray, " I"]
    counts: Bool[np.ndarray, " I"]
    """False for instances that are none of the classes"""


def region_truth(truth: Truth, superpoint: Int32[np.ndarray, " N"], regions: int) -> RegionTruth:
    """The truth of the points of each of so many regions; ``superpoint`` is -1 for points of none."""
    points = points_in_instances(superpoint, truth.instance, regions, len(truth.counts))
    return RegionTruth(points, truth.instance_class, truth.counts)


def mask_matches(predictions: Predictions, truth: RegionTruth) -> Matches:
    """Which masks share points with which instances; raises ValueError where regions are not the same."""
    regions = truth.points.shape[0] - 1
    if predictions.mask.shape[1] != regions:
        raise ValueError(f"{regions} regions, predictions for {predictions.mask.shape[1]}")
    shared = (csr_array(predictions.mask).astype(np.int64) @ truth.points[:regions]).toarray()
    totals: Int64[np.ndarray, " columns"] = np.asarray(truth.points.sum(axis=0)).ravel().astype(np.int64)
    return matches(shared, predictions.class_index, predictions.score, totals, truth.instance_class, truth.counts)


def class_agnostic_ap(predictions: Sequence[Predictions], truths: Sequence[RegionTruth]) -> AveragePrecision:
    """AP over the objects of several scenes (at least one), whatever their classes; NaN without instances."""
    return mask_ap(pool([mask_matches(found, truth) for found, truth in zip(predictions, truths, strict=True)]))


@dataclass(frozen=True, eq=False)
class SceneScores:
    """What the figures need of one scene; classes as a ``ClassNumbers`` counts them."""

    split: str
    masks: Matches
    boxes: BoxMatches


class ClassNumbers:
    """One numbering of the classes of all scenes and networks, by name, in the order in which they occur."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All classes so far."""
        return tuple(self._number)

    def common(self, index: Int32[np.ndarray, " n"], names: Sequence[str]) -> Int32[np.ndarray, " n"]:
        """The common number of classes that are counted by their place in ``names``; -1 stays."""
        own = [self._number.setdefault(name, len(self._number)) for name in names]
        common: Int32[np.ndarray, " n"] = np.array([*own, -1], np.int32)[index]
        return common


def scene_scores(
    split: str,
    predictions: Predictions,
    truth: Truth,
    xyz: Float32[np.ndarray, "N 3"],
    superpoint: Int32[np.ndarray, " N"],
    regions: int,
) -> SceneScores:
    """The matches of one scene's masks, and of the boxes around them; without finite points there is no box.

    Raises ValueError where points or regions are not the same.
    """
    if not len(xyz) == len(superpoint) == len(truth.instance):
        raise ValueError(f"the scan has {len(xyz)} points, its superpoints have {len(superpoint)}")
    masks = mask_matches(predictions, region_truth(truth, superpoint, regions))
    around = mask_extents(predictions.mask, extents(xyz, superpoint, regions))
    corners = extents(xyz, truth.instance, len(truth.counts))
    overlap = box_overlaps_with(around, corners)
    boxes = box_matches(overlap, predictions.class_index, predictions.score, truth.instance_class)
    return SceneScores(split, masks, boxes.select(~np.isnan(around[:, 0]), truth.counts & ~np.isnan(corners[:, 0])))


@dataclass(frozen=True)
class ClassScores:
    """The figures of one class."""

    objects: int
    figures: PredictionFigures


@dataclass(frozen=True)
class SplitScores:
    """The figures of the scenes of one split."""

    scenes: int
    objects: int
    """instances that count"""
    proposals: int
    class_agnostic: PredictionFigures
    by_class: PredictionFigures
    """mean over the classes with instances; NaN where the scans know no classes"""
    per_class: Mapping[str, ClassScores]


def split_scores(scenes: Sequence[SceneScores], class_names: Sequence[str]) -> dict[str, SplitScores]:
    """The figures of each split that has scenes, in the order of SPLITS."""
    by_split = {split: [scene for scene in scenes if scene.split == split] for split in SPLITS}
    return {split: _scores(members, class_names) for split, members in by_split.items() if members}


def as_dict(scores: Mapping[str, SplitScores]) -> dict[str, Any]:
    """Plain values for JSON; NaN becomes None. Scenes of no split are called ``other``."""
    return {split or "other": plain(asdict(found)) for split, found in scores.items()}


def _scores(scenes: Sequence[SceneScores], class_names: Sequence[str]) -> SplitScores:
    masks, boxes = [scene.masks for scene in scenes], [scene.boxes for scene in scenes]
    truth_class = np.concatenate([each.truth_class for each in masks])
    per_class = {}
    for index, name in enumerate(class_names):
        objects = int((truth_class == index).sum())
        if objects:
            of_class = ([each.of_class(index) for each in masks], [each.of_class(index) for each in boxes])
            per_class[name] = ClassScores(objects, prediction_figures(*of_class))
    return SplitScores(
        scenes=len(scenes),
        objects=len(truth_class),
        proposals=sum(len(each.prediction_class) for each in masks),
        class_agnostic=prediction_figures(masks, boxes),
        by_class=mean_of_classes([each.figures for each in per_class.values()]),
        per_class=per_class,
    )
