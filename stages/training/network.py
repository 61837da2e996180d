"""The one interface of all networks: a batch of scenes in, proposals over their regions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from stages.training.batch import Batch
from stages.typing import Float, Int64


@dataclass(frozen=True, eq=False)
class Proposals:
    """Q objects that a network proposes in one scene of S regions and C classes."""

    mask_logit: Float[Tensor, "Q S"]
    class_logit: Float[Tensor, "Q C_plus_1"]
    """the last one: no object"""
    score_logit: Float[Tensor, " Q"]
    """of how well the mask fits"""
    mean: Float[Tensor, "Q S"]
    """predicted mean of the label, in [0, 1] (GaPro, section 3.2)"""
    log_variance: Float[Tensor, "Q S"]
    """logarithm of the predicted variance of the label"""
    target: Int64[Tensor, " Q"] | None = None
    """labelled object that each proposal has to become, -1 none; None: whichever fits it best (matching)"""


@dataclass(frozen=True, eq=False)
class Prediction:
    """All that a network says about a batch."""

    proposals: tuple[Proposals, ...]
    """one a scene"""
    region_feature: tuple[Float[Tensor, "_ D"], ...]
    """deep features of the regions, one tensor a scene; the next round's posteriors compare them"""
    earlier: tuple[tuple[Proposals, ...], ...] = ()
    """proposals of earlier layers, which enter the loss as well"""
    losses: Mapping[str, Float[Tensor, ""]] = field(default_factory=dict)
    """the network's own losses (semantics, offsets), weighted; where the batch has labels"""


class Network(nn.Module, ABC):
    """Base of all networks; its options are keyword arguments of ``__init__`` with defaults, after ``classes``."""

    suppression: ClassVar[float | None] = None
    """overlap from which on the less certain of two proposals is dropped; None: the network repeats none"""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    @abstractmethod
    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:
        """Proposals for every scene; where labels are given, what the losses need besides.

        ``generator`` is on the CPU and the only source of random numbers, so that training repeats.
        """
