"""Colours in CIE L*a*b*, where distances are what people see."""

from __future__ import annotations

import numpy as np

from stages.typing import Float64, UInt8

SRGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1, D65 white."""


def to_lab(rgb: UInt8[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3"]:
    """L* in [0, 100], a* and b* around [-100, 100], from 8-bit sRGB (IEC 61966-2-1; CIE 15:2004)."""
    encoded = np.arange(256) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    relative = linear[rgb] @ (SRGB_TO_XYZ / SRGB_TO_XYZ.sum(axis=1, keepdims=True)).T
    cubic = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cubic.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
