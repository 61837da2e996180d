"""Clusters of regions become objects, after PointGroup (Jiang et al., CVPR 2020).

Every region says its class and votes for the middle of its object. Regions of one class that touch, and those whose
votes are near each other, form clusters; each cluster is a proposal, which heads judge. Clusters consist of regions, so
that masks follow the partition's edges. Masks prefer their cluster and may reach beyond it, to what voted elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from stages.training.backbone import Backbone
from stages.training.batch import Batch, RegionLabels
from stages.training.heads import MaskHeads, RegionHeads, region_losses, vote_distance
from stages.training.network import Network, Prediction, Proposals
from stages.training.networks.clustering import components, distinct, near_votes, touching_regions
from stages.typing import Bool, Float, Float32, Int64

MOST_PROPOSALS = 256
"""of one scene, the largest: an untrained network may take every region for an object of its own"""
LEAST_OVERLAP = 0.25
"""of a proposal with the object that it has to become"""
GEOMETRY = 5


class Pointgroup(Network):
    """Clusters of regions as proposals.

    Args:
        classes: number of classes, at least 1
        voxel_size, widths: of the backbone; metres
        width: of the heads that judge proposals
        reach: metres within which regions touch
        radii: metres within which votes belong together; each gives clusters of its own
        least_points: smaller clusters are dropped

    Raises:
        ValueError: an option is out of range.
    """

    suppression: ClassVar[float | None] = 0.4

    def __init__(
        self,
        classes: int,
        *,
        voxel_size: float = 0.05,
        widths: Sequence[int] = (16, 32, 48, 64),
        width: int = 64,
        reach: float = 0.1,
        radii: Sequence[float] = (0.1, 0.2, 0.3),
        least_points: int = 50,
    ) -> None:
        super().__init__(classes)
        for name, value in (("reach", reach), *(("radii", radius) for radius in radii)):
            if not value > 0:
                raise ValueError(f"{name} has {value:g}: distances in metres have to be above 0")
        self.reach, self.radii, self.least_points = reach, tuple(radii), least_points
        self.backbone = Backbone(voxel_size=voxel_size, widths=widths)
        self.widen = nn.Sequential(nn.Linear(self.backbone.width, width), nn.LayerNorm(width), nn.ReLU())
        self.regions = RegionHeads(width, classes)
        self.project = nn.Sequential(nn.Linear(width + classes + 1, width), nn.LayerNorm(width))
        self.describe = nn.Sequential(nn.Linear(width + GEOMETRY, width), nn.ReLU(), nn.Linear(width, width))
        self.masks = MaskHeads(width)
        self.member_logit = nn.Parameter(torch.tensor(2.0))
        self.judgement = nn.Linear(width, classes + 2)

    def forward(self, batch: Batch, generator: torch.Generator) -> Prediction:  # noqa: ARG002
        """Draws no random numbers."""
        out = self.backbone(batch)
        feature = self.widen(out.region_feature)
        opinion = self.regions(feature, out.region_position)
        probability = opinion.class_logit.detach().softmax(dim=1)
        scenes = [
            _Regions(*columns)
            for columns in zip(
                batch.split(self.project(torch.cat([feature, probability], dim=1))),
                batch.split(opinion.class_logit.detach()),
                batch.split(opinion.vote),
                batch.split(out.region_position),
                batch.split(out.region_points),
                strict=True,
            )
        ]
        members = [self._clusters(*scene) for scene in zip(scenes, *_points(batch), strict=True)]
        labels = batch.labels or [None] * len(batch)
        return Prediction(
            proposals=tuple(map(self._judge, scenes, members, labels)),
            region_feature=batch.split(out.region_feature),
            losses=region_losses(opinion, batch.labels) if batch.labels else {},
        )

    def _clusters(
        self, regions: _Regions, xyz: Float32[Tensor, "N 3"], region_of_point: Int64[Tensor, " N"]
    ) -> Bool[Tensor, "Q S"]:
        """Regions of each proposal."""
        objects = regions.class_logit.softmax(dim=1)[:, -1] < 0.5
        kind = torch.where(objects, regions.class_logit[:, :-1].argmax(dim=1), -1).cpu().numpy()
        of_object = objects[region_of_point]
        place, owner = xyz[of_object].cpu().numpy(), region_of_point[of_object].cpu().numpy()
        # the tree takes no NaN; the losses, which are not numbers either then, are reported with their scene
        vote, points = regions.vote.detach().nan_to_num().cpu().numpy(), regions.points.cpu().numpy()
        pairs = [touching_regions(place, owner, self.reach), *(near_votes(vote, radius) for radius in self.radii)]
        found = distinct(np.concatenate([components(one, kind, points, self.least_points) for one in pairs]))
        largest = np.argsort(-(found @ points), kind="stable")[:MOST_PROPOSALS]
        return torch.from_numpy(found[np.sort(largest)]).to(objects.device)

    def _judge(self, regions: _Regions, member: Bool[Tensor, "Q S"], labels: RegionLabels | None) -> Proposals:
        with torch.autocast(member.device.type, enabled=False):  # places and counts need all their digits
            pooled = _pooled(regions, member)
            target = None if labels is None else overlapped_objects(member, regions.points, labels)
        feature = self.describe(torch.cat([pooled.feature, pooled.geometry], dim=1))
        masks = self.masks(feature, regions.feature, vote_distance(pooled.vote, regions.vote))
        judgement = self.judgement(feature.relu()).float()
        return Proposals(
            mask_logit=masks.mask_logit + self.member_logit * torch.where(member, 1.0, -1.0),
            class_logit=pooled.class_logit + judgement[:, :-1],
            score_logit=judgement[:, -1],
            mean=masks.mean,
            log_variance=masks.log_variance,
            target=target,
        )


@dataclass(frozen=True, eq=False)
class _Regions:
    """What the proposals of one scene are made of."""

    feature: Float[Tensor, "S W"]
    class_logit: Float32[Tensor, "S C_plus_1"]
    """background last; without gradient"""
    vote: Float32[Tensor, "S 3"]
    """estimated middle of the object's box, metres"""
    position: Float32[Tensor, "S 3"]
    """metres"""
    points: Int64[Tensor, " S"]


