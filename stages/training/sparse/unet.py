"""U-Net on occupied voxels: residual blocks at every resolution on the way down and on the way up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from stages.training.sparse.convolution import Around, Narrow, Widen
from stages.training.sparse.voxels import Level, Voxels
from stages.typing import Float

MOMENTUM = 0.05


class Norm(nn.BatchNorm1d):
    """Batch normalisation over all voxels; a single voxel has no spread and goes by the running statistics."""

    def __init__(self, width: int) -> None:
        super().__init__(width, momentum=MOMENTUM)

    def forward(self, feature: Float[Tensor, "V W"]) -> Float[Tensor, "V W"]:
        """Mean 0 and variance 1 over the voxels, then scaled and shifted."""
        if self.training and len(feature) < 2:
            return nn.functional.batch_norm(
                feature, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(feature)


class Block(nn.Module):
    """Two 3x3x3 convolutions, each normalised, and what came in added to what comes out."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first, self.second = Around(inputs, width), Around(width, width)
        self.first_norm, self.second_norm = Norm(width), Norm(width)
        self.shortcut = nn.Linear(inputs, width, bias=False) if inputs != width else nn.Identity()

    def forward(self, feature: Float[Tensor, "V I"], level: Level) -> Float[Tensor, "V W"]:
        """Features of the same voxels."""
        inner = torch.relu(self.first_norm(self.first(feature, level)))
        result: Tensor = torch.relu(self.second_norm(self.second(inner, level)) + self.shortcut(feature))
        return result


class UNet(nn.Module):
    """Features of ``inputs`` channels to features of ``widths[0]`` channels; a resolution for each width."""

    def __init__(self, inputs: int, widths: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.stem, self.stem_norm = Around(inputs, widths[0]), Norm(widths[0])
        self.down = nn.ModuleList(Block(width, width) for width in widths)
        self.narrow = nn.ModuleList(Narrow(fine, coarse) for fine, coarse in pairwise(widths))
        self.narrow_norm = nn.ModuleList(Norm(width) for width in widths[1:])
        self.widen = nn.ModuleList(Widen(coarse, fine) for fine, coarse in pairwise(widths))
        self.widen_norm = nn.ModuleList(Norm(width) for width in widths[:-1])
        self.up = nn.ModuleList(Block(2 * width, width) for width in widths[:-1])

    def forward(self, voxels: Voxels, feature: Float[Tensor, "V I"]) -> Float[Tensor, "V W"]:
        """Features of the finest voxels; ``voxels`` has as many levels as there are widths."""
        finest, *coarser = voxels.levels
        feature = self.down[0](torch.relu(self.stem_norm(self.stem(feature, finest))), finest)
        passed = []
        for number, (parents, level) in enumerate(zip(voxels.parents, coarser, strict=True)):
            passed.append(feature)
            feature = torch.relu(self.narrow_norm[number](self.narrow[number](feature, parents)))
            feature = self.down[number + 1](feature, level)
        for number in reversed(range(len(coarser))):
            wide = torch.relu(self.widen_norm[number](self.widen[number](feature, voxels.parents[number])))
            feature = self.up[number](torch.cat([passed[number], wide], dim=1), voxels.levels[number])
        return feature
