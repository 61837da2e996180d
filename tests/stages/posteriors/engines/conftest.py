"""Random problems whose answer is mostly clear: two owners on two sides of a curved boundary."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stages.posteriors.engines.base import PairProblem

MakeProblem = Callable[..., PairProblem]


def random_problem(
    seed: int, determined: int = 40, contested: int = 10, columns: int = 6, prior: float = 0.0
) -> PairProblem:
    generator = np.random.default_rng(seed)
    feature = generator.uniform(-1, 1, (determined, columns)).astype(np.float32)
    first = feature[:, 0] + 0.5 * feature[:, 1] ** 2 + 0.1 * generator.normal(size=determined) > 0.1
    first[:2] = (True, False)[: len(first)]
    return PairProblem(
        feature,
        first,
        generator.uniform(-1, 1, (contested, columns)).astype(np.float32),
        (prior * generator.normal(size=determined)).astype(np.float32),
        (prior * generator.normal(size=contested)).astype(np.float32),
    )


@pytest.fixture(scope="session")
def make_problem() -> MakeProblem:
    return random_problem
