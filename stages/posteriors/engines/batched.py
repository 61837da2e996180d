"""Problems solved in batches of the same padded size, each exactly as if it were alone.

On CPU a problem's arithmetic must not depend on its neighbours in the batch, not even in the last bit: the libraries
below choose kernels by shape, so the shape of a batch follows from the number of rows of its problems alone, and a
batch that is not full is filled with copies of its last problem. Row counts are multiples of ``ROW_MULTIPLE``, so that
every problem starts at the same alignment and no vector register holds the rows of two problems; one thread computes.
On an accelerator batches are as large as memory allows, and a problem's last digits depend on its neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from stages.posteriors.engines.base import PairProblem, PairSolution
from stages.posteriors.engines.padding import (
    ACCELERATOR_ENTRIES,
    Batch,
    Precision,
    cpu_batch_size,
    is_cpu,
    padded_rows,
    stack,
)
from stages.posteriors.engines.solutions import failed_solution


@dataclass(frozen=True, kw_only=True)
class BatchedEngine(ABC):
    """An engine that solves a padded batch at once, in ``dtype`` on ``device`` (names of torch).

    For fixed hyper-parameters, float32 changes probabilities by less than 1e-3 (on 290 pairs of twelve real scans at
    most 6e-6 for ``laplace``, 5e-5 for ``regression``).
    """

    dtype: Precision = "float64"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``, which may come from several scenes.

        A problem whose numbers are not all finite is not solved: its solution is ``failed_solution``.

        Raises:
            ValueError: arrays of a problem disagree in length, or it has no determined region.
        """
        solutions = [failed_solution(len(problem.contested_feature)) for problem in problems]
        buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, problem in enumerate(problems):
            _check(index, problem)
            if _is_finite(problem):
                buckets[padded_rows(len(problem.feature)), problem.feature.shape[1]].append(index)
        on_cpu = is_cpu(self.device)
        with _one_thread() if on_cpu else nullcontext():
            for (rows, _), members in sorted(buckets.items()):
                size = cpu_batch_size(rows) if on_cpu else max(1, ACCELERATOR_ENTRIES // rows**2)
                for start in range(0, len(members), size):
                    chosen = members[start : start + size]
                    batch = stack([problems[i] for i in chosen], self.dtype, self.device, size if on_cpu else 1)
                    for index, solution in zip(chosen, self.solve_batch(batch), strict=True):
                        solutions[index] = solution
        return solutions

    @abstractmethod
    def solve_batch(self, batch: Batch) -> list[PairSolution]:
        """The solutions of ``batch.problems``."""


def _check(index: int, problem: PairProblem) -> None:
    determined, contested = len(problem.feature), len(problem.contested_feature)
    if determined == 0:
        raise ValueError(f"problem {index} has no determined region: it cannot be classified")
    lengths = {
        "first": (len(problem.first), determined),
        "prior_mean": (len(problem.prior_mean), determined),
        "contested_prior_mean": (len(problem.contested_prior_mean), contested),
        "contested_feature columns": (problem.contested_feature.shape[1], problem.feature.shape[1]),
    }
    for name, (found, expected) in lengths.items():
        if found != expected:
            raise ValueError(f"problem {index}: {name} is {found} long, expected {expected}")


def _is_finite(problem: PairProblem) -> bool:
    arrays = (problem.feature, problem.contested_feature, problem.prior_mean, problem.contested_prior_mean)
    return all(bool(np.isfinite(array).all()) for array in arrays)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Torch on one thread: how work is split among threads would otherwise show in the last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
