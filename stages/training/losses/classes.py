"""Which class a proposal is of, the last one being no object."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stages.typing import Float, Int64


def class_loss(
    logit: Float[Tensor, "Q C_plus_1"], class_index: Int64[Tensor, " K"], target: Int64[Tensor, " Q"], no_object: float
) -> Float[Tensor, ""]:
    """Cross entropy, weighted mean over proposals; those that are no object (target -1) have the weight ``no_object``.

    Proposals of objects whose class is unknown (-1) are left out. 0, with gradients attached, where nothing is left.
    """
    nothing = logit.shape[1] - 1
    wanted = torch.full_like(target, nothing)
    wanted[target >= 0] = class_index[target[target >= 0]]
    weight = torch.where(target >= 0, 1.0, no_object).to(logit.dtype)
    known = wanted >= 0
    loss = functional.cross_entropy(logit[known], wanted[known], reduction="none") * weight[known]
    return loss.sum() / weight[known].sum().clamp(min=torch.finfo(logit.dtype).tiny)
