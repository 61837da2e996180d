"""The tables of a page: cells of text, some of which lead to a scene or an object."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.evaluation.calibration import Calibration
from stages.evaluation.label_quality import LabelAP
from stages.report.facts import SceneFacts
from stages.report.regions import ObjectFacts
from stages.summary.drift import DriftFigures, percent
from stages.summary.figures import Figures, TruthFigures
from stages.summary.table import number

WORST = 10
"""rows of the tables of worst and most uncertain scenes and objects"""


@dataclass(frozen=True)
class Link:
    """A cell that shows a scene, or one object of it alone."""

    text: str
    scene: str
    object: int | None = None


Cell = str | Link


@dataclass(frozen=True)
class Table:
    """A table; ``text`` for one whose cells are words rather than figures."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    text: bool = False


def quality_tables(figures: Figures) -> list[Table]:
    """The figures of the summary; without ground truth only who decided."""
    tables = [] if figures.truth is None else _truth_tables(figures.truth)
    shares = [[name, percent(share)] for name, share in figures.source_share.items()]
    return [*tables, Table("Who decided the labels", ("source", "points"), shares)]


def _truth_tables(truth: TruthFigures) -> list[Table]:
    tables = [_labels(truth), _predictions(truth)]
    if truth.per_class:
        tables.append(_classes(truth))
    return [*tables, _calibration(truth)]


def _labels(truth: TruthFigures) -> Table:
    rows = [
        [name, *_ap_cells(found.quality), *(number(value) for value in found.subset_iou.values())]
        for name, found in (("pseudo-labels", truth.labels), ("smallest box, points", truth.smallest_box))
    ]
    rows.append(["oracle of the regions", *_ap_cells(truth.oracle), "", "", ""])
    header = ("", "AP", "AP50", "AP25", "AP90", "mean IoU", "IoU determined", "IoU overlap", "IoU background")
    note = (
        f"{truth.labels.quality.objects:,} objects, each mask against the instance that its box annotates; the last "
        f"three columns within regions of that kind. Purity of the regions {number(truth.purity)}."
    )
    return Table("Label quality", header, rows, note)


def _ap_cells(found: LabelAP) -> list[str]:
    return [number(value) for value in (found.ap, found.ap50, found.ap25, found.ap90, found.mean_iou)]


def _predictions(truth: TruthFigures) -> Table:
    rows = [
        [
            name,
            *(number(value) for value in (found.masks.ap, found.masks.ap50, found.masks.ap25, found.masks.ap90)),
            *(number(value) for value in (found.boxes.ap50, found.boxes.ap25)),
        ]
        for name, found in (("mean over classes", truth.by_class), ("class-agnostic", truth.class_agnostic))
    ]
    return Table("Masks as predictions", ("", "AP", "AP50", "AP25", "AP90", "box AP50", "box AP25"), rows)


def _classes(truth: TruthFigures) -> Table:
    rows = [
        [name, f"{found.labels.objects:,}"]
        + [number(value) for value in (found.labels.ap, found.labels.ap50, found.labels.mean_iou)]
        + [number(value) for value in (found.smallest_box.ap, found.oracle.ap, found.predictions.masks.ap)]
        for name, found in truth.per_class.items()
    ]
    header = ("class", "objects", "label AP", "AP50", "mean IoU", "smallest box AP", "oracle AP", "mask AP")
    return Table("Classes", header, rows)


def _calibration(truth: TruthFigures) -> Table:
    def row(name: str, found: Calibration) -> list[str]:
        values = (found.accuracy, found.confidence, found.ece, found.room_ece, found.brier, found.auroc)
        return [name, f"{found.points:,}", *(number(value) for value in values)]

    rows = []
    for name, found in truth.calibration.items():
        rows.append(row(name, found))
        if name in truth.base_rate:
            rows.append(row(f"{name}, base rate", truth.base_rate[name]))
    note = "Room ECE: mean of the rooms' own. AUROC: errors ranked by uncertainty."
    if truth.base_rate:
        note += " Base rate: a constant that says the accuracy of the other rooms."
    header = ("contested regions", "points", "accuracy", "confidence", "ECE", "room ECE", "Brier", "AUROC")
    return Table("Calibration", header, rows, note)


def worst_objects(objects: Sequence[ObjectFacts]) -> Table | None:
    """The objects of lowest IoU; None without truth."""
    known = sorted((one for one in objects if not math.isnan(one.iou)), key=lambda one: (one.iou, one.scene, one.index))
    return _objects("Worst objects", known) if known else None


def most_uncertain_objects(objects: Sequence[ObjectFacts]) -> Table | None:
    """The objects of highest mean uncertainty; None where there are none."""
    known = [one for one in objects if not math.isnan(one.uncertainty)]
    ranked = sorted(known, key=lambda one: (-one.uncertainty, one.scene, one.index))
    return _objects("Most uncertain objects", ranked) if ranked else None


def _objects(caption: str, ranked: Sequence[ObjectFacts]) -> Table:
    rows: list[list[Cell]] = [
        [
            Link(one.title, one.scene, one.index),
            Link(one.scene, one.scene),
            f"{one.points:,}",
            number(one.uncertainty),
            number(one.iou),
        ]
        for one in ranked[:WORST]
    ]
    return Table(caption, ("object", "scene", "points", "uncertainty", "IoU"), rows)


def scene_tables(scenes: Sequence[SceneFacts]) -> list[Table]:
    """The worst and the most uncertain scenes."""
    known = [one for one in scenes if not math.isnan(one.mean_iou)]
    tables = []
    if known:
        tables.append(scene_table("Worst scenes", sorted(known, key=lambda one: (one.mean_iou, one.scene))[:WORST]))
    doubtful = sorted(
        (one for one in scenes if not math.isnan(one.uncertainty)), key=lambda one: (-one.uncertainty, one.scene)
    )
    return [*tables, scene_table("Most uncertain scenes", doubtful[:WORST])] if doubtful else tables


def scene_table(caption: str, scenes: Sequence[SceneFacts]) -> Table:
    """One row a scene."""
    rows: list[list[Cell]] = [
        [
            Link(one.scene, one.scene),
            f"{one.points:,}",
            f"{len(one.objects):,}",
            percent(one.contested_share),
            number(one.uncertainty),
            number(one.mean_iou),
        ]
        for one in scenes
    ]
    return Table(caption, ("scene", "points", "objects", "contested", "uncertainty", "mean IoU"), rows)


def round_table(figures: Mapping[int, Figures], uncertainty: Mapping[int, float]) -> Table:
    """One row a round of self-training: quality where it is known, and what changed since the round before."""
    rows = []
    for number_of_round, found in sorted(figures.items()):
        quality = found.truth.labels.quality if found.truth else None
        values = (quality.ap, quality.ap50, quality.mean_iou) if quality else (math.nan,) * 3
        cells = [number(value) for value in (*values, uncertainty[number_of_round])]
        rows.append([str(number_of_round), *cells, *_drift_cells(found.drift)])
    quality_header = ("label AP", "AP50", "mean IoU", "uncertainty")
    header = ("round", *quality_header, "changed owner", "owned by objects", "lost over half", "vanished")
    note = (
        "Uncertainty, and shares, over the points in boxes; the last two columns count objects. Changes are those "
        "since the round before."
    )
    return Table("Rounds", header, rows, note)


def _drift_cells(drift: DriftFigures | None) -> list[str]:
    if drift is None:
        return ["-"] * 4
    return [percent(drift.changed), percent(drift.foreground), f"{drift.halved:,}", f"{drift.vanished:,}"]
