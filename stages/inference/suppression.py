"""Greedy non-maximum suppression of masks over regions."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.typing import Bool, Float, Float64, Int64


def mask_overlaps(mask: Bool[Tensor, "Q S"], points: Int64[Tensor, " S"]) -> Float64[Tensor, "Q Q"]:
    """Intersection over union of each two masks in points, exact counts divided once; 0 between empty masks.

    ``points`` is the number of points of each region.
    """
    member = mask.double()
    shared = (member * points) @ member.T
    size = shared.diagonal()
    union = size[:, None] + size[None, :] - shared
    return shared / union.clamp(min=1.0)


def unsuppressed(
    mask: Bool[Tensor, "Q S"], score: Float[Tensor, " Q"], points: Int64[Tensor, " S"], threshold: float
) -> Int64[Tensor, " kept"]:
    """Masks that overlap no kept mask of higher score by ``threshold`` or more, from the highest score down.

    Of equal scores the first counts as higher.
    """
    order = score.argsort(descending=True, stable=True)
    # a few hundred rows at most: one copy to the processor costs less than a kernel for each of them
    near = (mask_overlaps(mask[order], points) >= threshold).cpu()
    alive = torch.ones(len(order), dtype=torch.bool)
    kept = []
    for row in range(len(order)):
        if alive[row]:
            kept.append(row)
            alive &= ~near[row]
    return order[torch.tensor(kept, dtype=torch.int64, device=order.device)]
