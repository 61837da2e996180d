"""Background boxes: slabs that no object owns, at the floor, along the walls, or given with the scan."""

from __future__ import annotations

import numpy as np

from stages.superpoints.floor import UPRIGHT, floor_height
from stages.superpoints.split import in_box
from stages.typing import Bool, Float, Float32, Float64

WALL_BIN = 0.05
WALL_ANGLES = 90
"""Directions of walls that are tried: every 2 degrees."""
WALL_SHARE = 0.03
"""Share of all points that a plane needs to pass as a wall."""


def floor_slab(xyz: Float32[np.ndarray, "N 3"], thickness: float) -> Bool[np.ndarray, " N"]:
    """Points within ``thickness`` metres above the lowest point: the published floor box."""
    return xyz[:, 2] <= xyz[:, 2].min() + thickness


def planes(
    xyz: Float32[np.ndarray, "N 3"], normals: Float[np.ndarray, "N 3"], thickness: float
) -> Bool[np.ndarray, " N"]:
    """Points within ``thickness`` / 2 metres of the floor plane or of a wall plane, and facing like it.

    Walls are vertical planes found by a Hough transform over direction and offset among points with horizontal normals;
    each strongest plane takes its points away until none holds ``WALL_SHARE`` of all points.
    """
    near = np.zeros(len(xyz), bool)
    height = floor_height(xyz, normals)
    if height is not None:
        near |= (np.abs(xyz[:, 2] - height) <= thickness / 2) & (np.abs(normals[:, 2]) > UPRIGHT)
    vertical = np.flatnonzero(np.abs(normals[:, 2]) < np.sqrt(1.0 - UPRIGHT**2))
    center = xyz.astype(np.float64).mean(axis=0)
    while len(vertical):
        direction, offset, votes = _strongest_wall(xyz[vertical, :2] - center[:2], normals[vertical, :2])
        if votes < WALL_SHARE * len(xyz):
            break
        distance = (xyz[vertical, :2] - center[:2]) @ direction - offset
        members = np.abs(distance) <= max(thickness / 2, WALL_BIN)
        members &= np.abs(normals[vertical, :2] @ direction) > UPRIGHT
        near[vertical[members & (np.abs(distance) <= thickness / 2)]] = True
        vertical = vertical[~members]
    return near


def _strongest_wall(
    xy: Float64[np.ndarray, "M 2"], normals: Float[np.ndarray, "M 2"]
) -> tuple[Float64[np.ndarray, "2"], float, int]:
    """Direction, offset along it and number of points of the vertical plane with most points that face along it."""
    best = (np.zeros(2), 0.0, 0)
    for angle in np.arange(WALL_ANGLES) * np.pi / WALL_ANGLES:
        direction = np.array([np.cos(angle), np.sin(angle)])
        facing = np.abs(normals @ direction) > UPRIGHT
        if np.count_nonzero(facing) <= best[2]:
            continue
        offset = xy[facing] @ direction
        lowest = offset.min()
        histogram = np.bincount(((offset - lowest) / WALL_BIN).astype(np.int64))
        votes = int(histogram.max())
        if votes > best[2]:
            best = (direction, float(lowest + (histogram.argmax() + 0.5) * WALL_BIN), votes)
    return best


def in_any_box(
    xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "B 6"], margin: float
) -> Bool[np.ndarray, " N"]:
    """Points inside at least one of the boxes grown by ``margin`` metres."""
    inside = np.zeros(len(xyz), bool)
    for box in corners:
        inside |= in_box(xyz, box, margin)
    return inside
