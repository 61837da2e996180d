"""The figures as one plain text table for the terminal, at most WIDTH columns wide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from stages.evaluation.calibration import Calibration
from stages.evaluation.label_quality import LabelAP
from stages.evaluation.prediction_figures import PredictionFigures
from stages.summary.costs import StageCost
from stages.summary.drift import DriftFigures, percent
from stages.summary.figures import ClassFigures, Figures, TruthFigures

WIDTH = 100
_NAME = 22
_MEBIBYTE = 1024**2


def summary_table(figures: Figures, costs: Sequence[StageCost], warnings: Sequence[str], show_s3dis: bool) -> str:
    """The table; sections that need ground truth are absent without any, ``show_s3dis`` adds the metrics of S3DIS."""
    sections = [_head(figures)]
    if figures.truth is not None:
        sections += _truth_sections(figures.truth, show_s3dis)
    sections.append(_sources(figures.source_share))
    if figures.drift is not None:
        sections.append(_drift(figures.drift, figures.source_share))
    if costs:
        sections.append(_costs(costs))
    notes = list(warnings)
    if figures.scenes_without_truth:
        notes.insert(0, f"no ground truth in {counted(figures.scenes_without_truth, 'scene')}")
    if notes:
        sections.append(["warnings", *(line for note in notes for line in _wrapped(note))])
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of aligned columns: the first to the left (at least as wide as names), the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    widths[0] = max(widths[0], _NAME)
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def number(value: float, digits: int = 3) -> str:
    """A figure with fixed digits; a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def counted(amount: int, noun: str) -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{amount:,} {noun}" if amount == 1 else f"{amount:,} {noun}s"


def _wrapped(note: str) -> list[str]:
    """A note in lines of at most WIDTH columns, indented."""
    lines, line = [], "  "
    for word in note.split():
        if len(line) + len(word) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = "    "
        line += word[: WIDTH - 4] + " "
    return [*lines, line.rstrip()]


def _head(figures: Figures) -> list[str]:
    each = figures.regions / max(figures.scenes, 1)
    return [
        f"{counted(figures.scenes, 'scene')}, {figures.objects:,} boxes, {figures.points:,} points, "
        f"{figures.regions:,} regions ({each:,.0f} a scene)"
    ]


def _truth_sections(truth: TruthFigures, show_s3dis: bool) -> list[list[str]]:
    sections = [_labels(truth), _predictions(truth)]
    if show_s3dis:
        sections.append(_s3dis(truth))
    if truth.per_class:
        sections.append(_classes(truth.per_class))
    sections.append(_calibration(truth))
    return sections


def _labels(truth: TruthFigures) -> list[str]:
    def cells(quality: LabelAP) -> list[str]:
        return [number(value) for value in (quality.ap, quality.ap50, quality.ap25, quality.ap90, quality.mean_iou)]

    header = ["label quality", "AP", "AP50", "AP25", "AP90", "mean IoU", "determined", "overlap", "background"]
    rows = [header]
    for name, labels in (("pseudo-labels", truth.labels), ("smallest box, points", truth.smallest_box)):
        rows.append([name, *cells(labels.quality), *(number(value) for value in labels.subset_iou.values())])
    rows.append(["oracle of the regions", *cells(truth.oracle), "", "", ""])
    return [
        *grid(rows),
        f"{truth.labels.quality.objects:,} objects; last three columns: mean IoU within regions of that kind; "
        f"purity {number(truth.purity)}",
    ]


def _predictions(truth: TruthFigures) -> list[str]:
    rows = [["masks as predictions", "AP", "AP50", "AP25", "AP90", "box AP50", "box AP25"]]
    for name, found in (("mean over classes", truth.by_class), ("class-agnostic", truth.class_agnostic)):
        masks, boxes = found.masks, found.boxes
        values = (masks.ap, masks.ap50, masks.ap25, masks.ap90, boxes.ap50, boxes.ap25)
        rows.append([name, *(number(value) for value in values)])
    return grid(rows)


def _s3dis(truth: TruthFigures) -> list[str]:
    def cells(found: PredictionFigures) -> list[str]:
        metrics = found.s3dis
        values = (metrics.coverage, metrics.weighted_coverage, metrics.precision50, metrics.recall50)
        return [number(value) for value in values]

    return grid(
        [
            ["S3DIS metrics", "mCov", "mWCov", "mPrec50", "mRec50"],
            ["mean over classes", *cells(truth.by_class)],
            ["class-agnostic", *cells(truth.class_agnostic)],
        ]
    )


def _classes(per_class: Mapping[str, ClassFigures]) -> list[str]:
    rows = [["class", "objects", "label AP", "AP50", "IoU", "smallest", "oracle", "mask AP", "AP50", "box AP50"]]
    for name, found in per_class.items():
        labels, predictions = found.labels, found.predictions
        values = [labels.ap, labels.ap50, labels.mean_iou, found.smallest_box.ap, found.oracle.ap]
        values += [predictions.masks.ap, predictions.masks.ap50, predictions.boxes.ap50]
        rows.append([name[:_NAME], f"{labels.objects:,}", *(number(value) for value in values)])
    return grid(rows)


def _calibration(truth: TruthFigures) -> list[str]:
    header = ["contested regions", "points", "accuracy", "confidence", "ECE", "room ECE", "Brier", "AUROC"]

    def row(name: str, found: Calibration) -> list[str]:
        values = (found.accuracy, found.confidence, found.ece, found.room_ece, found.brier, found.auroc)
        return [name, f"{found.points:,}", *(number(value) for value in values)]

    rows = [header]
    for name, found in truth.calibration.items():
        rows.append(row(name, found))
        if name in truth.base_rate:
            rows.append(row("  base rate", truth.base_rate[name]))
    notes = ["room ECE: mean of the rooms' own; AUROC: errors ranked by uncertainty"]
    if truth.base_rate:
        notes.append("base rate: a constant that says the accuracy of the other rooms")
    return [*grid(rows), *notes]


def _sources(share: Mapping[str, float]) -> list[str]:
    return grid([["decided by", "points"], *([name, percent(value)] for name, value in share.items())])


def _drift(drift: DriftFigures, share: Mapping[str, float]) -> list[str]:
    rows = [["drift between rounds", "before", "now"]]
    for name in dict.fromkeys((*drift.source_share_before, *share)):
        before, now = drift.source_share_before.get(name, 0.0), share.get(name, 0.0)
        rows.append([f"decided by {name}", percent(before), percent(now)])
    rows.append(["owned by objects", percent(drift.foreground_before), percent(drift.foreground)])
    rows.append(["mean uncertainty", number(drift.uncertainty_before), number(drift.uncertainty)])
    return [
        *grid(rows),
        f"{percent(drift.changed)} of the points in boxes changed owner: {percent(drift.object_to_object)} to another "
        "object,",
        f"{percent(drift.object_to_background)} to background, {percent(drift.background_to_object)} from background",
        f"{counted(drift.objects, 'object')}: {drift.halved:,} lost more than half of their points, "
        f"{drift.mostly_lost:,} three quarters, {drift.vanished:,} all",
    ]


def _costs(costs: Sequence[StageCost]) -> list[str]:
    rows = [["stage", "scenes", "seconds a scene", "longest", "total", "peak memory"]]
    for cost in costs:
        seconds = (cost.mean_seconds, cost.longest_seconds, cost.total_seconds)
        memory = f"{cost.peak_memory_bytes / _MEBIBYTE:,.0f} MiB"
        rows.append([cost.stage, f"{cost.scenes:,}", *(f"{value:,.2f}" for value in seconds), memory])
    return grid(rows)
