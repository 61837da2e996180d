"""One labelled scene as formats see it: labels at points, and coordinates in a named frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource, Scene
from stages.typing import Bool, Float32, Float64, Int32, Int64

OwnMap = Literal["probability", "mean", "variance", "latent_mean", "latent_variance"]
IGNORED, NO_OBJECT = -2, -1


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A scene, its labels, and what it is for.

    Formats that hold coordinates leave out the points that are not finite, which would be poison to a trainer: N stands
    for the input's points, M for those that are ``kept``.
    """

    scene: Scene
    labels: PseudoLabels
    split: str = ""
    """train, val or test; empty where the format needs none and the run has none"""
    normal: Float32[np.ndarray, "N 3"] | None = None
    """unit normals: of the scan, else of its mesh, else estimated from its points; None where none are asked for"""

    @property
    def name(self) -> str:
        """Id of the scene."""
        return self.scene.scene

    @cached_property
    def kept(self) -> Int64[np.ndarray, " M"]:
        """Indices of the points that are finite, rising."""
        return np.flatnonzero(self.scene.finite)

    @cached_property
    def owner_of_region(self) -> Int32[np.ndarray, " S"]:
        """Object of each region, -1 for background, -2 for regions to be ignored."""
        mask = self.labels.mask
        owner = np.full(mask.shape[1], NO_OBJECT, np.int32)
        if len(mask):
            owner = np.where(mask.any(axis=0), mask.argmax(axis=0), NO_OBJECT).astype(np.int32)
        owner[self.labels.ignore] = IGNORED
        return owner

    @cached_property
    def owner(self) -> Int32[np.ndarray, " N"]:
        """Object of each point, -1 background, -2 to be ignored (regions without a label, points without a region)."""
        return np.append(self.owner_of_region, np.int32(IGNORED))[self.labels.superpoint]

    def of_own_object(self, name: OwnMap, elsewhere: float) -> Float32[np.ndarray, " S"]:
        """One map of the labels, for each region toward the object that owns it; ``elsewhere`` where none does."""
        values = getattr(self.labels, name)
        found = np.full(values.shape[1], elsewhere, np.float32)
        owned = np.flatnonzero(self.owner_of_region >= 0)
        found[owned] = values[self.owner_of_region[owned], owned]
        return found

    @property
    def by_posterior(self) -> Bool[np.ndarray, " S"]:
        """Regions whose label is that of a posterior."""
        return np.asarray(self.labels.source == LabelSource.GP)

    def at_points(self, values: np.ndarray, elsewhere: float) -> np.ndarray:
        """Values a region [S], as values a point [N]; ``elsewhere`` at points without a region."""
        return np.append(values, np.array(elsewhere, values.dtype))[self.labels.superpoint]

    def superpoint(self) -> Int64[np.ndarray, " M"]:
        """Region of each kept point, 0.. without gaps."""
        return np.unique(self.labels.superpoint[self.kept], return_inverse=True)[1].astype(np.int64)

    def raw_xyz(self) -> Float64[np.ndarray, "M 3"]:
        """Kept points in the frame of the scan's own file, metres: offset included, axis alignment undone.

        Rounded as the stored float32 coordinates are: within a micrometre for rooms.
        """
        xyz = self.scene.xyz[self.kept].astype(np.float64) + self.scene.offset
        if self.scene.alignment is None:
            return xyz
        rotation, shift = self.scene.alignment[:3, :3], self.scene.alignment[:3, 3]
        return np.ascontiguousarray(np.linalg.solve(rotation, (xyz - shift).T).T)

    def raw_normal(self) -> Float32[np.ndarray, "M 3"]:
        """Normals of kept points in the frame of the scan's own file; raises ValueError where none were asked for."""
        if self.normal is None:
            raise ValueError("this format did not ask for normals")
        normal = self.normal[self.kept]
        if self.scene.alignment is None:
            return normal
        return np.asarray(
            normal @ self.scene.alignment[:3, :3], np.float32
        )  # the inverse of a rotation is its transpose


def color_from_minus_one(rgb: np.ndarray) -> Float32[np.ndarray, "M 3"]:
    """Colours 0..255 as rgb / 127.5 - 1, in [-1, 1]."""
    return rgb.astype(np.float32) / np.float32(127.5) - np.float32(1)
