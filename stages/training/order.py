"""Which scenes a step learns from, and where its random numbers start: functions of the seed and the step alone.

So training that is resumed at a step goes on as if it had never stopped, without any state but the step's number.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import torch


def generator_for(seed: int, *place: int | str) -> torch.Generator:
    """Random numbers for one purpose and place of a training: ``generator_for(seed, "augment", step, slot)``."""
    digest = hashlib.sha256(repr((seed, *place)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def scenes_of_step(step: int, count: int, batch_size: int, seed: int) -> list[int]:
    """Positions, 0..count-1, of the ``batch_size`` scenes of a step, which count from 0.

    Every epoch is a permutation of all scenes; a step at its end goes on with the next. Raises ValueError without
    scenes.
    """
    if count < 1:
        raise ValueError("there is no scene to learn from")
    places = range(step * batch_size, (step + 1) * batch_size)
    return [_permutation(place // count, count, seed)[place % count] for place in places]


@lru_cache(maxsize=8)
def _permutation(epoch: int, count: int, seed: int) -> tuple[int, ...]:
    order: list[int] = torch.randperm(count, generator=generator_for(seed, "order", epoch)).tolist()
    return tuple(order)
