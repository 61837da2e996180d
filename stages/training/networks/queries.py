"""What queries start from: regions (seeds), or parameters. S regions, Q queries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.training.batch import RegionLabels
from stages.typing import Float, Float32, Int64


@dataclass(frozen=True, eq=False)
class RegionState:
    """Regions of one scene, as a decoder sees them."""

    feature: Float[Tensor, "S W"]
    vote: Float32[Tensor, "S 3"]
    """estimated middle of the object's box, metres"""
    foreground: Float32[Tensor, " S"]
    """probability of belonging to an object"""


@dataclass(frozen=True, eq=False)
class QueryState:
    """Queries of one scene."""

    feature: Float[Tensor, "Q W"]
    vote: Float32[Tensor, "Q 3"]
    target: Int64[Tensor, " Q"] | None = None
    """object that each query has to become, -1 none; None: left to matching"""


class SeededQueries(nn.Module):
    """Queries that start from regions: with labels from regions of known owners, else spread over objects."""

    def __init__(self, width: int, per_object: int, background: int, test: int) -> None:
        super().__init__()
        self.per_object, self.background, self.test = per_object, background, test
        self.linear = nn.Linear(width, width)

    def forward(self, regions: RegionState, labels: RegionLabels | None, generator: torch.Generator) -> QueryState:
        """Fewer queries than asked for where a scene has fewer regions."""
        if labels is None:
            seed, target = spread_seeds(regions.vote, regions.foreground, self.test), None
        else:
            seed, target = labelled_seeds(labels, self.per_object, self.background, generator)
        return QueryState(self.linear(regions.feature[seed]), regions.vote[seed], target)


class LearntQueries(nn.Module):
    """Queries that start from parameters; places are shares of the extent of a scene's votes."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.feature = nn.Parameter(torch.randn(count, width))
        self.place = nn.Parameter(torch.rand(count, 3))

    def forward(self, regions: RegionState, labels: RegionLabels | None, generator: torch.Generator) -> QueryState:  # noqa: ARG002
        """The same queries with and without labels."""
        low, high = regions.vote.detach().aminmax(dim=0)
        return QueryState(self.feature, low + self.place * (high - low))


def labelled_seeds(
    labels: RegionLabels, per_object: int, background: int, generator: torch.Generator
) -> tuple[Int64[Tensor, " Q"], Int64[Tensor, " Q"]]:
    """Random regions, at most ``per_object`` of each object and ``background`` of none, and their owners (-1 none).

    Drawn without replacement; regions that no loss may use are left out.
    """
    owner = labels.owner.cpu()  # where the generator is
    order = torch.randperm(len(owner), generator=generator)
    order = order[~labels.ignore.cpu()[order]]
    order = order[owner[order].argsort(stable=True)]
    counts = torch.bincount(owner[order] + 1, minlength=len(labels) + 1)
    rank = torch.arange(len(order)) - (counts.cumsum(0) - counts)[owner[order] + 1]
    chosen = order[rank < torch.where(owner[order] < 0, background, per_object)]
    device = labels.mask.device
    return chosen.to(device), owner[chosen].to(device)


def spread_seeds(vote: Float32[Tensor, "S 3"], foreground: Float32[Tensor, " S"], count: int) -> Int64[Tensor, " Q"]:
    """At most ``count`` regions that are more probably object than background, far apart in ``vote`` (metres).

    Farthest point sampling, from the surest region on.
    """
    candidate = (foreground > 0.5).nonzero().squeeze(1)
    count = min(count, len(candidate))
    if not count:
        return candidate
    place = vote.detach()[candidate]
    picks = [foreground[candidate].argmax()]
    nearest = torch.full_like(place[:, 0], torch.inf)
    for _ in range(count - 1):
        nearest = torch.minimum(nearest, (place - place[picks[-1]]).square().sum(dim=1))
        picks.append(nearest.argmax())
    return candidate[torch.stack(picks)]
