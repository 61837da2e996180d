"""All evidence against each box, summed to one score per box and region."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np

from stages.posteriors.evidence.facing import facing
from stages.posteriors.evidence.floor import floor_evidence
from stages.posteriors.evidence.straddling import straddling
from stages.structures import Scene, Superpoints
from stages.typing import Float64, Int64

Kind = Literal["straddling", "floor", "facing"]
WEIGHT: dict[Kind, float] = {"straddling": 2.5, "floor": 4.0, "facing": 3.0}
"""Nats of log odds at full evidence, fitted on real rooms (straddling enters by its square root)."""
FEWEST_POINTS = 41
"""Smaller scans have no surface to speak of."""


def evidence_against(
    scene: Scene,
    superpoints: Superpoints,
    size: Int64[np.ndarray, " S"],
    kinds: Collection[Kind],
    margin: float,
    deviation: float,
) -> Float64[np.ndarray, "K S"]:
    """Score g >= 0 in nats: how much speaks against region s being part of what box k holds.

    ``deviation`` is that of the faces of boxes, as a share of their sides. Only points of regions take part; regions
    without points get 0. An empty selection of ``kinds`` gives zeros.
    """
    corners, superpoint, surface = scene.boxes.corners, superpoints.superpoint, superpoints.surface
    score = np.zeros((len(corners), len(size)))
    if not len(corners) or size.sum() < FEWEST_POINTS:
        return score
    if "straddling" in kinds:
        score += WEIGHT["straddling"] * np.sqrt(
            straddling(scene.xyz, surface.coarse, superpoint, size, corners, deviation)
        )
    if "floor" in kinds:
        score += WEIGHT["floor"] * floor_evidence(scene.xyz, surface.on_floor, superpoint, size, corners, margin)
    if "facing" in kinds:
        score += WEIGHT["facing"] * facing(scene.xyz, surface.normal, superpoint, len(size), corners)
    return score
