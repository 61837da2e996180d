"""A network of your own: a few linear layers on the mean of each region, and regions as seeds of proposals.

Use it with ``--set training.network=./examples/own_network.py:RegionMlp``. It sees no neighbourhood, so it is fast and
not very good; what matters is the interface.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.training.batch import Batch, RegionLabels
from stages.training.heads import RegionHeads, region_losses, vote_distance
from stages.training.network import Network, Prediction, Proposals
from stages.training.regions import region_mean, region_points


class RegionMlp(Network):
    """Every proposal starts from one region and has to become the object that this region belongs to."""

    suppression = 0.4  # many seeds find the same object: of masks that overlap by more, the surest stays

    def __init__(self, classes: int, *, width: int = 64, seeds: int = 64) -> None:
        """Options come from the configuration, ``training.options``; each has a default."""
        super().__init__(classes)
        self.seeds = seeds
        self.feature = nn.Sequential(
            nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU()
        )
        self.regions = RegionHeads(width, classes)
        self.key = nn.Linear(width, width)
        self.query = nn.Linear(width, 3 * width)  # of mask, mean and log-variance
        self.judgement = nn.Linear(width, classes + 2)  # the classes, no object, score
        self.nearness = nn.Parameter(torch.tensor(5.0))  # logits a metre

    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:
        """Random seeds of known owners where there are labels to learn from, else every region."""
        mean = region_mean(torch.cat([batch.xyz, batch.color], dim=1), batch.region_of_point, batch.regions)
        position, color = mean.split(3, dim=1)
        distance = (batch.xyz - position[batch.region_of_point]).abs()
        extent = region_mean(distance, batch.region_of_point, batch.regions)
        size = region_points(batch.region_of_point, batch.regions)[:, None].log()
        height = torch.cat([one[:, 2:] - one[:, 2].min() for one in batch.split(position)])
        feature = self.feature(torch.cat([color, extent, size, height], dim=1))
        opinion = self.regions(feature, position)
        scenes = zip(batch.split(feature), batch.split(opinion.vote), batch.labels or [None] * len(batch), strict=True)
        return Prediction(
            proposals=tuple(self._proposals(*scene, generator) for scene in scenes),
            region_feature=batch.split(feature),
            losses=region_losses(opinion, batch.labels) if batch.labels else {},
        )

    def _proposals(
        self, feature: Tensor, vote: Tensor, labels: RegionLabels | None, generator: torch.Generator
    ) -> Proposals:
        seed, target = torch.arange(len(feature), device=feature.device), None
        if labels is not None and self.training:
            seed = seed[~labels.ignore]
            seed = seed[torch.randperm(len(seed), generator=generator)[: self.seeds].to(seed.device)]
            target = labels.owner[seed]
        key = self.key(feature).T / feature.shape[1] ** 0.5
        mask, mean, log_variance = (query @ key for query in self.query(feature[seed]).chunk(3, dim=1))
        far = self.nearness * vote_distance(vote[seed], vote)
        judgement = self.judgement(feature[seed])
        return Proposals(
            mask_logit=mask - far,
            class_logit=judgement[:, :-1],
            score_logit=judgement[:, -1],
            mean=(mean - far).sigmoid(),
            log_variance=log_variance - 3.0,  # variances of labels are small
            target=target,
        )
