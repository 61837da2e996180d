"""From points to regions."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.typing import Float, Int64


def region_mean(
    values: Float[Tensor, "N D"], region_of_point: Int64[Tensor, " N"], regions: int
) -> Float[Tensor, "S D"]:
    """Mean of the values of each region's points; zeros where a region has none."""
    total = values.new_zeros(regions, values.shape[1]).index_add(0, region_of_point, values)
    return total / region_points(region_of_point, regions).clamp(min=1)[:, None]


def region_points(region_of_point: Int64[Tensor, " N"], regions: int) -> Int64[Tensor, " S"]:
    """Number of points of each region."""
    return torch.bincount(region_of_point, minlength=regions)
