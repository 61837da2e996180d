"""What a page says of the regions and objects of one scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.evaluation.drift import owner_of_regions
from stages.pseudo_labels.labels import PseudoLabels
from stages.typing import Bool, Float32, Float64, Int32, Int64, UInt8

NAMELESS = "object"
"""stands for a class that the annotation does not name"""


@dataclass(frozen=True, eq=False)
class Regions:
    """The label of each region."""

    points: Int64[np.ndarray, " S"]
    owner: Int32[np.ndarray, " S"]
    """object that owns it, -1 for none"""
    probability: Float32[np.ndarray, " S"]
    """of that owner, background included, in [0, 1]"""
    uncertainty: Float32[np.ndarray, " S"]
    source: UInt8[np.ndarray, " S"]
    contested: UInt8[np.ndarray, " S"]


@dataclass(frozen=True)
class ObjectFacts:
    """One object of a scene; figures are NaN where they are not known."""

    scene: str
    index: int
    class_name: str
    points: int
    uncertainty: float
    """mean over the points of its mask; of its box's regions where the mask is empty"""
    iou: float

    @property
    def title(self) -> str:
        """The name that tables and lists show."""
        return f"{self.class_name} #{self.index}"


def regions_of(labels: PseudoLabels) -> Regions:
    """The regions of a scene's labels."""
    count = labels.mask.shape[1]
    superpoint = labels.superpoint
    owner = owner_of_regions(labels.mask)
    background = np.clip(1 - labels.probability.sum(axis=0, dtype=np.float32), 0, 1)
    rows = np.concatenate([labels.probability, background[None]])
    return Regions(
        points=np.bincount(superpoint[superpoint >= 0], minlength=count),
        owner=owner,
        probability=rows[owner, np.arange(count)].astype(np.float32),
        uncertainty=labels.uncertainty,
        source=labels.source,
        contested=labels.contested,
    )


def objects_of(labels: PseudoLabels, regions: Regions, iou: Float64[np.ndarray, " K"] | None) -> list[ObjectFacts]:
    """Facts of each object; ``iou`` of its mask with its instance, None where no truth is known."""
    facts = []
    for index, class_index in enumerate(labels.boxes.class_index.tolist()):
        own = labels.mask[index]
        chosen = own if own.any() else labels.probability[index] > 0
        facts.append(
            ObjectFacts(
                labels.scene,
                index,
                labels.class_names[class_index] if class_index >= 0 else NAMELESS,
                int(regions.points[own].sum()),
                mean_uncertainty(regions, chosen),
                float("nan") if iou is None else float(iou[index]),
            )
        )
    return facts


def mean_uncertainty(regions: Regions, chosen: Bool[np.ndarray, " S"]) -> float:
    """Mean over the points of the chosen regions, NaN without any."""
    points = regions.points[chosen]
    total = int(points.sum())
    return float((points * regions.uncertainty[chosen]).sum() / total) if total else float("nan")
