"""How far a proposed mask is from the object's: one number a proposal, every region weighing the same.

Masks leave ``ignore``d regions out before they come here; a row without regions gives 0.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from stages.typing import Bool, Float


def mask_bce(logit: Float[Tensor, "Q S"], mask: Bool[Tensor, "Q S"]) -> Float[Tensor, " Q"]:
    """Binary cross entropy, mean over regions."""
    loss = functional.binary_cross_entropy_with_logits(logit, mask.to(logit.dtype), reduction="none")
    return loss.sum(dim=1) / max(loss.shape[1], 1)


def mask_dice(logit: Float[Tensor, "Q S"], mask: Bool[Tensor, "Q S"]) -> Float[Tensor, " Q"]:
    """1 - (2 p.m + 1) / (sum p + sum m + 1), p = sigmoid(logit); 0 where the mask is met, and where both are empty."""
    probability, target = logit.sigmoid(), mask.to(logit.dtype)
    shared = (probability * target).sum(dim=1)
    return 1.0 - (2.0 * shared + 1.0) / (probability.sum(dim=1) + target.sum(dim=1) + 1.0)


def mask_iou(logit: Float[Tensor, "Q S"], mask: Bool[Tensor, "Q S"]) -> Float[Tensor, " Q"]:
    """Intersection over union of the regions where the mask is likelier than not, without gradient; 0 of two empty."""
    proposed = logit.detach() > 0
    shared = (proposed & mask).sum(dim=1)
    union = (proposed | mask).sum(dim=1)
    return (shared / union.clamp(min=1)).to(logit.dtype)


def pairwise_bce(logit: Float[Tensor, "Q S"], mask: Bool[Tensor, "K S"]) -> Float[Tensor, "Q K"]:
    """``mask_bce`` of every proposal with every object."""
    target = mask.to(logit.dtype)
    # softplus(x) - x m is the binary cross entropy of logit x with label m
    loss = functional.softplus(logit).sum(dim=1, keepdim=True) - logit @ target.T
    return loss / max(logit.shape[1], 1)


def pairwise_dice(logit: Float[Tensor, "Q S"], mask: Bool[Tensor, "K S"]) -> Float[Tensor, "Q K"]:
    """``mask_dice`` of every proposal with every object."""
    probability, target = logit.sigmoid(), mask.to(logit.dtype)
    size = probability.sum(dim=1, keepdim=True) + target.sum(dim=1)
    return 1.0 - (2.0 * (probability @ target.T) + 1.0) / (size + 1.0)


def mean_or_zero(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean; 0, with gradients attached, of nothing."""
    return values.sum() / max(len(values), 1)


def score_loss(score_logit: Float[Tensor, " Q"], overlap: Float[Tensor, " Q"]) -> Float[Tensor, " Q"]:
    """Binary cross entropy of each score with the overlap that its mask reaches."""
    return functional.binary_cross_entropy_with_logits(score_logit, overlap, reduction="none")
