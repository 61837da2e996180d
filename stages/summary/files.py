"""The figures as files for other programs: JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields

from stages.evaluation.label_quality import LabelAP, label_ap
from stages.evaluation.overlap import SUBSETS
from stages.evaluation.plain import comma_separated
from stages.evaluation.records import SceneEvaluation
from stages.summary.costs import StageCost
from stages.summary.figures import Figures


def summary_json(figures: Figures, costs: Sequence[StageCost], warnings: Sequence[str]) -> bytes:
    """Every number of the table; keys are those of the figures, ``costs`` and ``warnings``. NaN is null."""
    content = figures.as_dict() | {"costs": [asdict(cost) for cost in costs], "warnings": list(warnings)}
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def per_class_csv(figures: Figures) -> bytes:
    """One row a class."""
    header = ["class", "objects", "label_ap", "label_ap50", "label_ap25", "label_ap90", "mean_iou"]
    header += ["smallest_box_ap", "oracle_ap", "ap", "ap50", "ap25", "ap90", "box_ap25", "box_ap50"]
    header += ["coverage", "weighted_coverage", "precision50", "recall50"]
    rows = [
        (
            name,
            *astuple(found.labels),
            found.smallest_box.ap,
            found.oracle.ap,
            *astuple(found.predictions.masks),
            *astuple(found.predictions.boxes),
            *astuple(found.predictions.s3dis),
        )
        for name, found in (figures.truth.per_class if figures.truth else {}).items()
    ]
    return comma_separated(header, rows)


def per_object_csv(scenes: Sequence[SceneEvaluation]) -> bytes:
    """One row a box: its instance and the IoU of label, trivial rule and oracle."""
    subsets = ("iou", *(f"iou_{name}" for name in SUBSETS[1:]))
    header = ["scene", "object", "class", "instance", "found_by_box", *subsets, "smallest_box_iou", "oracle_iou"]
    rows: list[tuple[object, ...]] = []
    for scene in scenes:
        if scene.truth is None:
            continue
        objects = scene.truth.objects
        names = (*scene.class_names, "")
        rows += [
            (
                scene.scene,
                index,
                names[objects.class_index[index]],
                int(objects.instance[index]),
                int(objects.found_by_box[index]),
                *objects.iou[:, index].tolist(),
                float(objects.smallest_box_iou[0, index]),
                float(objects.oracle_iou[index]),
            )
            for index in range(scene.objects)
        ]
    return comma_separated(header, rows)


def per_scene_csv(scenes: Sequence[SceneEvaluation]) -> bytes:
    """One row a scene; quality is empty without ground truth."""
    quality = [field.name for field in fields(LabelAP) if field.name != "objects"]
    header = ["scene", "points", "regions", "boxes", "objects", *quality, "smallest_box_ap", "oracle_ap", "purity"]
    rows: list[tuple[object, ...]] = []
    for scene in scenes:
        known: tuple[object, ...] = ("",) * (len(header) - 4)
        if scene.truth is not None:
            objects = scene.truth.objects
            known = (
                *astuple(label_ap(objects.iou[0])),
                label_ap(objects.smallest_box_iou[0]).ap,
                label_ap(objects.oracle_iou).ap,
                scene.truth.pure_points / max(scene.points, 1),
            )
        rows.append((scene.scene, scene.points, scene.regions, scene.objects, *known))
    return comma_separated(header, rows)


def reliability_csv(figures: Figures) -> bytes:
    """The reliability tables, one row a bin."""
    rows = [
        (kind, *row)
        for kind, found in (figures.truth.calibration if figures.truth else {}).items()
        for row in zip(*(values.tolist() for values in vars(found.reliability).values()), strict=True)
    ]
    return comma_separated(["kind", "points", "confidence", "accuracy"], rows)
