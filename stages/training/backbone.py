"""What networks start from: deep features of the voxels and regions of a batch.

A voxel's input is its points' mean colour, where they lie in the voxel, their height above the scene's lowest point,
and a one, which tells occupied from empty where a scan has no colour. Horizontal position is left out: a chair is a
chair anywhere in the room, and what tells two chairs apart has positions beside the features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.training.batch import Batch
from stages.training.regions import region_mean, region_points
from stages.training.sparse.unet import UNet
from stages.training.sparse.voxels import Voxels, voxelize
from stages.typing import Float, Int64

INPUTS = 8


@dataclass(frozen=True, eq=False)
class BackboneOutput:
    """Features of D channels for the V voxels and S regions of a batch of N points."""

    feature: Float[Tensor, "V D"]
    position: Float[Tensor, "V 3"]
    """mean of each voxel's points, metres"""
    voxels: Voxels
    region_feature: Float[Tensor, "S D"]
    """mean over the region's points"""
    region_position: Float[Tensor, "S 3"]
    """mean of the region's points, metres"""
    region_points: Int64[Tensor, " S"]
    """number of points"""

    @property
    def point_feature(self) -> Float[Tensor, "N D"]:
        """Feature of each point's voxel."""
        return self.feature[self.voxels.of_point]


class Backbone(nn.Module):
    """Sparse U-Net; features have ``widths[0]`` channels. ``voxel_size`` in metres."""

    def __init__(self, *, voxel_size: float = 0.05, widths: Sequence[int] = (16, 32, 48, 64)) -> None:
        super().__init__()
        self.voxel_size = voxel_size
        self.unet = UNet(INPUTS, widths)

    @property
    def width(self) -> int:
        """Channels of the features."""
        return self.unet.widths[0]

    def forward(self, batch: Batch) -> BackboneOutput:
        """Raises ValueError where coordinates are not finite or span too far."""
        voxels = voxelize(batch.xyz, batch.scene_of_point, self.voxel_size, len(self.unet.widths))
        position = voxels.mean(batch.xyz)
        feature = self.unet(voxels, self._input(batch, voxels, position))
        of_point = feature.float()[voxels.of_point]
        return BackboneOutput(
            feature=feature,
            position=position,
            voxels=voxels,
            region_feature=region_mean(of_point, batch.region_of_point, batch.regions),
            region_position=region_mean(batch.xyz, batch.region_of_point, batch.regions),
            region_points=region_points(batch.region_of_point, batch.regions),
        )

    def _input(self, batch: Batch, voxels: Voxels, position: Float[Tensor, "V 3"]) -> Float[Tensor, "V 8"]:
        # as voxels are told apart, so that a point on their border lies in its own
        cell = batch.xyz.double() / self.voxel_size
        inside = voxels.mean((2 * (cell - cell.floor()) - 1).to(batch.xyz.dtype))
        z = batch.xyz[:, 2]
        lowest = z.new_full((len(batch),), torch.inf).scatter_reduce_(0, batch.scene_of_point, z, "amin")
        height = position[:, 2] - lowest[voxels.levels[0].scene]
        return torch.cat([voxels.mean(batch.color), inside, height[:, None], torch.ones_like(height)[:, None]], dim=1)
