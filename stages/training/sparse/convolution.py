"""Convolutions on occupied voxels: those of dense grids whose other voxels are zero and are never looked at.

Kernels are tables [offset, input, output]. Each offset is a gather, a matrix product and a sum into the outputs;
gradients with respect to features are convolutions themselves, by the same tables.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from stages.training.sparse.tables import Neighbours, Parents
from stages.training.sparse.voxels import Level
from stages.typing import Float

MIDDLE = 13
"""the offset (0, 0, 0); offset ``MIDDLE - k`` is the opposite of ``MIDDLE + k``"""


class _Around(torch.autograd.Function):
    """3x3x3."""

    @staticmethod
    def forward(ctx: Any, feature: Tensor, weight: Tensor, neighbours: Neighbours) -> Tensor:
        ctx.save_for_backward(feature, weight)
        ctx.neighbours = neighbours
        kernel = weight.to(feature.dtype)
        products = neighbours.products(feature.dtype, kernel.shape[2])
        rows = iter(products.split(neighbours.counts))
        for number, (lower, upper) in enumerate(zip(neighbours.lower, neighbours.upper, strict=True), start=1):
            torch.mm(feature.index_select(0, upper), kernel[MIDDLE + number], out=next(rows))
            torch.mm(feature.index_select(0, lower), kernel[MIDDLE - number], out=next(rows))
        return neighbours.bags.sum(products).addmm_(feature, kernel[MIDDLE])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        feature, weight = ctx.saved_tensors
        neighbours: Neighbours = ctx.neighbours
        kernel = weight.to(feature.dtype).transpose(1, 2)
        products = neighbours.products(feature.dtype, kernel.shape[2])
        by_weight = torch.empty_like(weight)
        by_weight[MIDDLE] = feature.T @ gradient
        rows = iter(products.split(neighbours.counts))
        for number, (lower, upper) in enumerate(zip(neighbours.lower, neighbours.upper, strict=True), start=1):
            below, above = gradient.index_select(0, lower), gradient.index_select(0, upper)
            by_weight[MIDDLE + number] = feature.index_select(0, upper).T @ below
            by_weight[MIDDLE - number] = feature.index_select(0, lower).T @ above
            if ctx.needs_input_grad[0]:
                torch.mm(above, kernel[MIDDLE - number], out=next(rows))
                torch.mm(below, kernel[MIDDLE + number], out=next(rows))
        if not ctx.needs_input_grad[0]:
            return None, by_weight, None
        return neighbours.bags.sum(products).addmm_(gradient, kernel[MIDDLE]), by_weight, None


class _Between(torch.autograd.Function):
    """2x2x2 with stride 2, from children to parents (``up``), and its transpose."""

    @staticmethod
    def forward(ctx: Any, feature: Tensor, weight: Tensor, parents: Parents, up: bool) -> Tensor:
        ctx.save_for_backward(feature, weight)
        ctx.parents, ctx.up = parents, up
        return _between(feature, weight.to(feature.dtype), parents, up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        feature, weight = ctx.saved_tensors
        parents: Parents = ctx.parents
        inside, outside = parents.ends(ctx.up)
        by_weight = torch.empty_like(weight)
        given = feature.index_select(0, inside).split(parents.counts)
        arrived = gradient.index_select(0, outside).split(parents.counts)
        for place, (one, other) in enumerate(zip(given, arrived, strict=True)):
            by_weight[place] = one.T @ other
        kernel = weight.to(feature.dtype).transpose(1, 2)
        return _between(gradient, kernel, parents, not ctx.up), by_weight, None, None


def _between(feature: Tensor, kernel: Tensor, parents: Parents, up: bool) -> Tensor:
    inside, _ = parents.ends(up)
    products = feature.new_empty(len(inside), kernel.shape[2])
    parts = zip(feature.index_select(0, inside).split(parents.counts), products.split(parents.counts), strict=True)
    for place, (given, product) in enumerate(parts):
        torch.mm(given, kernel[place], out=product)
    return parents.bags.sum(products) if up else products.index_select(0, parents.row)


def around(feature: Float[Tensor, "V I"], weight: Float[Tensor, "27 I O"], level: Level) -> Float[Tensor, "V O"]:
    """3x3x3 convolution from all voxels of a level to themselves (submanifold), kernel offsets row-major: x, y, z."""
    return _in_one_type(_Around, feature, weight, level.neighbours)


def narrow(feature: Float[Tensor, "V I"], weight: Float[Tensor, "8 I O"], parents: Parents) -> Float[Tensor, "W O"]:
    """2x2x2 convolution with stride 2, from the voxels of a level to those of the next."""
    return _in_one_type(_Between, feature, weight, parents, True)


def widen(feature: Float[Tensor, "W I"], weight: Float[Tensor, "8 I O"], parents: Parents) -> Float[Tensor, "V O"]:
    """The transpose of ``narrow``: from the voxels of a level back to those of the one before."""
    return _in_one_type(_Between, feature, weight, parents, False)


def _in_one_type(function: Any, feature: Tensor, weight: Tensor, *rest: object) -> Tensor:
    """In the type that autocast asks for, else in that of the features; gradients of weights stay in the weights'."""
    kind = feature.device.type
    if torch.is_autocast_enabled(kind):
        feature = feature.to(torch.get_autocast_dtype(kind))
    result: Tensor = function.apply(feature, weight, *rest)
    return result


class _Convolution(nn.Module):
    def __init__(self, offsets: int, terms: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(offsets, inputs, outputs))
        # of the products that an output is the sum of, ``terms`` kernel offsets are there on a surface
        nn.init.normal_(self.weight, std=math.sqrt(2 / (terms * inputs)))


class Around(_Convolution):
    """Module of ``around``, without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(27, 9, inputs, outputs)

    def forward(self, feature: Float[Tensor, "V I"], level: Level) -> Float[Tensor, "V O"]:
        """Features of the same voxels."""
        return around(feature, self.weight, level)


class Narrow(_Convolution):
    """Module of ``narrow``, without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(8, 4, inputs, outputs)

    def forward(self, feature: Float[Tensor, "V I"], parents: Parents) -> Float[Tensor, "W O"]:
        """Features of the next level."""
        return narrow(feature, self.weight, parents)


class Widen(_Convolution):
    """Module of ``widen``, without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(8, 1, inputs, outputs)

    def forward(self, feature: Float[Tensor, "W I"], parents: Parents) -> Float[Tensor, "V O"]:
        """Features of the level before."""
        return widen(feature, self.weight, parents)
