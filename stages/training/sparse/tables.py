"""Which voxels a convolution reads and writes, in the order that lets it run as few large operations.

Every pair of an input and an output voxel has a row in a buffer of products. Rows of one kernel offset stand together,
so that each offset is one matrix product; an output is the sum of the rows that its bag lists. Indices have 32 bits:
half the memory to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stages.typing import Int32, Int64, Shaped

SUM = 0
"""torch's number of the mode in which a bag is summed"""


@dataclass(frozen=True, eq=False)
class Bags:
    """Lists of rows, one list a voxel."""

    row: Int32[Tensor, " P"]
    bound: Int32[Tensor, " W_plus_1"]
    """voxel w has ``row[bound[w]:bound[w + 1]]``"""

    @classmethod
    def of(cls, voxel: Int32[Tensor, " P"], voxels: int) -> Bags:
        """From the voxel of each row."""
        bound = torch.nn.functional.pad(torch.bincount(voxel, minlength=voxels).cumsum(dim=0), (1, 0))
        return cls(torch.sort(voxel, stable=True).indices.int(), bound.int())

    def sum(self, products: Shaped[Tensor, "P D"]) -> Shaped[Tensor, "W D"]:
        """Sum of each voxel's rows, added up in 32 bits or more, always in the same order."""
        total: Tensor = torch.embedding_bag(products, self.row, self.bound, mode=SUM, include_last_offset=True)[0]
        return total


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Pairs of neighbouring voxels for 13 offsets of a 3x3x3 kernel; the other 13 are the same pairs turned round."""

    lower: tuple[Int32[Tensor, " _"], ...]
    """for each offset after the middle of the kernel, row-major, the voxels that have a neighbour there"""
    upper: tuple[Int32[Tensor, " _"], ...]
    """those neighbours"""
    counts: list[int]
    """rows of products: for the lower voxels of the first offset, for its upper ones, for the lower of the next ..."""
    bags: Bags
    """of each voxel, among these rows"""
    _scratch: dict[torch.dtype, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs: Sequence[tuple[Int64[Tensor, " _"], Int64[Tensor, " _"]]], voxels: int) -> Neighbours:
        """From the lower and upper voxels of each offset."""
        lower, upper = zip(*((lower.int(), upper.int()) for lower, upper in pairs), strict=True)
        ends = [end for pair in zip(lower, upper, strict=True) for end in pair]
        return cls(lower, upper, [len(end) for end in ends], Bags.of(torch.cat(ends), voxels))

    def products(self, dtype: torch.dtype, width: int) -> Shaped[Tensor, "P D"]:
        """A buffer of rows for all pairs, with any content, that the next call may return as well.

        Fresh memory of this size would come from the system page by page, every time.
        """
        size = len(self.bags.row) * width
        known = self._scratch.get(dtype)
        if known is None or len(known) < size:
            known = self._scratch[dtype] = torch.empty(size, dtype=dtype, device=self.bags.row.device)
        return known[:size].view(-1, width)


@dataclass(frozen=True, eq=False)
class Parents:
    """V voxels, each in one of W voxels twice as wide, at one of 8 places."""

    child: Int32[Tensor, " V"]
    """the voxels, by their place in the parent, row-major"""
    parent: Int32[Tensor, " V"]
    """of each of ``child``"""
    row: Int32[Tensor, " V"]
    """where in ``child`` each voxel stands"""
    counts: list[int]
    """how many of ``child`` have each place"""
    bags: Bags
    """of each parent, among ``child``"""

    def ends(self, up: bool) -> tuple[Int32[Tensor, " V"], Int32[Tensor, " V"]]:
        """What is read and what is written, a row each: children and parents, or the reverse."""
        return (self.child, self.parent) if up else (self.parent, self.child)

    @classmethod
    def of(cls, parent: Int64[Tensor, " V"], place: Int64[Tensor, " V"], parents: int) -> Parents:
        """From the parent of each voxel and its place there."""
        child = torch.argsort(place, stable=True)
        row = torch.empty_like(child)
        row[child] = torch.arange(len(child), device=child.device)
        counts = torch.bincount(place, minlength=8).tolist()
        above = parent[child].int()
        return cls(child.int(), above, row.int(), counts, Bags.of(above, parents))
