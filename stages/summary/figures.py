"""The figures of a data set, pooled over all objects of all scenes and never averaged over scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from stages.evaluation.calibration import Calibration, OwnerSamples, base_rate, by_room, pooled_calibration
from stages.evaluation.label_quality import LabelAP, label_ap
from stages.evaluation.overlap import SUBSETS
from stages.evaluation.plain import plain
from stages.evaluation.prediction_figures import (
    PredictionFigures,
    mean_of_classes,
    mean_of_known,
    prediction_figures,
)
from stages.evaluation.records import SceneEvaluation, TruthEvaluation
from stages.structures import LabelSource
from stages.summary.drift import DriftFigures, pool_drift, shares_by_source
from stages.typing import Float64, Int32

KINDS: dict[str, tuple[int, ...]] = {"overlap": (1,), "background": (2,), "together": (1, 2)}
"""Which kinds of contested regions each calibration covers."""


@dataclass(frozen=True)
class LabelFigures:
    """Label AP, and mean IoU over the points of determined, overlap and background regions."""

    quality: LabelAP
    subset_iou: Mapping[str, float]


@dataclass(frozen=True)
class ClassFigures:
    """The figures of one class."""

    labels: LabelAP
    smallest_box: LabelAP
    oracle: LabelAP
    predictions: PredictionFigures


@dataclass(frozen=True)
class TruthFigures:
    """What needs ground truth."""

    labels: LabelFigures
    smallest_box: LabelFigures
    oracle: LabelAP
    purity: float
    """share of the points that lie in the majority instance (or none) of their region"""
    by_class: PredictionFigures
    """mean over the classes with instances; NaN where the scans know no classes"""
    class_agnostic: PredictionFigures
    per_class: Mapping[str, ClassFigures]
    calibration: Mapping[str, Calibration]
    base_rate: Mapping[str, Calibration]
    """of a constant predictor that says what accuracy the other rooms have; empty with fewer than two rooms"""
    objects_without_instance: int


@dataclass(frozen=True)
class Figures:
    """All figures of a data set but its costs."""

    scenes: int
    scenes_without_truth: int
    points: int
    regions: int
    objects: int
    source_share: Mapping[str, float]
    """shares of the points with a region, by who decided it"""
    class_names: tuple[str, ...]
    drift: DriftFigures | None
    """None in the first round"""
    truth: TruthFigures | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; NaN becomes None."""
        values: dict[str, Any] = plain(asdict(self))
        return values


def pool_figures(scenes: Sequence[SceneEvaluation]) -> Figures:
    """The figures of ``scenes``, whose order does not matter."""
    ordered = sorted(scenes, key=lambda scene: scene.scene)
    names = class_names(ordered)
    known = {scene.scene: _named(scene, names) for scene in ordered if scene.truth is not None}
    by_source = np.sum([np.zeros(len(LabelSource), np.int64), *(scene.source_points for scene in ordered)], axis=0)
    return Figures(
        scenes=len(ordered),
        scenes_without_truth=len(ordered) - len(known),
        points=sum(scene.points for scene in ordered),
        regions=sum(scene.regions for scene in ordered),
        objects=sum(scene.objects for scene in ordered),
        source_share=shares_by_source(by_source),
        class_names=names,
        drift=pool_drift(ordered),
        truth=_truth_figures(known, names, sum(scene.points for scene in ordered if scene.truth)) if known else None,
    )


def class_names(scenes: Sequence[SceneEvaluation]) -> tuple[str, ...]:
    """All class names of the scenes, in the order in which they first occur."""
    return tuple(dict.fromkeys(name for scene in scenes for name in scene.class_names))


def _named(scene: SceneEvaluation, names: tuple[str, ...]) -> TruthEvaluation:
    """The truth of a scene with its classes numbered as in ``names``."""
    truth = scene.truth
    if truth is None:
        raise ValueError(f"scene {scene.scene} has no ground truth")
    if scene.class_names == names[: len(scene.class_names)]:
        return truth
    position = np.array([*(names.index(name) for name in scene.class_names), -1], np.int32)

    def renamed(index: Int32[np.ndarray, " n"]) -> Int32[np.ndarray, " n"]:
        moved: Int32[np.ndarray, " n"] = position[index]
        return moved

    objects, masks, boxes = truth.objects, truth.matches, truth.boxes
    return replace(
        truth,
        objects=replace(objects, class_index=renamed(objects.class_index)),
        matches=replace(
            masks, prediction_class=renamed(masks.prediction_class), truth_class=renamed(masks.truth_class)
        ),
        boxes=replace(boxes, prediction_class=renamed(boxes.prediction_class), truth_class=renamed(boxes.truth_class)),
    )


def _truth_figures(known: Mapping[str, TruthEvaluation], names: tuple[str, ...], points: int) -> TruthFigures:
    scenes = list(known.values())
    rooms = by_room({name: scene.samples for name, scene in known.items()})
    class_index = np.concatenate([scene.objects.class_index for scene in scenes])
    iou = np.concatenate([scene.objects.iou for scene in scenes], axis=1)
    smallest = np.concatenate([scene.objects.smallest_box_iou for scene in scenes], axis=1)
    oracle = np.concatenate([scene.objects.oracle_iou for scene in scenes])
    masks, boxes = [scene.matches for scene in scenes], [scene.boxes for scene in scenes]
    truth_class = np.concatenate([each.truth_class for each in masks])
    per_class = {}
    for index, name in enumerate(names):
        of_class = class_index == index
        if not of_class.any() and not (truth_class == index).any():
            continue
        per_class[name] = ClassFigures(
            label_ap(iou[0, of_class]),
            label_ap(smallest[0, of_class]),
            label_ap(oracle[of_class]),
            prediction_figures([each.of_class(index) for each in masks], [each.of_class(index) for each in boxes]),
        )
    return TruthFigures(
        labels=_label_figures(iou),
        smallest_box=_label_figures(smallest),
        oracle=label_ap(oracle),
        purity=sum(scene.pure_points for scene in scenes) / max(points, 1),
        by_class=mean_of_classes([each.predictions for each in per_class.values()]),
        class_agnostic=prediction_figures(masks, boxes),
        per_class=per_class,
        calibration={name: pooled_calibration(of_kind(rooms, name)) for name in KINDS},
        base_rate={name: pooled_calibration(found) for name in KINDS if (found := base_rate(of_kind(rooms, name)))},
        objects_without_instance=int(sum((scene.objects.instance < 0).sum() for scene in scenes)),
    )


def _label_figures(iou: Float64[np.ndarray, "4 objects"]) -> LabelFigures:
    return LabelFigures(
        label_ap(iou[0]), {name: mean_of_known(row) for name, row in zip(SUBSETS[1:], iou[1:], strict=True)}
    )


def of_kind(rooms: Mapping[str, OwnerSamples], kind: str) -> dict[str, OwnerSamples]:
    """The samples of each room that are of a kind in KINDS."""
    return {room: samples[np.isin(samples.kind, KINDS[kind])] for room, samples in rooms.items()}
