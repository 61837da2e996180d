"""From a network and a batch of scenes to the objects that it finds in each scene."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stages.inference.records import Predictions
from stages.inference.suppression import unsuppressed
from stages.training.batch import Batch
from stages.training.network import Network, Prediction, Proposals
from stages.typing import Bool, Float32, Int64

MOST_PROPOSALS = 200
"""objects that are kept of one scene"""


def predict(
    network: Network, batch: Batch, generator: torch.Generator, most: int = MOST_PROPOSALS
) -> list[Predictions]:
    """What the network finds in each scene, whatever its mode and the batch's labels.

    A mask holds the regions of mask probability above one half. The score is class probability times score times mean
    mask probability over the mask's points. Left out are empty masks, proposals that are rather no object than one of
    any class, those that a surer one overlaps by ``network.suppression``, and all but the ``most`` surest. Raises
    ValueError where the network gives values that are not finite.
    """
    with torch.no_grad():  # a network may return a parameter as it is
        prediction = _evaluated(network, replace(batch, labels=None), generator)
        sizes = batch.split(torch.bincount(batch.region_of_point, minlength=batch.regions))
        return [
            _found(scene, proposals, feature, points, network.suppression, most)
            for scene, proposals, feature, points in zip(
                batch.scenes, prediction.proposals, prediction.region_feature, sizes, strict=True
            )
        ]


def _evaluated(network: Network, batch: Batch, generator: torch.Generator) -> Prediction:
    """The network's answer in evaluation mode; it is left in the mode in which it was."""
    training = network.training
    network.eval()
    try:
        answer: Prediction = network(batch, generator)
    finally:
        network.train(training)
    return answer


@dataclass(frozen=True, eq=False)
class _Judged:
    """Proposals as probabilities, in float32 whatever the network computes in."""

    probability: Float32[Tensor, "Q S"]
    mask: Bool[Tensor, "Q S"]
    class_index: Int64[Tensor, " Q"]
    score: Float32[Tensor, " Q"]
    is_object: Bool[Tensor, " Q"]


def _found(
    scene: str,
    proposals: Proposals,
    feature: Tensor,
    points: Int64[Tensor, " S"],
    suppression: float | None,
    most: int,
) -> Predictions:
    mean, variance = proposals.mean.float(), proposals.log_variance.float().exp()
    judged = _judged(proposals, points)
    for name, values in (("scores", judged.score), ("means", mean), ("variances", variance), ("features", feature)):
        if not values.isfinite().all():
            raise ValueError(
                f"scene {scene}: the network's {name} are not finite: its training diverged; lower its learning rate"
            )
    chosen = (judged.is_object & judged.mask.any(dim=1)).nonzero()[:, 0]
    if suppression is None:
        chosen = chosen[judged.score[chosen].argsort(descending=True, stable=True)]
    else:
        chosen = chosen[unsuppressed(judged.mask[chosen], judged.score[chosen], points, suppression)]
    chosen = chosen[:most]
    return Predictions(
        mask=judged.mask[chosen].cpu().numpy(),
        class_index=judged.class_index[chosen].int().cpu().numpy(),
        score=judged.score[chosen].cpu().numpy(),
        probability=judged.probability[chosen].cpu().numpy(),
        mean=mean[chosen].cpu().numpy(),
        variance=variance[chosen].cpu().numpy(),
        region_feature=feature.float().cpu().numpy(),
    )


def _judged(proposals: Proposals, points: Int64[Tensor, " S"]) -> _Judged:
    probability = proposals.mask_logit.float().sigmoid()
    mask = probability > 0.5
    inside = (mask * points).float()
    sureness = (inside * probability).sum(dim=1) / inside.sum(dim=1).clamp(min=1.0)
    kinds = proposals.class_logit.float().softmax(dim=1)
    certainty, class_index = kinds[:, :-1].max(dim=1)
    # what is not a number stays so in the score, even outside the mask
    score = certainty * proposals.score_logit.float().sigmoid() * sureness
    return _Judged(probability, mask, class_index, score, is_object=kinds[:, -1] <= 0.5)
