"""Rules that decide contested regions without a posterior (GaPro, table 3), for comparison and as ceiling."""

from __future__ import annotations

import numpy as np

from stages.geometry import box_volumes
from stages.typing import Bool, Float32, Float64, Int32


def smallest_box(candidate: Bool[np.ndarray, "K S"], corners: Float32[np.ndarray, "K 6"]) -> Int32[np.ndarray, " S"]:
    """The candidate box of least volume (Box2Mask's heuristic); K where there is no candidate."""
    volume = np.where(candidate, box_volumes(corners)[:, None], np.inf)
    return _least(volume, candidate)


def nearest_center(
    candidate: Bool[np.ndarray, "K S"], corners: Float32[np.ndarray, "K 6"], center: Float64[np.ndarray, "S 3"]
) -> Int32[np.ndarray, " S"]:
    """The candidate box whose centre is nearest to the region's mean; K where there is no candidate."""
    middle = (corners[:, :3].astype(np.float64) + corners[:, 3:]) / 2
    distance = np.linalg.norm(middle[:, None, :] - center[None, :, :], axis=2)
    return _least(np.where(candidate, distance, np.inf), candidate)


def _least(score: Float64[np.ndarray, "K S"], candidate: Bool[np.ndarray, "K S"]) -> Int32[np.ndarray, " S"]:
    if not len(score):
        return np.zeros(score.shape[1], np.int32)
    return np.where(candidate.any(axis=0), score.argmin(axis=0), len(score)).astype(np.int32)


def truth(majority: Int32[np.ndarray, " S"], box_instance: Int32[np.ndarray, " K"]) -> Int32[np.ndarray, " S"]:
    """The box made from each region's majority instance; K for background and instances without a box."""
    boxes = len(box_instance)
    box_of = np.full(max(int(box_instance.max(initial=-1)), int(majority.max(initial=-1))) + 2, boxes, np.int32)
    known = np.flatnonzero(box_instance >= 0)[::-1]
    box_of[box_instance[known]] = known
    return box_of[majority]
