"""Deep features: how a network of the round before describes regions, beside what is measured of them."""

from __future__ import annotations

import numpy as np

from stages.structures import RegionFeatures
from stages.typing import Float32, Float64

MEAN_SQUARED_DISTANCE = 1.0
"""between the deep features of two regions of a scene: at the fixed length scale of 0.5 (GaPro, table 6), regions that
differ as much as they do on average have a correlation of exp(-2), alike ones one of nearly 1"""
SHARE = 0.8
"""share of the variance that the kept principal components hold; what the others add is mostly noise"""
_ROUNDING = 1e-6
"""columns whose standard deviation is below this share of their largest entry are constant: float32 rounds so much"""


def with_deep_features(
    features: RegionFeatures, region_feature: Float32[np.ndarray, "S D"], weight: float
) -> RegionFeatures:
    """``features`` and beside them ``weight`` times the leading principal components of a network's features.

    Raises ValueError where features are not finite.
    """
    component = weight * fitting(components(varying(region_feature)))
    return RegionFeatures(
        np.concatenate([features.feature, component.astype(np.float32)], axis=1),
        (*features.columns, *(f"component_{index}" for index in range(component.shape[1]))),
        f"{features.normalization}; components: centred, mean squared distance between regions "
        f"{weight**2 * MEAN_SQUARED_DISTANCE:g}",
    )


def varying(region_feature: Float32[np.ndarray, "S D"]) -> Float64[np.ndarray, "S D"]:
    """Columns of mean 0; constant ones are exactly 0. Raises ValueError where features are not finite."""
    if not np.isfinite(region_feature).all():
        raise ValueError("the network's features of regions are not finite")
    values = region_feature.astype(np.float64)
    if not len(values):
        return values
    centred = values - values.mean(axis=0)
    constant = centred.std(axis=0) <= _ROUNDING * np.abs(values).max(axis=0)
    return np.where(constant, 0.0, centred)


def components(centred: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S C"]:
    """The leading principal components that hold SHARE of the variance, one at least."""
    variance, direction = np.linalg.eigh(centred.T @ centred)
    held = np.cumsum(variance[::-1])
    needed = int(np.searchsorted(held, SHARE * held[-1])) + 1
    return centred @ direction[:, ::-1][:, :needed]


def fitting(centred: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S D"]:
    """All columns times one number: MEAN_SQUARED_DISTANCE between two different regions, unless all are equal.

    A mean of squared distances rather than a median: where most regions are alike (walls), a median would blow noise
    up.
    """
    regions = len(centred)
    mean_squared_distance = 2.0 * np.square(centred).sum() / max(regions - 1, 1)
    if not mean_squared_distance > 0:
        return centred
    return centred * np.sqrt(MEAN_SQUARED_DISTANCE / mean_squared_distance)
