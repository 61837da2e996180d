"""Determined and contested regions: who needs a posterior."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.structures import LabelSource
from stages.typing import Bool, Float32, Int32, UInt8

CERTAIN = 0.1
"""A region in one box is determined while background has less prior probability than this."""


@dataclass(frozen=True, eq=False)
class Ownership:
    """Candidates of each region and, where they leave no question, its owner; boxes in canonical order."""

    candidate: Bool[np.ndarray, "K S"]
    nested: Bool[np.ndarray, " S"]
    """regions whose smallest box lies in another of their boxes"""
    prior: Float32[np.ndarray, "K_plus_1 S"]
    owner: Int32[np.ndarray, " S"]
    """box, K for background, -1 contested"""
    source: UInt8[np.ndarray, " S"]
    background: Bool[np.ndarray, " S"]
    """regions in a background box"""

    @property
    def by_people(self) -> Bool[np.ndarray, " S"]:
        """Regions of which a person said who owns them."""
        return np.asarray(self.source == LabelSource.HUMAN)

    @property
    def questioned(self) -> Bool[np.ndarray, " S"]:
        """Contested regions that may be background."""
        return (self.owner < 0) & (self.prior[-1] >= CERTAIN)


def determine(
    candidate: Bool[np.ndarray, "K S"],
    before_containment: Bool[np.ndarray, "K S"],
    nested: Bool[np.ndarray, " S"],
    prior: Float32[np.ndarray, "K_plus_1 S"],
    background: Bool[np.ndarray, " S"],
) -> Ownership:
    """Decides what can be decided without a posterior.

    No candidate: background. One, and background hardly possible: that box (source ``containment`` if a containing
    box was struck off). Everything else is contested.
    """
    boxes, regions = candidate.shape
    count = candidate.sum(axis=0)
    owner = np.full(regions, -1, np.int32)
    source = np.full(regions, LabelSource.GP, np.uint8)
    nowhere = count == 0
    owner[nowhere], source[nowhere] = boxes, LabelSource.BACKGROUND
    alone = (count == 1) & (prior[-1] < CERTAIN)
    if boxes:
        owner[alone] = candidate[:, alone].argmax(axis=0)
    struck = before_containment.sum(axis=0) > 1
    source[alone] = np.where(struck[alone], LabelSource.CONTAINMENT, LabelSource.SINGLE_BOX)
    return Ownership(candidate, nested, prior, owner, source, background)


def with_corrections(ownership: Ownership, said: Int32[np.ndarray, " S"]) -> Ownership:
    """What people said decides: ``said`` is the box that owns a region, K for background, -1 where nobody spoke.

    Their word may be about any region and any box; its prior then is certain, and the boxes around it stay candidates.
    """
    decided = np.flatnonzero(said >= 0)
    prior, candidate = ownership.prior.copy(), ownership.candidate.copy()
    prior[:, decided] = 0.0
    prior[said[decided], decided] = 1.0
    owned = decided[said[decided] < len(candidate)]
    candidate[said[owned], owned] = True
    return replace(
        ownership,
        candidate=candidate,
        prior=prior,
        owner=np.where(said >= 0, said, ownership.owner).astype(np.int32),
        source=np.where(said >= 0, LabelSource.HUMAN, ownership.source).astype(np.uint8),
    )


def leave_to_posterior(ownership: Ownership) -> Ownership:
    """Every region in a box contested, but for those that people decided: a joint posterior questions them all."""
    in_box = ownership.candidate.any(axis=0) & ~ownership.by_people
    return replace(
        ownership,
        owner=np.where(in_box, -1, ownership.owner).astype(np.int32),
        source=np.where(in_box, LabelSource.GP, ownership.source).astype(np.uint8),
    )
