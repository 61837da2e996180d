"""How far two labellings of one scene agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.evaluation.drift import owner_of_regions
from stages.pseudo_labels.labels import PseudoLabels
from stages.typing import Bool, Int32

_NO_LABEL = -2


@dataclass(frozen=True)
class Agreement:
    """Points that both labellings say something of, and those of the same owner; of all points, and of those in boxes.

    Add them up over scenes.
    """

    points: int = 0
    same: int = 0
    boxed: int = 0
    boxed_same: int = 0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.points + other.points,
            self.same + other.same,
            self.boxed + other.boxed,
            self.boxed_same + other.boxed_same,
        )


def owner_of_points(labels: PseudoLabels) -> Int32[np.ndarray, " N"]:
    """Object of each point, -1 background, -2 without a label."""
    owner = np.where(labels.ignore, _NO_LABEL, owner_of_regions(labels.mask))
    return np.append(owner, _NO_LABEL).astype(np.int32)[labels.superpoint]


def agreement(one: PseudoLabels, other: PseudoLabels, boxed: Bool[np.ndarray, " N"]) -> Agreement:
    """Raises ValueError where the labellings are of other points or boxes, so that owners cannot be compared."""
    if len(one.superpoint) != len(other.superpoint):
        raise ValueError(f"labels of {len(one.superpoint)} points and of {len(other.superpoint)}")
    if not np.array_equal(one.boxes.corners, other.boxes.corners):
        raise ValueError("the boxes have changed since")
    first, second = owner_of_points(one), owner_of_points(other)
    known = (first != _NO_LABEL) & (second != _NO_LABEL)
    same = known & (first == second)
    return Agreement(int(known.sum()), int(same.sum()), int((known & boxed).sum()), int((same & boxed).sum()))
