"""Queries on regions, after SPFormer (Sun et al., AAAI 2023): each query reads regions and becomes one object.

Seeded queries start from a region. In training it is drawn from the labels, and the query has to become the object that
owns it, so that nothing needs to be matched; in testing, seeds are spread over the votes of all regions that the
semantic head takes for objects. Learnt queries are the published ones: parameters, which the loss matches with objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from stages.training.backbone import Backbone
from stages.training.batch import Batch, RegionLabels
from stages.training.heads import MaskHeads, RegionHeads, region_losses, vote_distance
from stages.training.network import Network, Prediction, Proposals
from stages.training.networks.attention import DecoderLayer
from stages.training.networks.queries import LearntQueries, QueryState, RegionState, SeededQueries
from stages.typing import Float32

LOSS_WEIGHTS = {"semantic": 2.0, "vote": 10.0}
"""masks weigh more at every layer, and without weights votes hardly improve in the first hundreds of steps"""


class Spformer(Network):
    """Queries on regions.

    Options: ``voxel_size`` (metres; larger than the distance of points, or voxels have no neighbours) and ``widths`` of
    the backbone; ``width``, ``layers`` and ``heads`` of the decoder; seeds of a scene in training, ``seeds_per_object``
    and ``background_seeds``, and the most in testing, ``test_seeds``; number of ``learnt_queries``. Raises ValueError
    where ``width`` is no multiple of ``heads``, and where a number is too small.
    """

    suppression: ClassVar[float | None] = 0.4

    def __init__(
        self,
        classes: int,
        *,
        voxel_size: float = 0.05,
        widths: Sequence[int] = (16, 32, 48, 64),
        width: int = 64,
        layers: int = 3,
        heads: int = 4,
        queries: Literal["seeded", "learnt"] = "seeded",
        seeds_per_object: int = 2,
        background_seeds: int = 16,
        test_seeds: int = 96,
        learnt_queries: int = 96,
    ) -> None:
        super().__init__(classes)
        least = {"width": (width, 1), "heads": (heads, 1), "layers": (layers, 0)}
        least |= {"test_seeds": (test_seeds, 1), "learnt_queries": (learnt_queries, 1)}
        least |= {"seeds_per_object": (seeds_per_object, 1), "background_seeds": (background_seeds, 0)}
        for name, (value, smallest) in least.items():
            if value < smallest:
                raise ValueError(f"{name} of spformer is {value}, and has to be {smallest} at least")
        if width % heads:
            raise ValueError(f"width {width} of spformer is no multiple of its {heads} heads")
        self.backbone = Backbone(voxel_size=voxel_size, widths=widths)
        self.regions = RegionHeads(self.backbone.width, classes)
        self.project = nn.Sequential(nn.Linear(self.backbone.width, width), nn.LayerNorm(width))
        self.queries = (
            SeededQueries(width, seeds_per_object, background_seeds, test_seeds)
            if queries == "seeded"
            else LearntQueries(width, learnt_queries)
        )
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.judge = Judge(width, classes)

    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:
        """In training mode, labels choose the seeds; in evaluation mode they serve the losses alone."""
        out = self.backbone(batch)
        opinion = self.regions(out.region_feature, out.region_position)
        regions = map(
            RegionState,
            batch.split(self.project(out.region_feature)),
            batch.split(opinion.vote),
            batch.split(opinion.foreground.detach()),
        )
        labels = batch.labels if batch.labels and self.training else [None] * len(batch)
        decoded = [self._decode(*scene, generator) for scene in zip(regions, labels, strict=True)]
        layers = list(zip(*decoded, strict=True))
        return Prediction(
            proposals=layers[-1],
            region_feature=batch.split(out.region_feature),
            earlier=tuple(layers[:-1]),
            losses=_weighted(region_losses(opinion, batch.labels)) if batch.labels else {},
        )

    def _decode(
        self, regions: RegionState, labels: RegionLabels | None, generator: torch.Generator
    ) -> tuple[Proposals, ...]:
        """Proposals of every layer in one scene, those of the queries before any layer first."""
        queries = self.queries(regions, labels, generator)
        proposals = [self.judge(queries, regions)]
        for layer in self.layers:
            visible = proposals[-1].mask_logit.detach() > 0
            queries = layer(queries, regions, visible)
            proposals.append(self.judge(queries, regions))
        return tuple(proposals)


def _weighted(losses: dict[str, Float32[Tensor, ""]]) -> dict[str, Float32[Tensor, ""]]:
    return {name: LOSS_WEIGHTS[name] * loss for name, loss in losses.items()}


class Judge(nn.Module):
    """Reads proposals off queries."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.masks = MaskHeads(width)
        self.class_logit = nn.Linear(width, classes + 1)
        self.score_logit = nn.Linear(width, 1)

    def forward(self, queries: QueryState, regions: RegionState) -> Proposals:
        """The same after every layer."""
        feature = self.norm(queries.feature)
        masks = self.masks(feature, regions.feature, vote_distance(queries.vote, regions.vote))
        return Proposals(
            mask_logit=masks.mask_logit,
            class_logit=self.class_logit(feature).float(),
            score_logit=self.score_logit(feature).float().squeeze(1),
            mean=masks.mean,
            log_variance=masks.log_variance,
            target=queries.target,
        )
