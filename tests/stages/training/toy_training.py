"""A short training of the smallest network, for tests of what trains networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from stages.training.batch import TrainingScene
from stages.training.loop import Settings, Work
from stages.training.losses.objective import Weights, objective
from tests.stages.training.toy_network import ToyNetwork
from tests.stages.training.toy_rooms import CLASSES, toy_room


def toy_network(seed: int = 0, **options: float) -> ToyNetwork:
    """With the same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ToyNetwork(CLASSES, **options)


def toy_scenes(count: int = 3) -> list[TrainingScene]:
    """Small rooms with two objects each."""
    return [toy_room(seed=seed, points=20, floor=60) for seed in range(count)]


def toy_work(**changes: Any) -> Work:
    """The objective on mask, mean and variance."""
    return Work(partial(objective, uncertainty="kl", weights=Weights()), **changes)


def toy_settings(steps: int = 6, **changes: Any) -> Settings:
    """A short training."""
    return Settings(**{"steps": steps, "warmup_steps": 2, "checkpoint_every": 2, **changes})


def same(first: Any, second: Any) -> bool:
    """Whether two checkpoints, or parts of them, are equal to the bit."""
    if isinstance(first, Tensor):
        return isinstance(second, Tensor) and torch.equal(first, second)
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, Sequence) and not isinstance(first, str):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)
