"""Deep features: how a network of the round before describes regions, made fit for the kernel of Gaussian Processes."""

from __future__ import annotations

from typing import Literal

import numpy as np

from stages.structures import RegionFeatures
from stages.typing import Float32, Float64

Mode = Literal["raw", "standardised", "pca", "position_pca"]

MEAN_SQUARED_DISTANCE = 1.0
"""between the deep features of two regions of a scene: at the fixed length scale of 0.5 (GaPro, table 6), regions that
differ as much as they do on average have a correlation of exp(-2), alike ones one of nearly 1"""
SHARE = 0.8
"""share of the variance that the kept principal components hold; what the others add is mostly noise"""
_ROUNDING = 1e-6
"""columns whose standard deviation is below this share of their largest entry are constant: float32 rounds so much"""


def deep_features(
    position: Float32[np.ndarray, "S 3"], region_feature: Float32[np.ndarray, "S D"], mode: Mode
) -> RegionFeatures:
    """Features of regions from a network's, of a fixed mean squared distance between two regions.

    ``raw``: only centred and multiplied by one number. ``standardised``: each column has the same variance. ``pca``:
    the leading principal components, each with its own variance. ``position_pca``: the same after the centred
    ``position`` in metres (means over the points of each region), which keeps its own scale. A mean of squared
    distances rather than a median: where most regions are alike (walls), a median would blow noise up. Constant columns
    become 0. Raises ValueError where features are not finite.
    """
    if not np.isfinite(region_feature).all():
        raise ValueError("the network's features of regions are not finite")
    feature = _varying(region_feature.astype(np.float64))
    name = "deep"
    if mode == "standardised":
        feature = _standardised(feature)
    elif mode != "raw":
        name, feature = "component", _components(feature)
    feature = _scaled(feature)
    columns = tuple(f"{name}_{index}" for index in range(feature.shape[1]))
    normalization = f"{mode}: centred, mean squared distance between regions {MEAN_SQUARED_DISTANCE:g}"
    if mode == "position_pca":
        feature = np.concatenate([_varying(position.astype(np.float64)), feature], axis=1)
        columns = ("x", "y", "z", *columns)
        normalization += ", beside the position in metres"
    return RegionFeatures(feature.astype(np.float32), columns, normalization)


def _varying(values: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S D"]:
    """Columns of mean 0; constant ones are exactly 0."""
    if not len(values):
        return values
    centred = values - values.mean(axis=0)
    constant = centred.std(axis=0) <= _ROUNDING * np.abs(values).max(axis=0)
    return np.where(constant, 0.0, centred)


def _standardised(centred: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S D"]:
    """Columns of variance 1; those that are 0 stay so."""
    deviation = np.sqrt(np.square(centred).mean(axis=0)) if len(centred) else np.ones(centred.shape[1])
    return centred / np.where(deviation > 0, deviation, 1.0)


def _components(centred: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S C"]:
    """The leading principal components that hold SHARE of the variance, one at least."""
    variance, direction = np.linalg.eigh(centred.T @ centred)
    held = np.cumsum(variance[::-1])
    needed = int(np.searchsorted(held, SHARE * held[-1])) + 1
    return centred @ direction[:, ::-1][:, :needed]


def _scaled(centred: Float64[np.ndarray, "S D"]) -> Float64[np.ndarray, "S D"]:
    """All columns times one number: MEAN_SQUARED_DISTANCE between two different regions, unless all are equal."""
    regions = len(centred)
    mean_squared_distance = 2.0 * np.square(centred).sum() / max(regions - 1, 1)
    if not mean_squared_distance > 0:
        return centred
    return centred * np.sqrt(MEAN_SQUARED_DISTANCE / mean_squared_distance)
