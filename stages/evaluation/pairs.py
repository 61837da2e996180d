"""Predictions, ground-truth instances and the pairs among them that overlap: all that metrics need of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from stages.typing import Bool, Float32, Float64, Int32, Int64

Kind = TypeVar("Kind", bound="Pairs")


@dataclass(frozen=True, eq=False)
class Pairs:
    """Q predictions, T instances that count, M pairs; fields belong to one of them by their first word."""

    prediction_class: Int32[np.ndarray, " Q"]
    """-1 where the annotation names no class"""
    prediction_score: Float32[np.ndarray, " Q"]
    truth_class: Int32[np.ndarray, " T"]
    pair_prediction: Int32[np.ndarray, " M"]
    pair_truth: Int32[np.ndarray, " M"]

    def select(self: Kind, prediction: Bool[np.ndarray, " Q"], truth: Bool[np.ndarray, " T"]) -> Kind:
        """The chosen predictions and instances with the pairs among them."""
        pair = prediction[self.pair_prediction] & truth[self.pair_truth]
        chosen = {"prediction": prediction, "truth": truth, "pair": pair}
        kept = {name: values[chosen[name.partition("_")[0]]] for name, values in vars(self).items()}
        kept["pair_prediction"] = (np.cumsum(prediction) - 1)[kept["pair_prediction"]].astype(np.int32)
        kept["pair_truth"] = (np.cumsum(truth) - 1)[kept["pair_truth"]].astype(np.int32)
        return type(self)(**kept)

    def of_class(self: Kind, class_index: int) -> Kind:
        """Predictions and instances of one class."""
        return self.select(self.prediction_class == class_index, self.truth_class == class_index)


def pool(scenes: Sequence[Kind]) -> Kind:
    """Several scenes (at least one) as if they were one; predictions and instances keep their order."""
    rows = []
    predictions = truths = 0
    for scene in scenes:
        row = dict(vars(scene))
        row["pair_prediction"] = (scene.pair_prediction + predictions).astype(np.int32)
        row["pair_truth"] = (scene.pair_truth + truths).astype(np.int32)
        rows.append(row)
        predictions += len(scene.prediction_class)
        truths += len(scene.truth_class)
    kind = type(scenes[0])
    return kind(**{field.name: np.concatenate([row[field.name] for row in rows]) for field in fields(kind)})


@dataclass(frozen=True, eq=False)
class Matches(Pairs):
    """Which predicted masks share points with which instances; pairs have at least one point in common."""

    prediction_points: Int64[np.ndarray, " Q"]
    prediction_void: Int64[np.ndarray, " Q"]
    """points of the mask in no instance that counts"""
    truth_points: Int64[np.ndarray, " T"]
    pair_points: Int64[np.ndarray, " M"]

    @property
    def pair_overlap(self) -> Float64[np.ndarray, " M"]:
        """Intersection over union of each pair, in (0, 1]."""
        union = self.prediction_points[self.pair_prediction] + self.truth_points[self.pair_truth] - self.pair_points
        overlap: Float64[np.ndarray, " M"] = self.pair_points / union
        return overlap


@dataclass(frozen=True, eq=False)
class BoxMatches(Pairs):
    """The boxes around predicted masks and around instances; pairs overlap."""

    pair_overlap: Float64[np.ndarray, " M"]
    """intersection over union of the two boxes, in (0, 1]"""


def matches(
    shared: Int64[np.ndarray, "Q columns"],
    prediction_class: Int32[np.ndarray, " Q"],
    prediction_score: Float32[np.ndarray, " Q"],
    instance_points: Int64[np.ndarray, " columns"],
    instance_class: Int32[np.ndarray, " I"],
    counts: Bool[np.ndarray, " I"],
) -> Matches:
    """The matches of one scene.

    ``shared`` holds the points of each mask in each instance and, in the last column, in none; ``instance_points`` the
    points of each; ``counts`` is False for instances that are void. Empty instances are left out.
    """
    chosen = np.flatnonzero(counts & (instance_points[:-1] > 0))
    inside = shared[:, chosen]
    prediction, truth = np.nonzero(inside)
    size = shared.sum(axis=1)
    return Matches(
        prediction_class=prediction_class,
        prediction_score=prediction_score,
        truth_class=instance_class[chosen],
        pair_prediction=prediction.astype(np.int32),
        pair_truth=truth.astype(np.int32),
        prediction_points=size,
        prediction_void=size - inside.sum(axis=1),
        truth_points=instance_points[chosen],
        pair_points=inside[prediction, truth],
    )


def box_matches(
    overlap: Float64[np.ndarray, "Q T"],
    prediction_class: Int32[np.ndarray, " Q"],
    prediction_score: Float32[np.ndarray, " Q"],
    truth_class: Int32[np.ndarray, " T"],
) -> BoxMatches:
    """The matches of one scene from the overlaps of boxes."""
    prediction, truth = np.nonzero(overlap)
    return BoxMatches(
        prediction_class=prediction_class,
        prediction_score=prediction_score,
        truth_class=truth_class,
        pair_prediction=prediction.astype(np.int32),
        pair_truth=truth.astype(np.int32),
        pair_overlap=overlap[prediction, truth],
    )
