"""Errors of inexact annotation, added to boxes (GaPro, section 5 and table 10)."""

from __future__ import annotations

import numpy as np

from stages.typing import Bool, Float64


def kept(boxes: int, drop: float, seed: int) -> Bool[np.ndarray, " K"]:
    """Which of the boxes stay, each dropped with probability ``drop`` independently (GaPro, table 10b)."""
    return np.random.default_rng([seed, 1]).random(boxes) >= drop


def disturbed(
    corners: Float64[np.ndarray, "K 6"],
    seed: int,
    *,
    corner: float = 0.0,
    corner_relative: float = 0.0,
    scale: float = 0.0,
    shift: float = 0.0,
    rotation: float = 0.0,
) -> Float64[np.ndarray, "K 6"]:
    """Boxes with scale, shift, rotation and corner noise (GaPro, table 10a), in this order.

    ``corner`` is in metres, ``rotation`` in degrees, the others are shares of each dimension; see ``config.BoxNoise``.
    Each kind of noise has its own random stream, so that adding one does not change another. Corners that cross are
    swapped: max >= min holds in the result.
    """
    size = corners[:, 3:] - corners[:, :3]
    streams = np.random.default_rng([seed, 2]).spawn(4)
    scaled = size * (1 + scale * streams[0].uniform(-1, 1, size.shape))
    moved = shift * size * streams[1].uniform(-1, 1, size.shape)
    grown = (_hull(scaled, np.deg2rad(rotation) * streams[2].uniform(-1, 1, len(size))) - size) / 2
    deviation = np.hypot(corner, corner_relative * np.tile(size, 2))
    # changes are added to the corners, so that boxes without noise stay what they are to the last bit
    noisy = corners + np.concatenate([moved - grown, moved + grown], axis=1)
    noisy += deviation * streams[3].standard_normal(corners.shape)
    return np.concatenate([np.minimum(noisy[:, :3], noisy[:, 3:]), np.maximum(noisy[:, :3], noisy[:, 3:])], axis=1)


def _hull(size: Float64[np.ndarray, "K 3"], angle: Float64[np.ndarray, " K"]) -> Float64[np.ndarray, "K 3"]:
    """Size of the axis-aligned hull of boxes turned about z by ``angle`` (radians)."""
    cosine, sine = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    x, y, z = size.T
    return np.stack([cosine * x + sine * y, sine * x + cosine * y, z], axis=1)
