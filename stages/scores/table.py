"""The scores as one plain text table for the terminal, and as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple

from stages.evaluation.average_precision import MINIMUM_POINTS
from stages.evaluation.plain import comma_separated
from stages.evaluation.prediction_figures import PredictionFigures
from stages.scores.figures import SplitScores
from stages.summary.table import counted, grid, number

_HELD_OUT = ("test", "val", "", "train")
"""Splits from the one that says most about a network to the one that says least."""
_NAMES = {"": "other scenes"}


def scores_table(scores: Mapping[str, SplitScores], warnings: Sequence[str], show_s3dis: bool) -> str:
    """The table, one row a split; ``show_s3dis`` adds the metrics of S3DIS. Without any scene it says so."""
    if not scores:
        sections = [["predictions of the network: no scene with ground truth to compare with"]]
    else:
        sections = [_head(scores), _agnostic(scores)]
        if any(found.per_class for found in scores.values()):
            sections.append(_by_class(scores))
        if show_s3dis:
            sections.append(_s3dis(scores))
        held_out = next(split for split in _HELD_OUT if split in scores)
        if scores[held_out].per_class:
            sections.append(_classes(held_out, scores[held_out]))
    if warnings:
        sections.append(["warnings", *(f"  {warning}" for warning in warnings)])
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def per_class_csv(scores: Mapping[str, SplitScores]) -> bytes:
    """One row a split and class, ``all`` being all objects whatever their class."""
    header = ["split", "class", "objects", "ap", "ap50", "ap25", "ap90", "box_ap25", "box_ap50"]
    header += ["coverage", "weighted_coverage", "precision50", "recall50"]
    rows: list[tuple[object, ...]] = []
    for split, found in scores.items():
        rows.append((split or "other", "all", found.objects, *_values(found.class_agnostic)))
        rows += [
            (split or "other", name, each.objects, *_values(each.figures)) for name, each in found.per_class.items()
        ]
    return comma_separated(header, rows)


def _values(figures: PredictionFigures) -> tuple[float, ...]:
    return (*astuple(figures.masks), *astuple(figures.boxes), *astuple(figures.s3dis))


def _head(scores: Mapping[str, SplitScores]) -> list[str]:
    scenes, objects, proposals = (
        sum(getattr(found, name) for found in scores.values()) for name in ("scenes", "objects", "proposals")
    )
    return [
        f"predictions of the network: {counted(scenes, 'scene')}, {counted(objects, 'object')}, "
        f"{counted(proposals, 'proposal')}",
        f"AP leaves out objects and masks of fewer than {MINIMUM_POINTS} points",
    ]


def _name(split: str) -> str:
    return _NAMES.get(split, split)


def _cells(figures: PredictionFigures) -> list[str]:
    masks, boxes = figures.masks, figures.boxes
    return [number(value) for value in (masks.ap, masks.ap50, masks.ap25, boxes.ap50, boxes.ap25)]


def _agnostic(scores: Mapping[str, SplitScores]) -> list[str]:
    rows = [["class-agnostic", "scenes", "objects", "proposals", "AP", "AP50", "AP25", "box AP50", "box AP25"]]
    for split, found in scores.items():
        counts = [f"{value:,}" for value in (found.scenes, found.objects, found.proposals)]
        rows.append([_name(split), *counts, *_cells(found.class_agnostic)])
    return grid(rows)


def _by_class(scores: Mapping[str, SplitScores]) -> list[str]:
    rows = [["mean over classes", "classes", "AP", "AP50", "AP25", "box AP50", "box AP25"]]
    for split, found in scores.items():
        large = sum(not math.isnan(each.figures.masks.ap) for each in found.per_class.values())
        rows.append([_name(split), f"{large}", *_cells(found.by_class)])
    return grid(rows)


def _s3dis(scores: Mapping[str, SplitScores]) -> list[str]:
    rows = [["S3DIS metrics", "mCov", "mWCov", "mPrec50", "mRec50"]]
    for split, found in scores.items():
        for kind, figures in (("class-agnostic", found.class_agnostic), ("mean over classes", found.by_class)):
            rows.append([f"{_name(split)}, {kind}", *(number(value) for value in astuple(figures.s3dis))])
    return grid(rows)


def _classes(split: str, found: SplitScores) -> list[str]:
    rows = [[f"classes of {_name(split)}", "objects", "AP", "AP50", "AP25", "box AP50", "box AP25"]]
    rows += [[name, f"{each.objects:,}", *_cells(each.figures)] for name, each in found.per_class.items()]
    return grid(rows)
