"""Box membership of points, and edges cut where it changes, so that no region straddles the face of a box."""

from __future__ import annotations

import numpy as np

from stages.typing import Bool, Float32, Int32, UInt8


def in_box(xyz: Float32[np.ndarray, "N 3"], corners: Float32[np.ndarray, "6"], margin: float) -> Bool[np.ndarray, " N"]:
    """True for points inside the closed box [min xyz, max xyz] grown by ``margin`` metres."""
    inside = np.ones(len(xyz), bool)
    for axis in range(3):
        inside &= (xyz[:, axis] >= corners[axis] - margin) & (xyz[:, axis] <= corners[axis + 3] + margin)
    return inside


def same_boxes(
    xyz: Float32[np.ndarray, "N 3"],
    corners: Float32[np.ndarray, "K 6"],
    edges: Int32[np.ndarray, "E 2"],
    margin: float,
) -> Bool[np.ndarray, " E"]:
    """True for edges whose two points lie in the same set of boxes grown by ``margin`` metres.

    The sets are compared exactly, eight boxes a byte, so that neither the order of boxes nor a hash decides.
    """
    same = np.ones(len(edges), bool)
    for start in range(0, len(corners), 8):
        code: UInt8[np.ndarray, " N"] = np.zeros(len(xyz), np.uint8)
        for bit, box in enumerate(corners[start : start + 8]):
            code |= in_box(xyz, box, margin).astype(np.uint8) << np.uint8(bit)
        same &= code[edges[:, 0]] == code[edges[:, 1]]
    return same
