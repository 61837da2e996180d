"""A layer of a query decoder: queries read the regions of their masks, then each other. Q queries, S regions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from stages.training.heads import vote_distance
from stages.training.networks.queries import QueryState, RegionState
from stages.typing import Bool, Float, Float32

_NEAR = (1.0, 2.0, 4.0, 8.0)
"""multiples of a distance, a metre, that heads start with: attention over objects of several sizes"""


class Attention(nn.Module):
    """Attention of several heads, each of which prefers what is near by a multiple of its own.

    Besides values, a head hands on where what it looks at lies in relation to the query.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width + 3 * heads, width)
        start = torch.tensor([_NEAR[i % len(_NEAR)] for i in range(heads)])
        self.log_multiple = nn.Parameter(start.log())

    def forward(
        self,
        query: Float[Tensor, "Q W"],
        query_vote: Float32[Tensor, "Q 3"],
        context: Float[Tensor, "S W"],
        context_vote: Float32[Tensor, "S 3"],
        visible: Bool[Tensor, "Q S"] | None = None,
    ) -> Float[Tensor, "Q W"]:
        """A query to which nothing is ``visible`` sees all; votes in metres."""
        q = self._split(self.query(query))
        k, v = (self._split(one) for one in self.key_value(context).chunk(2, dim=1))
        score = (q @ k.mT).float() / math.sqrt(q.shape[2])
        score = score - self.log_multiple.exp()[:, None, None] * vote_distance(query_vote, context_vote)
        if visible is not None:
            score = score.masked_fill((~visible & visible.any(dim=1, keepdim=True))[None], -torch.inf)
        weight = score.softmax(dim=2)
        relative = weight @ context_vote - query_vote
        return self.output(torch.cat([self._join(weight.to(v.dtype) @ v), self._join(relative).to(v.dtype)], dim=1))

    def _split(self, values: Float[Tensor, "n W"]) -> Float[Tensor, "H n w"]:
        return values.reshape(len(values), self.heads, values.shape[1] // self.heads).transpose(0, 1)

    def _join(self, values: Float[Tensor, "H n w"]) -> Float[Tensor, "n Hw"]:
        return values.transpose(0, 1).flatten(1)


class DecoderLayer(nn.Module):
    """Masked attention to regions, attention among queries, and a perceptron, each added to its normalised input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.to_regions = Attention(width, heads)
        self.to_queries = Attention(width, heads)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.move = nn.Linear(width, 3)
        nn.init.zeros_(self.move.weight)
        nn.init.zeros_(self.move.bias)

    def forward(self, queries: QueryState, regions: RegionState, visible: Bool[Tensor, "Q S"]) -> QueryState:
        """Queries with new features and new votes."""
        feature, vote = queries.feature, queries.vote
        feature = feature + self.to_regions(self.norms[0](feature), vote, regions.feature, regions.vote, visible)
        normal = self.norms[1](feature)
        feature = feature + self.to_queries(normal, vote, normal, vote)
        feature = feature + self.perceptron(self.norms[2](feature))
        return QueryState(feature, vote + self.move(feature).float(), queries.target)
