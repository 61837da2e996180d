"""Batches of padded problems: many small problems solved at once, each exactly as if it were alone.

On CPU a problem's arithmetic must not depend on its neighbours in the batch, not even in the last bit: the libraries
below choose kernels by shape, so the shape of a batch follows from the number of rows of its problems alone, and a
batch that is not full is filled with copies of its last problem. Row counts are multiples of ``ROW_MULTIPLE``, so that
every problem starts at the same alignment and no vector register holds the rows of two problems; one thread computes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.base import PairProblem, PairSolution
from stages.posteriors.engines.solutions import failed_solution
from stages.typing import Float

Precision = Literal["float32", "float64"]

ROW_MULTIPLE = 16
FINE_ROWS = 256
"""up to here row counts are rounded to ROW_MULTIPLE, above to twice as much"""
CPU_ENTRIES = 2**15
"""entries of the covariance matrices of a batch on CPU: they stay in the cache of one core"""
CPU_BATCH = 16
ACCELERATOR_ENTRIES = 2**26
"""on an accelerator: half a gigabyte a matrix in double precision"""


@dataclass(frozen=True, eq=False)
class Batch:
    """B problems padded to n rows; what a padded row holds is zero everywhere."""

    feature: Float[Tensor, "B n D"]
    label: Float[Tensor, "B n"]
    """+1 first owner, -1 second, 0 padding"""
    present: Float[Tensor, "B n"]
    """1 for determined regions, 0 for padding"""
    prior_mean: Float[Tensor, "B n"]
    problems: tuple[PairProblem, ...]

    def single(self, index: int) -> Single:
        """One problem of the batch without its padding."""
        problem = self.problems[index]
        count = len(problem.feature)
        return Single(
            self.feature[index, :count],
            self.label[index, :count],
            self.prior_mean[index, :count],
            self.feature.new_tensor(problem.contested_feature),
        )


@dataclass(frozen=True, eq=False)
class Single:
    """One problem as tensors: n determined and m contested regions."""

    feature: Float[Tensor, "n D"]
    label: Float[Tensor, " n"]
    prior_mean: Float[Tensor, " n"]
    contested_feature: Float[Tensor, "m D"]


SolveBatch = Callable[[Batch], Sequence[PairSolution]]


def padded_rows(count: int) -> int:
    """Smallest row count of the ladder 16, 32, ..., 256, 288, 320, ... that holds ``count`` rows."""
    multiple = ROW_MULTIPLE if count <= FINE_ROWS else 2 * ROW_MULTIPLE
    return max(1, -(-count // multiple)) * multiple


def cpu_batch_size(rows: int) -> int:
    """Problems a batch on CPU: a power of two that depends on the row count alone, 1 for large problems."""
    fitting = max(1, CPU_ENTRIES // rows**2)
    return int(min(CPU_BATCH, 2 ** (fitting.bit_length() - 1)))


def solve_in_batches(
    problems: Sequence[PairProblem], solve: SolveBatch, precision: Precision, device: str
) -> list[PairSolution]:
    """Solutions in the order of ``problems``, by batches of problems with the same padded size.

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
    on_cpu = torch.device(device).type == "cpu"
    with _one_thread() if on_cpu else nullcontext():
        for (rows, _), members in sorted(buckets.items()):
            size = cpu_batch_size(rows) if on_cpu else max(1, ACCELERATOR_ENTRIES // rows**2)
            for start in range(0, len(members), size):
                chosen = members[start : start + size]
                filled = chosen + chosen[-1:] * (size - len(chosen) if on_cpu else 0)
                batch = stack([problems[index] for index in filled], precision, device)
                # zip drops the copies that only fill the batch
                for index, solution in zip(chosen, solve(batch), strict=False):
                    solutions[index] = solution
    return solutions


def stack(problems: Sequence[PairProblem], precision: Precision, device: str) -> Batch:
    """One padded batch of problems with equally many feature columns; its row count fits the largest."""
    rows = padded_rows(max(len(problem.feature) for problem in problems))
    feature = np.zeros((len(problems), rows, problems[0].feature.shape[1]), precision)
    label, present, prior_mean = np.zeros((3, len(problems), rows), precision)
    for index, problem in enumerate(problems):
        count = len(problem.feature)
        feature[index, :count] = problem.feature
        label[index, :count] = np.where(problem.first, 1.0, -1.0)
        present[index, :count] = 1.0
        prior_mean[index, :count] = problem.prior_mean
    # copies, because torch aligns its own memory: some kernels compute differently on other addresses
    return Batch(
        feature=torch.tensor(feature, device=device),
        label=torch.tensor(label, device=device),
        present=torch.tensor(present, device=device),
        prior_mean=torch.tensor(prior_mean, device=device),
        problems=tuple(problems),
    )


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