@dataclass(frozen=True, eq=False)
class _Pooled:
    """What the regions of each proposal have in common: means over its points."""

    feature: Float32[Tensor, "Q W"]
    class_logit: Float32[Tensor, "Q C_plus_1"]
    vote: Float32[Tensor, "Q 3"]
    """without gradient"""
    geometry: Float32[Tensor, "Q 5"]
    """logarithm of the number of points, mean distance from vote to vote, standard deviations of x, y and z"""


def _pooled(regions: _Regions, member: Bool[Tensor, "Q S"]) -> _Pooled:
    weight = (member * regions.points).float()
    size = weight.sum(dim=1, keepdim=True).clamp(min=1)
    share, votes = weight / size, regions.vote.detach()
    vote = share @ votes
    distance = (share * vote_distance(vote, votes)).sum(dim=1, keepdim=True)
    position = regions.position - regions.position.mean(dim=0)
    variance = share @ position.square() - (share @ position).square()
    return _Pooled(
        feature=share @ regions.feature.float(),
        class_logit=share @ regions.class_logit,
        vote=vote,
        geometry=torch.cat([size.log(), distance, variance.clamp(min=0).sqrt()], dim=1),
    )


def overlapped_objects(
    member: Bool[Tensor, "Q S"], points: Int64[Tensor, " S"], labels: RegionLabels
) -> Int64[Tensor, " Q"]:
    """Object with which each proposal has the largest intersection over union; -1 up to ``LEAST_OVERLAP``.

    Counted in points of regions that may enter a loss.
    """
    if not len(labels):
        return torch.full((len(member),), -1, device=member.device)
    counted = (points * ~labels.ignore).float()
    proposed, wanted = member.float(), labels.mask.float()
    shared = (proposed * counted) @ wanted.T
    union = (proposed @ counted)[:, None] + wanted @ counted - shared
    overlap, target = (shared / union.clamp(min=1)).max(dim=1)
    return torch.where(overlap > LEAST_OVERLAP, target, -1)


def _points(batch: Batch) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Coordinates and region, numbered within the scene, of the points of each scene."""
    sizes = torch.bincount(batch.scene_of_point, minlength=len(batch)).tolist()
    regions = [
        region - start
        for region, start in zip(batch.region_of_point.split(sizes), batch.region_bounds[:-1], strict=True)
    ]
    return batch.xyz.split(sizes), tuple(regions)
