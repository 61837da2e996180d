"""What a network learns from and predicts on: scenes as tensors, and several of them put together.

N points, S regions, K objects, B scenes. Points without a region (not finite) are left out beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from stages.typing import Bool, Float32, Int64


@dataclass(frozen=True, eq=False)
class RegionLabels:
    """The pseudo-labels of one scene."""

    mask: Bool[Tensor, "K S"]
    """at most one True in a column"""
    mean: Float32[Tensor, "K S"]
    """E in [0, 1]"""
    variance: Float32[Tensor, "K S"]
    """V >= 0; 0 in determined regions"""
    determined: Bool[Tensor, " S"]
    """decided by a rule, without a posterior"""
    ignore: Bool[Tensor, " S"]
    """regions that enter no loss"""
    class_index: Int64[Tensor, " K"]
    """-1 where the annotation names no class"""
    center: Float32[Tensor, "K 3"]
    """middle of each object's box, metres"""

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def owner(self) -> Int64[Tensor, " S"]:
        """Object that each region belongs to, -1 for background."""
        if not len(self):
            return torch.full(self.ignore.shape, -1, dtype=torch.int64, device=self.ignore.device)
        return torch.where(self.mask.any(dim=0), self.mask.int().argmax(dim=0), -1)

    def to(self, device: torch.device) -> RegionLabels:
        """The same on another device."""
        return replace(self, **{one.name: getattr(self, one.name).to(device) for one in fields(self)})


@dataclass(frozen=True, eq=False)
class TrainingScene:
    """One scene."""

    scene: str
    xyz: Float32[Tensor, "N 3"]
    """metres, z up"""
    color: Float32[Tensor, "N 3"]
    """in [-1, 1]; zeros where the scan has none"""
    superpoint: Int64[Tensor, " N"]
    """region of each point, 0..S-1; every region has a point"""
    regions: int
    labels: RegionLabels | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Several scenes, one after the other."""

    scenes: tuple[str, ...]
    xyz: Float32[Tensor, "N 3"]
    color: Float32[Tensor, "N 3"]
    scene_of_point: Int64[Tensor, " N"]
    """0..B-1, in rising order"""
    region_of_point: Int64[Tensor, " N"]
    """numbered over all scenes, 0..S-1"""
    region_bounds: tuple[int, ...]
    """the regions of scene b are ``region_bounds[b]:region_bounds[b + 1]``; B + 1 numbers"""
    labels: tuple[RegionLabels, ...] | None = None
    """one a scene; None where nothing is to be learnt"""

    def __len__(self) -> int:
        return len(self.scenes)

    @property
    def regions(self) -> int:
        """Number of regions of all scenes."""
        return self.region_bounds[-1]

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return replace(
            self,
            xyz=self.xyz.to(device),
            color=self.color.to(device),
            scene_of_point=self.scene_of_point.to(device),
            region_of_point=self.region_of_point.to(device),
            labels=None if self.labels is None else tuple(one.to(device) for one in self.labels),
        )

    def split(self, values: Tensor) -> tuple[Tensor, ...]:
        """A tensor of rows a region, as one tensor a scene."""
        bounds = self.region_bounds
        return tuple(values[begin:end] for begin, end in pairwise(bounds))


def collate(scenes: Sequence[TrainingScene]) -> Batch:
    """Scenes as one batch; labels stay only where all have them."""
    bounds = (0, *accumulate(one.regions for one in scenes))
    number = torch.arange(len(scenes)).repeat_interleave(torch.tensor([len(one.xyz) for one in scenes]))
    labels = tuple(one.labels for one in scenes if one.labels is not None)
    return Batch(
        scenes=tuple(one.scene for one in scenes),
        xyz=torch.cat([one.xyz for one in scenes]),
        color=torch.cat([one.color for one in scenes]),
        scene_of_point=number,
        region_of_point=torch.cat([one.superpoint + start for one, start in zip(scenes, bounds, strict=False)]),
        region_bounds=bounds,
        labels=labels if len(labels) == len(scenes) else None,
    )
