"""What a network in training finds in scenes that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from stages.inference.predict import predict
from stages.inference.records import Predictions
from stages.scores.figures import RegionTruth, class_agnostic_ap
from stages.training.batch import collate
from stages.training.loop import Scenes
from stages.training.network import Network
from stages.training.order import generator_for

MEASURES = ("AP", "AP50", "AP25")


def validation(
    scenes: Scenes, truths: Sequence[RegionTruth], device: torch.device
) -> Callable[[Network], Mapping[str, float]]:
    """A function that gives the class-agnostic AP of a network over ``scenes`` (one at least), one truth a scene."""

    def validate(network: Network) -> Mapping[str, float]:
        found = class_agnostic_ap([_found(network, scenes, place, device) for place in range(len(scenes))], truths)
        return dict(zip(MEASURES, (found.ap, found.ap50, found.ap25), strict=True))

    return validate


def _found(network: Network, scenes: Scenes, place: int, device: torch.device) -> Predictions:
    """The same random numbers each time, so that validations differ by the network alone."""
    (found,) = predict(network, collate([scenes[place]]).to(device), generator_for(0, "validate", place))
    return found
