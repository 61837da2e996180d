"""Handcrafted features: position, colour and normal of each region, as means over its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from stages.structures import RegionFeatures
from stages.typing import Float, Float32, Float64, Int32, Shaped, UInt8

Column = Literal["position", "color", "normal"]
MIDDLE_COLOR = 127.5


def region_means(
    values: Shaped[np.ndarray, "N D"], superpoint: Int32[np.ndarray, " N"], count: int
) -> Float64[np.ndarray, "S D"]:
    """Mean of ``values`` over the points of each of ``count`` regions; points with region -1 are left out."""
    valid = superpoint >= 0
    ids = superpoint[valid]
    size = np.maximum(np.bincount(ids, minlength=count), 1)
    sums = [np.bincount(ids, values[valid, column], minlength=count) for column in range(values.shape[1])]
    return np.stack(sums, axis=1) / size[:, None] if sums else np.zeros((count, 0))


def region_features(
    xyz: Float32[np.ndarray, "N 3"],
    rgb: UInt8[np.ndarray, "N 3"] | None,
    normals: Float[np.ndarray, "N 3"] | None,
    superpoint: Int32[np.ndarray, " N"],
    count: int,
    columns: Sequence[Column],
    normal_weight: float,
) -> RegionFeatures:
    """Feature vectors [S, D] with the chosen ``columns``; what the scan does not have is left out.

    Position in metres minus the mean over all points, colour in [-1, 1] (GaPro: centred xyz and rgb), and the
    absolute components of the normal in [0, ``normal_weight``]: absolute, because the sign of a fitted normal means
    nothing.
    """
    parts: list[Float64[np.ndarray, "S 3"]] = []
    names: list[str] = []
    if "position" in columns:
        position = region_means(xyz.astype(np.float64), superpoint, count)
        center = xyz[superpoint >= 0].astype(np.float64).mean(axis=0) if count else np.zeros(3)
        parts.append(position - center)
        names += ["x", "y", "z"]
    if "color" in columns and rgb is not None:
        parts.append(region_means(rgb, superpoint, count) / MIDDLE_COLOR - 1.0)
        names += ["red", "green", "blue"]
    if "normal" in columns and normals is not None:
        parts.append(region_means(np.abs(normals), superpoint, count) * normal_weight)
        names += ["normal_x", "normal_y", "normal_z"]
    feature = np.concatenate(parts, axis=1) if parts else np.zeros((count, 0))
    normalization = f"position centred, metres; colour in [-1, 1]; |normal| times {normal_weight:g}"
    return RegionFeatures(feature.astype(np.float32), tuple(names), normalization)
