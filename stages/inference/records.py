"""What a network says about one scene, and its plain arrays for the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from stages.typing import Bool, Float32, Int32

_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "mask": ("proposal", "region"),
    "class_index": ("proposal",),
    "score": ("proposal",),
    "probability": ("proposal", "region"),
    "mean": ("proposal", "region"),
    "variance": ("proposal", "region"),
    "region_feature": ("region", "column"),
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """Q proposed objects of one scene with S regions, the surest first, and D deep features of each region."""

    mask: Bool[np.ndarray, "Q S"]
    """every row has a True; rows may overlap"""
    class_index: Int32[np.ndarray, " Q"]
    """among the network's classes"""
    score: Float32[np.ndarray, " Q"]
    """in [0, 1]"""
    probability: Float32[np.ndarray, "Q S"]
    """that a region belongs to the object; the mask is where it exceeds one half"""
    mean: Float32[np.ndarray, "Q S"]
    """predicted mean of the label, in [0, 1] (GaPro, section 3.2); says nothing where no uncertainty was learnt"""
    variance: Float32[np.ndarray, "Q S"]
    """predicted variance of the label; the same"""
    region_feature: Float32[np.ndarray, "S D"]

    def __len__(self) -> int:
        return len(self.mask)


def to_arrays(predictions: Predictions) -> dict[str, tuple[np.ndarray, tuple[str, ...]]]:
    """Arrays by name, with the names of their dimensions."""
    return {name: (getattr(predictions, name), dimensions) for name, dimensions in _DIMENSIONS.items()}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Predictions:
    """The inverse of ``to_arrays`` (without the names of dimensions)."""
    return Predictions(**{name: arrays[name] for name in _DIMENSIONS})
