"""How good the labels of a release are, where the ground truth was known: JSON, CSV and the table of the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.evaluation.label_quality import LabelAP
from stages.evaluation.plain import comma_separated
from stages.evaluation.records import SceneEvaluation
from stages.summary.figures import Figures, pool_figures

COLUMNS = (
    "class", "objects", "label_ap", "label_ap50", "label_ap25", "label_ap90", "mean_iou", "smallest_box_ap",
    "oracle_ap",
)  # fmt: skip
ALL = "(all)"
_UNKNOWN = "the scans came without ground truth, or the labels of this release were not evaluated"


@dataclass(frozen=True)
class Quality:
    """The figures of the scenes of a release that were evaluated."""

    scenes: int
    """of the release"""
    figures: Figures
    """over those that were evaluated"""

    @property
    def known(self) -> bool:
        """Whether any scene has a ground truth."""
        return self.figures.truth is not None

    @property
    def scenes_with_truth(self) -> int:
        """The scenes that the figures of quality are about."""
        return self.figures.scenes - self.figures.scenes_without_truth

    def as_json(self) -> dict[str, Any]:
        """Every figure, or why there are none."""
        counts = {"scenes": self.scenes, "scenes_with_truth": self.scenes_with_truth}
        if not self.known:
            return {"known": False, "why": _UNKNOWN, **counts}
        return {"known": True, **counts, "figures": self.figures.as_dict()}

    def rows(self) -> list[tuple[object, ...]]:
        """One row for all objects, then one a class with objects; cells as in ``COLUMNS``."""
        truth = self.figures.truth
        if truth is None:
            return []
        smallest = truth.smallest_box.quality.ap
        found = [_row(ALL, truth.labels.quality, smallest, truth.oracle.ap)]
        return found + [
            _row(name, one.labels, one.smallest_box.ap, one.oracle.ap)
            for name, one in truth.per_class.items()
            if one.labels.objects
        ]

    def as_csv(self) -> bytes:
        """The rows as a file."""
        return comma_separated(COLUMNS, self.rows())


def quality_of(scenes: int, evaluations: Sequence[SceneEvaluation]) -> Quality:
    """The quality of a release of ``scenes`` scenes, of which ``evaluations`` were evaluated."""
    return Quality(scenes, pool_figures(evaluations))


def _row(name: str, labels: LabelAP, smallest_box: float, oracle: float) -> tuple[object, ...]:
    numbers = (labels.ap, labels.ap50, labels.ap25, labels.ap90, labels.mean_iou, smallest_box, oracle)
    return (name, labels.objects, *(round(number, 4) for number in numbers))
