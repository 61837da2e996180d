"""The smallest network that can be trained; imports nothing of the tests, since other processes load it as a file."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.training.batch import Batch
from stages.training.network import Network, Prediction, Proposals

QUERIES = 4


class ToyNetwork(Network):
    """Learnt queries over a linear layer of mean colour and position; dropout draws without a generator."""

    suppression = 0.5

    def __init__(self, classes: int, *, dropout: float = 0.0) -> None:
        super().__init__(classes)
        self.feature = nn.Linear(6, 8)
        self.dropout = nn.Dropout(dropout)
        self.query = nn.Linear(8, 3 * QUERIES)
        self.kind = nn.Linear(8, QUERIES * (classes + 1))
        self.score = nn.Parameter(torch.zeros(QUERIES))

    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:  # noqa: ARG002 (it draws as dropout does)
        """Proposals of every scene."""
        values = torch.cat([batch.xyz, batch.color], dim=1)
        region = batch.region_of_point
        total = values.new_zeros(batch.regions, 6).index_add(0, region, values)
        mean = total / torch.bincount(region, minlength=batch.regions)[:, None]
        feature = torch.relu(self.feature(self.dropout(mean)))
        scenes = batch.split(feature)
        return Prediction(tuple(self._proposals(one) for one in scenes), scenes)

    def _proposals(self, feature: Tensor) -> Proposals:
        mask, mean, deviation = self.query(feature).T.reshape(3, QUERIES, -1)
        kind = self.kind(feature.mean(dim=0)).reshape(QUERIES, -1)
        return Proposals(mask, kind, self.score, mean.sigmoid(), deviation)
