"""Which proposal has to become which object, where the network does not say."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from stages.training.losses.masks import pairwise_bce, pairwise_dice
from stages.typing import Bool, Float, Int64

NOT_FINITE = 1e6
"""Cost of what is not a number: the assignment goes on, and the loss, no number either, is what the loop reports."""


def matching_cost(
    mask_logit: Float[Tensor, "Q S"],
    class_logit: Float[Tensor, "Q C_plus_1"],
    mask: Bool[Tensor, "K S"],
    class_index: Int64[Tensor, " K"],
    weights: tuple[float, float, float],
) -> Float[Tensor, "Q K"]:
    """Weighted cross entropy and dice of the masks, minus the probability of the object's class; weights in that order.

    Of an object without a class (-1), the probability of any class counts.
    """
    bce, dice, classes = weights
    probability = class_logit.softmax(dim=1)
    any_class = 1.0 - probability[:, -1:]
    of_class = torch.where(class_index >= 0, probability[:, class_index.clamp(min=0)], any_class)
    return bce * pairwise_bce(mask_logit, mask) + dice * pairwise_dice(mask_logit, mask) - classes * of_class


def match(cost: Float[Tensor, "Q K"]) -> Int64[Tensor, " Q"]:
    """Object of each proposal, -1 for none: one to one, of the smallest sum of costs."""
    finite = torch.nan_to_num(cost.detach(), nan=NOT_FINITE, posinf=NOT_FINITE, neginf=-NOT_FINITE)
    proposal, chosen = linear_sum_assignment(finite.double().cpu().numpy())
    target = torch.full((len(cost),), -1, dtype=torch.int64)
    target[torch.from_numpy(proposal)] = torch.from_numpy(chosen)
    return target.to(cost.device)
