"""What GaPro's files say of each point, gathered into regions, and whether it belongs to a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.structures import Scene, Superpoints
from stages.typing import Bool, Float32, Float64, Int, Int32, Int64

NOTHING = -100
"""Stands in these files for no object, no label, no moment."""


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """The five arrays of a file; L is the number of the scan's points, or of those that are finite."""

    semantic: Int64[np.ndarray, " L"]
    """0..C-1, C background, -100 to be ignored"""
    instance: Int64[np.ndarray, " L"]
    """box, -100 none"""
    probability: Float32[np.ndarray, " L"]
    """of the label, in [0, 1]"""
    latent_mean: Float32[np.ndarray, " L_or_regions"]
    """-100 where no Gaussian Process ran"""
    latent_variance: Float32[np.ndarray, " L_or_regions"]


@dataclass(frozen=True, eq=False)
class Regions:
    """The values of a file, of each region."""

    superpoint: Int32[np.ndarray, " N"]
    semantic: Int64[np.ndarray, " S"]
    instance: Int64[np.ndarray, " S"]
    probability: Float64[np.ndarray, " S"]
    latent_mean: Float64[np.ndarray, " S"]
    latent_variance: Float64[np.ndarray, " S"]

    @property
    def ignore(self) -> Bool[np.ndarray, " S"]:
        """Regions without a label."""
        return np.asarray(self.semantic == NOTHING)

    @property
    def owned(self) -> Bool[np.ndarray, " S"]:
        """Regions of an object."""
        return np.asarray((self.instance >= 0) & ~self.ignore)

    @property
    def latent(self) -> Bool[np.ndarray, " S"]:
        """Regions in which a Gaussian Process ran."""
        known = np.isfinite(self.latent_mean) & np.isfinite(self.latent_variance)
        return np.asarray(known & (self.latent_mean != NOTHING) & (self.latent_variance != NOTHING) & ~self.ignore)


def grouped(
    scene: Scene, superpoints: Superpoints, given: GivenLabels, given_superpoint: Int[np.ndarray, " L"] | None
) -> Regions:
    """Groups of points with one label and in one region; points without a region in the scene get none."""
    count = len(given.semantic)
    place = _places(scene, count, "labels")
    ids = None
    if given_superpoint is not None:
        ids = np.unique(given_superpoint, return_inverse=True)[1]
    moments = [_of_points(values, count, ids) for values in (given.latent_mean, given.latent_variance)]
    if ids is not None and len(ids) != count:
        raise ValueError(f"its superpoints have {len(ids)} points, its labels {count}: they belong to different scans")
    has_region = superpoints.superpoint[place] >= 0
    of_point = [given.semantic, given.instance, np.nan_to_num(given.probability, nan=NOTHING), *moments]
    columns = [values[has_region] for values in of_point]
    region = (superpoints.superpoint[place] if ids is None else ids)[has_region].astype(np.int64)
    for values in columns:
        rank = np.unique(values, return_inverse=True)[1]
        region = np.unique(region * (rank.max(initial=0) + 1) + rank, return_inverse=True)[1]
    first = np.unique(region, return_index=True)[1]
    superpoint = np.full(len(scene), -1, np.int32)
    superpoint[place[has_region]] = region
    semantic, instance, *others = (values[first] for values in columns)
    return Regions(superpoint, semantic, instance, *(values.astype(np.float64) for values in others))


def _places(scene: Scene, count: int, what: str) -> Int64[np.ndarray, " L"]:
    """Which points of the scan ``count`` values are about: all, or the finite ones."""
    finite = np.flatnonzero(scene.finite)
    if count == len(scene):
        return np.arange(len(scene))
    if count == len(finite):
        return finite
    some = "" if len(finite) == len(scene) else f" ({len(finite)} of them finite)"
    raise ValueError(f"its {what} have {count} points, the scan has {len(scene)}{some}: they belong to different scans")


def _of_points(
    values: Float32[np.ndarray, " L_or_regions"], count: int, ids: Int64[np.ndarray, " L"] | None
) -> Float32[np.ndarray, " L"]:
    """Latent moments of each point, -100 where there is none; those of regions follow the order of the given ids."""
    if len(values) != count:
        if ids is None:
            raise ValueError(
                f"its means and variances are those of {len(values)} regions, not of {count} points: name the folder "
                "of the regions (--superpoints)"
            )
        regions = int(ids.max(initial=-1)) + 1
        if len(values) != regions:
            raise ValueError(
                f"its means and variances are those of {len(values)} regions, but its superpoints are {regions}: they "
                "belong to different partitions"
            )
        values = values[ids]
    return np.nan_to_num(values, nan=NOTHING)


def check_values(regions: Regions, background: int) -> None:
    """Raises ValueError for classes, probabilities and variances that cannot be."""
    labelled, owned = ~regions.ignore, regions.owned
    wrong = labelled & ((regions.semantic < 0) | (regions.semantic > background))
    if wrong.any():
        raise ValueError(f"class {regions.semantic[wrong][0]} occurs, but its classes are 0..{background}")
    if (labelled & (owned == (regions.semantic == background))).any():
        raise ValueError("some points are background of an object, or have a class and no object")
    probability = regions.probability[labelled]
    if ((probability < 0) | (probability > 1)).any():
        raise ValueError(f"probabilities reach from {probability.min():g} to {probability.max():g}, not within [0, 1]")
    if (regions.latent_variance[regions.latent] < 0).any():
        raise ValueError("some variances are negative")
