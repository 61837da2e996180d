"""What both built-in networks say about regions, and about proposals in regions.

S regions, Q proposals, K objects, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.training.batch import RegionLabels
from stages.typing import Float, Float32, Int64

_HIDDEN = 64
"""units of the heads of regions"""
_DISTANCE_MULTIPLE = 5.0
"""logits a metre, at the start"""
_INSIDE_LOGIT = 2.0
"""at distance 0, at the start: a new network's masks are balls of 0.4 m"""
_LOG_VARIANCE = -3.0
"""at the start; a label's variance is at most 1/4"""


@dataclass(frozen=True, eq=False)
class RegionOpinion:
    """What each region is, and to which object it belongs."""

    class_logit: Float32[Tensor, "S C_plus_1"]
    """the last one: background"""
    vote: Float32[Tensor, "S 3"]
    """estimated middle of the object's box, metres"""

    @property
    def foreground(self) -> Float32[Tensor, " S"]:
        """Probability that a region belongs to an object."""
        return 1.0 - self.class_logit.softmax(dim=1)[:, -1]


class RegionHeads(nn.Module):
    """Semantic head and vote head on region features."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.semantic = _perceptron(inputs, _HIDDEN, classes + 1)
        self.offset = _perceptron(inputs, _HIDDEN, 3)

    def forward(self, feature: Float[Tensor, "S D"], position: Float32[Tensor, "S 3"]) -> RegionOpinion:
        """``position``: mean of each region's points."""
        return RegionOpinion(self.semantic(feature).float(), position + self.offset(feature).float())


def region_losses(opinion: RegionOpinion, labels: Sequence[RegionLabels]) -> dict[str, Float32[Tensor, ""]]:
    """``semantic`` and ``vote``, each a mean over the regions of all scenes that may enter a loss; 0 without any.

    Semantic: cross entropy, classes weighted by the inverse root of their frequency in these scenes. Regions of objects
    without a class only have to be no background. Vote: sum of absolute errors, metres.
    """
    target = torch.cat([_class_of_region(one) for one in labels])
    used = ~torch.cat([one.ignore for one in labels])
    center = torch.cat([_center_of_region(one) for one in labels])
    voting = used & torch.cat([one.owner >= 0 for one in labels])
    return {
        "semantic": _semantic_loss(opinion.class_logit[used], target[used]),
        "vote": _mean((opinion.vote - center)[voting].abs().sum(dim=1)),
    }


@dataclass(frozen=True, eq=False)
class MaskOpinion:
    """What Q proposals say about S regions: fields of ``Proposals``."""

    mask_logit: Float32[Tensor, "Q S"]
    mean: Float32[Tensor, "Q S"]
    log_variance: Float32[Tensor, "Q S"]


class MaskHeads(nn.Module):
    """Mask, mean and log-variance: products of a proposal's embeddings and a region's.

    From mask and mean a learnt multiple of the distance between the two votes is subtracted: alike objects differ in
    nothing but place.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = _perceptron(width, width, 3 * width)
        self.key = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.tensor([_INSIDE_LOGIT, _INSIDE_LOGIT, _LOG_VARIANCE]))
        self.log_multiple = nn.Parameter(torch.tensor(math.log(_DISTANCE_MULTIPLE)))

    def forward(
        self, query: Float[Tensor, "Q W"], region: Float[Tensor, "S W"], distance: Float32[Tensor, "Q S"]
    ) -> MaskOpinion:
        """``distance``: between the votes of proposals and regions, metres."""
        width = query.shape[1]
        key = self.key(region) / math.sqrt(width)
        embedding = self.embed(query).reshape(-1, 3, width)
        mask, mean, log_variance = ((embedding[:, i] @ key.T).float() + self.bias[i] for i in range(3))
        far = self.log_multiple.exp() * distance
        return MaskOpinion(mask - far, (mean - far).sigmoid(), log_variance)


def vote_distance(a: Float32[Tensor, "Q 3"], b: Float32[Tensor, "S 3"]) -> Float32[Tensor, "Q S"]:
    """Euclidean distances, metres, with a gradient (0) where they vanish."""
    return ((a[:, None] - b[None]).square().sum(dim=2) + 1e-8).sqrt()


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _class_of_region(labels: RegionLabels) -> Int64[Tensor, " S"]:
    """Class of the owner; -1 where the annotation names none, -2 for background."""
    return torch.cat([labels.class_index, labels.class_index.new_tensor([-2])])[labels.owner]


def _center_of_region(labels: RegionLabels) -> Float32[Tensor, "S 3"]:
    """Middle of the owner's box; anything for background."""
    return torch.cat([labels.center, labels.center.new_zeros(1, 3)])[labels.owner]


def _semantic_loss(logit: Float32[Tensor, "U C_plus_1"], target: Int64[Tensor, " U"]) -> Float32[Tensor, ""]:
    background = logit.shape[1] - 1
    target = torch.where(target == -2, background, target)
    unnamed = target == -1
    named = target[~unnamed]
    share = torch.bincount(named, minlength=logit.shape[1]) / max(len(named), 1)
    weight = share.clamp(min=1e-4).rsqrt()
    surprise = functional.cross_entropy(logit[~unnamed], named, reduction="none") * weight[named]
    scale = weight[named].mean() if len(named) else 1.0
    log_probability = logit[unnamed].log_softmax(dim=1)
    object_surprise = -log_probability[:, :-1].logsumexp(dim=1)
    return _mean(torch.cat([surprise / scale, object_surprise]))


def _mean(values: Float32[Tensor, " U"]) -> Float32[Tensor, ""]:
    """0, with a gradient, of nothing."""
    return values.sum() / max(len(values), 1)
