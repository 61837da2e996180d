"""A network that says what a test tells it to, and batches for it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stages.training.batch import Batch, RegionLabels, TrainingScene, collate
from stages.training.network import Network, Prediction, Proposals

CLASSES = 2
WIDTH = 3


class Scripted(Network):
    """Gives the same proposals, one for each scene of a batch, and remembers how it was asked."""

    def __init__(self, classes: int = CLASSES, *, proposals: Sequence[Proposals] = ()) -> None:
        super().__init__(classes)
        self.proposals = tuple(proposals)
        self.layer = nn.Linear(3, WIDTH)
        self.asked: list[tuple[bool, bool, bool]] = []
        """of each call: training mode, gradients, labels"""

    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:
        self.asked.append((self.training, torch.is_grad_enabled(), batch.labels is not None))
        feature = self.layer(torch.rand((batch.regions, 3), generator=generator))
        return Prediction(self.proposals, batch.split(feature))


def logit(probability: Sequence[Sequence[float]] | Sequence[float]) -> Tensor:
    return torch.tensor(probability).logit(1e-6)


def proposals(
    mask: Sequence[Sequence[float]], kind: Sequence[Sequence[float]], score: Sequence[float] | None = None
) -> Proposals:
    """Proposals of given probabilities; ``kind``: of each class, and of no object."""
    mask_logit = logit(mask)
    return Proposals(
        mask_logit=mask_logit,
        class_logit=torch.tensor(kind).log(),
        score_logit=logit([0.5] * len(mask) if score is None else score),
        mean=torch.tensor(mask) / 2,
        log_variance=torch.full_like(mask_logit, -2.0),
    )


def scene(points: Sequence[int], name: str = "room", labelled: bool = False) -> TrainingScene:
    """A scene with so many points in each of its regions."""
    regions = len(points)
    region = torch.arange(regions).repeat_interleave(torch.tensor(points))
    labels = RegionLabels(
        mask=torch.zeros((0, regions), dtype=torch.bool),
        mean=torch.zeros((0, regions)),
        variance=torch.zeros((0, regions)),
        determined=torch.ones(regions, dtype=torch.bool),
        ignore=torch.zeros(regions, dtype=torch.bool),
        class_index=torch.zeros(0, dtype=torch.int64),
        center=torch.zeros((0, 3)),
    )
    xyz = torch.rand((len(region), 3), generator=torch.Generator().manual_seed(0))
    return TrainingScene(name, xyz, torch.zeros_like(xyz), region, regions, labels if labelled else None)


def batch(*points: Sequence[int], labelled: bool = False) -> Batch:
    """Scenes with so many points in each of their regions."""
    return collate([scene(each, f"room{index}", labelled) for index, each in enumerate(points)])
