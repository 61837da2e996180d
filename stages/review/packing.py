"""Arrays as the page takes them: chosen, made small, and put into one sequence of bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from stages.typing import Float32, Float64, Int32, Int64, Shaped

MOST_POINTS = 2_000_000
"""points that the page holds at once; of larger scenes it gets a sample, and all points around what is selected"""
_ALIGNMENT = 4
_STEPS = 65535


def shown_points(
    superpoint: Int32[np.ndarray, " N"], most: int = MOST_POINTS, seed: int = 0
) -> Int64[np.ndarray, " M"]:
    """The points to show, in an order of which any beginning is a fair sample.

    One point of each region comes first, so that even the shortest view shows every region; then the others at random.
    At most ``most`` points, or as many as there are regions if these are more. Points without a region are left out.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(superpoint >= 0))
    _, first = np.unique(superpoint[order], return_index=True)
    is_first = np.zeros(len(order), bool)
    is_first[first] = True
    order = np.concatenate([order[is_first], order[~is_first]])
    return order[: max(most, len(first))]


def quantised(
    xyz: Float32[np.ndarray, "M 3"],
) -> tuple[Shaped[np.ndarray, "M 3"], Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Coordinates as uint16, with the lowest corner and the side in metres that 0..65535 stand for.

    The error is below 1/100,000 of a side: 0.1 mm in a room.
    """
    if len(xyz) == 0:
        return np.zeros((0, 3), np.uint16), np.zeros(3), np.ones(3)
    low = xyz.min(axis=0).astype(np.float64)
    side = np.maximum(xyz.max(axis=0) - low, 1e-6)
    return np.rint((xyz - low) / side * _STEPS).astype(np.uint16), low, side


def small_normals(normal: Float32[np.ndarray, "M 3"]) -> Shaped[np.ndarray, "M 3"]:
    """Unit normals as int8, where 127 stands for 1."""
    return np.rint(127 * normal).clip(-127, 127).astype(np.int8)


def region_means(
    values: Float32[np.ndarray, "N 3"], superpoint: Int32[np.ndarray, " N"], points: Int64[np.ndarray, " S"]
) -> Float32[np.ndarray, "S 3"]:
    """The mean of each region's points."""
    inside = superpoint >= 0
    sums = [np.bincount(superpoint[inside], column[inside], len(points)) for column in values.T]
    return (np.stack(sums, axis=1) / np.maximum(points, 1)[:, None]).astype(np.float32)


def pack(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Facts and arrays in one sequence of bytes, little-endian.

    Four bytes with the length of a JSON text; that text, which holds ``facts`` and, under ``arrays``, the name, dtype
    and number of elements of each array; then the arrays one after the other. Each part is filled up to a multiple of
    four bytes, as typed arrays of the page need it.
    """
    listed = [[name, values.dtype.name, values.size] for name, values in arrays.items()]
    head = _filled(json.dumps({**facts, "arrays": listed}).encode(), b" ")
    parts = [len(head).to_bytes(4, "little"), head]
    for values in arrays.values():
        parts.append(_filled(values.astype(values.dtype.newbyteorder("<"), order="C", copy=False).tobytes(), b"\0"))
    return b"".join(parts)


def _filled(content: bytes, filler: bytes) -> bytes:
    return content + filler * (-len(content) % _ALIGNMENT)
