"""How the labels of a scene differ from those of the round before; needs no ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.typing import Bool, Int32, Int64


@dataclass(frozen=True, eq=False)
class Owners:
    """Who owns the regions of a scene, as the next round compares it."""

    owner: Int32[np.ndarray, " S"]
    """box that each region belongs to, -1 for none"""
    boxed_points: int
    """points of regions that lie in some box"""
    uncertainty: float
    """mean over these points, 0 without any"""


@dataclass(frozen=True, eq=False)
class SceneDrift:
    """Points that lie in some box, by who owned them in the round before and who owns them now."""

    points_before: Int64[np.ndarray, " K"]
    """points of each object in the round before"""
    points_now: Int64[np.ndarray, " K"]
    source_points_before: Int64[np.ndarray, " sources"]
    """as SceneEvaluation.source_points: in a box or not"""
    uncertainty_before: float
    to_object: int
    """points that went from one object to another"""
    to_background: int
    from_background: int


def owner_of_regions(mask: Bool[np.ndarray, "K S"]) -> Int32[np.ndarray, " S"]:
    """The box that each region belongs to, -1 for none."""
    if not len(mask):
        return np.full(mask.shape[1], -1, np.int32)
    return np.where(mask.any(axis=0), mask.argmax(axis=0), -1).astype(np.int32)


def scene_drift(
    before: Owners,
    source_points_before: Int64[np.ndarray, " sources"],
    owner: Int32[np.ndarray, " S"],
    boxed: Int64[np.ndarray, " S"],
    boxes: int,
) -> SceneDrift:
    """What changed for the ``boxed`` points of each region, those that lie in some of the ``boxes`` boxes.

    Raises ValueError where the round before had other regions or boxes.
    """
    if len(before.owner) != len(owner) or before.owner.max(initial=-1) >= boxes:
        raise ValueError("the labels of the round before are about other regions or boxes")
    had, has = before.owner >= 0, owner >= 0

    def points(chosen: Bool[np.ndarray, " S"]) -> int:
        return int(boxed[chosen].sum())

    return SceneDrift(
        _points_of_objects(before.owner, boxed, boxes),
        _points_of_objects(owner, boxed, boxes),
        source_points_before,
        before.uncertainty,
        to_object=points(had & has & (before.owner != owner)),
        to_background=points(had & ~has),
        from_background=points(~had & has),
    )


def _points_of_objects(
    owner: Int32[np.ndarray, " S"], boxed: Int64[np.ndarray, " S"], boxes: int
) -> Int64[np.ndarray, " K"]:
    owned = owner >= 0
    return np.bincount(owner[owned], weights=boxed[owned], minlength=boxes).astype(np.int64)
