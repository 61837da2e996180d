"""How the learning rate changes over the steps."""

from __future__ import annotations

import math
from typing import Literal

Shape = Literal["cosine", "polynomial"]
_POWER = 0.9


def rate_factor(step: int, *, steps: int, warmup_steps: int, shape: Shape) -> float:
    """What the learning rate is multiplied with in ``step``, 0 <= step < ``steps``; in (0, 1].

    It rises in equal parts over the first ``warmup_steps`` and then falls towards 0: as half a cosine, or as
    (1 - t)^0.9. Warm-up that is longer than the training is cut to its length.
    """
    warmup_steps = min(warmup_steps, steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    passed = (step - warmup_steps) / (steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * passed)) if shape == "cosine" else (1 - passed) ** _POWER
