"""The objective: all losses of a prediction, weighted, and their sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from stages.training.batch import RegionLabels
from stages.training.losses.classes import class_loss
from stages.training.losses.kl import Uncertainty, uncertainty_loss
from stages.training.losses.masks import mask_bce, mask_dice, mask_iou, mean_or_zero, score_loss
from stages.training.losses.matching import match, matching_cost
from stages.training.network import Prediction, Proposals
from stages.typing import Float, Int64


@dataclass(frozen=True)
class Weights:
    """What each loss is multiplied with."""

    bce: float = 5.0
    dice: float = 2.0
    classes: float = 1.0
    score: float = 0.5
    uncertainty: float = 1.0
    """of mean and variance"""
    no_object: float = 0.25
    """of a proposal that is no object, beside one that is, within the loss of classes"""


def objective(
    prediction: Prediction, labels: Sequence[RegionLabels], uncertainty: Uncertainty, weights: Weights
) -> dict[str, Float[Tensor, ""]]:
    """Weighted losses by name, and ``total``, their sum.

    ``bce``, ``dice``, ``class``, ``score`` and ``uncertainty`` are means over the scenes, summed over the layers; the
    network's own losses are added as they are. In a scene, masks, scores and moments are averaged over the proposals
    that have an object as target; one without enters the loss of classes alone, as no object. Where nothing can be
    learnt a loss is 0, with gradients attached, so that every parameter has a gradient in every process. Raises
    ValueError where the number of labels is not that of scenes, or where a network's own loss has one of our names.
    """
    layers = (*prediction.earlier, prediction.proposals)
    for layer in layers:
        if len(layer) != len(labels):
            raise ValueError(f"proposals for {len(layer)} scenes, labels of {len(labels)}")
    device = prediction.proposals[0].mask_logit.device
    losses: dict[str, Tensor] = {}
    with torch.autocast(device.type, enabled=False):
        for layer in layers:
            for proposals, of_scene in zip(layer, labels, strict=True):
                for name, value in _scene_losses(_precise_proposals(proposals), of_scene, uncertainty, weights):
                    losses[name] = losses.get(name, 0.0) + value / len(labels)
    taken = sorted({*losses, "total"} & set(prediction.losses))
    if taken:
        raise ValueError(f"the network calls losses of its own {', '.join(taken)}, as ours are; give them other names")
    losses |= {name: _precise(value) for name, value in prediction.losses.items()}
    return losses | {"total": torch.stack(list(losses.values())).sum()}


def _precise(values: Tensor) -> Tensor:
    """In single precision at least, whatever the network computes in."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _precise_proposals(proposals: Proposals) -> Proposals:
    found = {one.name: getattr(proposals, one.name) for one in fields(proposals) if one.name != "target"}
    return replace(proposals, **{name: _precise(value) for name, value in found.items()})


def _scene_losses(
    proposals: Proposals, labels: RegionLabels, uncertainty: Uncertainty, weights: Weights
) -> Iterator[tuple[str, Tensor]]:
    column = (~labels.ignore).nonzero().squeeze(1)
    target = targets(proposals, labels, weights)
    # where all regions are to be ignored, no mask says anything
    row = (target >= 0).nonzero().squeeze(1) if len(column) else target[:0]
    wanted = target[row]
    logit = proposals.mask_logit[row][:, column]
    mask = labels.mask[wanted][:, column]
    yield "bce", weights.bce * mean_or_zero(mask_bce(logit, mask))
    yield "dice", weights.dice * mean_or_zero(mask_dice(logit, mask))
    yield "class", weights.classes * class_loss(proposals.class_logit, labels.class_index, target, weights.no_object)
    yield "score", weights.score * mean_or_zero(score_loss(proposals.score_logit[row], mask_iou(logit, mask)))
    moments = uncertainty_loss(
        proposals.mean[row][:, column],
        proposals.log_variance[row][:, column],
        labels.mean[wanted][:, column],
        labels.variance[wanted][:, column],
        labels.determined[column],
        uncertainty,
    )
    yield "uncertainty", weights.uncertainty * moments


def targets(proposals: Proposals, labels: RegionLabels, weights: Weights) -> Int64[Tensor, " Q"]:
    """Object that each proposal has to become, -1 none: what the network says, else the cheapest assignment."""
    if proposals.target is not None:
        return proposals.target
    column = (~labels.ignore).nonzero().squeeze(1)
    with torch.no_grad():
        cost = matching_cost(
            proposals.mask_logit[:, column],
            proposals.class_logit,
            labels.mask[:, column],
            labels.class_index,
            (weights.bce, weights.dice, weights.classes),
        )
    return match(cost)
