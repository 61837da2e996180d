"""Occupied voxels of a batch of scenes at several resolutions, and where each one's features come from.

A voxel's key holds scene, x, y and z, z fastest. Keys are sorted, so the three voxels of a column beside a voxel that
touch it stand next to each other: one search finds them all. All tables are made once and serve every convolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.training.sparse.tables import Neighbours, Parents
from stages.typing import Float, Int64, Shaped

COLUMNS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""x and y from a voxel to the columns beside it, half of them: the others see the same pairs from the other end"""
LARGEST_KEY = 2**62


@dataclass(frozen=True, eq=False)
class Level:
    """V voxels of one size, by scene, then x, y and z."""

    scene: Int64[Tensor, " V"]
    coordinate: Int64[Tensor, "V 3"]
    """in voxels of this size, from the lowest of the scene on each axis"""
    neighbours: Neighbours

    def __len__(self) -> int:
        return len(self.scene)


@dataclass(frozen=True, eq=False)
class Voxels:
    """Voxels of a batch of N points."""

    of_point: Int64[Tensor, " N"]
    """voxel of each point, at the finest level"""
    points: Int64[Tensor, " V"]
    """number of points of each voxel"""
    levels: tuple[Level, ...]
    """finest first, each twice as wide as the one before"""
    parents: tuple[Parents, ...]
    """from each level to the next"""

    def __len__(self) -> int:
        return len(self.points)

    def mean(self, values: Float[Tensor, "N D"]) -> Float[Tensor, "V D"]:
        """Mean over the points of each voxel."""
        total = values.new_zeros(len(self), values.shape[1]).index_add(0, self.of_point, values)
        return total / self.points[:, None]


def voxelize(xyz: Float[Tensor, "N 3"], scene_of_point: Int64[Tensor, " N"], size: float, levels: int) -> Voxels:
    """Voxels of ``size`` metres that hold a point, and ``levels - 1`` times those of twice the size.

    Raises ValueError where a coordinate is not finite or scenes span more voxels than can be numbered.
    """
    if not torch.isfinite(xyz).all():
        raise ValueError("points have coordinates that are not finite: leave such points out")
    # from here on a scene knows no place, neither by its numbers nor by what else is in the batch
    cell = _from_lowest(torch.floor(xyz.double() / size), scene_of_point)
    scene, coordinate, of_point, points = _unique(scene_of_point, _whole(cell, scene_of_point, size))
    found, parents = [_level(scene, coordinate)], []
    for _ in range(levels - 1):
        octant = ((coordinate & 1) * coordinate.new_tensor([4, 2, 1])).sum(dim=1)
        scene, coordinate, parent, _ = _unique(scene, coordinate >> 1)
        parents.append(Parents.of(parent, octant, len(scene)))
        found.append(_level(scene, coordinate))
    return Voxels(of_point, points, tuple(found), tuple(parents))


def _from_lowest(cell: Float[Tensor, "N 3"], scene: Int64[Tensor, " N"]) -> Float[Tensor, "N 3"]:
    scenes = int(scene.max()) + 1 if len(scene) else 0
    lowest = cell.new_full((scenes, 3), math.inf).scatter_reduce_(0, scene[:, None].expand(-1, 3), cell, "amin")
    return cell - lowest[scene]


def _whole(cell: Float[Tensor, "N 3"], scene: Int64[Tensor, " N"], size: float) -> Int64[Tensor, "N 3"]:
    """Cells as integers, after a look at whether their keys will fit."""
    if not len(cell):
        return cell.long()
    extent = [side + 1 for side in cell.amax(dim=0).tolist()]
    if (int(scene.max()) + 1) * math.prod(side + 2 for side in extent) > LARGEST_KEY:
        span = " x ".join(f"{side * size:.3g}" for side in extent)
        raise ValueError(f"points spread over {span} m, too far for voxels of {size:g} m: remove stray points")
    return cell.long()


def _sides(coordinate: Int64[Tensor, "V 3"]) -> list[int]:
    """Length of each axis with a free row at both ends, so that voxels at opposite ends are no neighbours."""
    return [int(side) + 3 for side in coordinate.amax(dim=0)] if len(coordinate) else [2, 2, 2]


def _keys(scene: Int64[Tensor, " V"], coordinate: Int64[Tensor, "V 3"], sides: list[int]) -> Int64[Tensor, " V"]:
    key = scene
    for axis, side in enumerate(sides):
        key = key * side + coordinate[:, axis] + 1
    return key


def _unique(
    scene: Int64[Tensor, " N"], coordinate: Int64[Tensor, "N 3"]
) -> tuple[Int64[Tensor, " V"], Int64[Tensor, "V 3"], Int64[Tensor, " N"], Int64[Tensor, " V"]]:
    """Scene and coordinate of each voxel, in the order of keys; voxel of each row; rows of each voxel."""
    key, order = torch.sort(_keys(scene, coordinate, _sides(coordinate)))
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    one = order[first]
    voxel = torch.empty_like(order)
    voxel[order] = torch.cumsum(first, dim=0) - 1
    return scene[one], coordinate[one], voxel, torch.bincount(voxel, minlength=len(one))


def _level(scene: Int64[Tensor, " V"], coordinate: Int64[Tensor, "V 3"]) -> Level:
    """Search the neighbours of voxels that come in the order of their keys."""
    sides = _sides(coordinate)
    key = _keys(scene, coordinate, sides)
    # keys that nobody looks for, so that there is one wherever a search ends
    known = torch.cat([key, key.new_full((3,), -1)])
    row = torch.arange(len(key), device=key.device)
    pairs = [_matches(known, row + 1, key + 1)]
    for x, y in COLUMNS:
        wanted = key + (x * sides[1] + y) * sides[2] - 1
        place = torch.searchsorted(key, wanted)
        for z in range(3):
            pairs.append(_matches(known, place, wanted + z))
            place = place + (known[place] == wanted + z)
    return Level(scene, coordinate, Neighbours.of(pairs, len(key)))


def _matches(
    known: Shaped[Tensor, " K"], place: Int64[Tensor, " V"], wanted: Int64[Tensor, " V"]
) -> tuple[Int64[Tensor, " P"], Int64[Tensor, " P"]]:
    """Rows whose wanted key stands at its place, and those places."""
    row = (known[place] == wanted).nonzero()[:, 0]
    return row, place[row]
