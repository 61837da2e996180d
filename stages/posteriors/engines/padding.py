"""Padded problems: many small ones stacked into one batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.base import PairProblem
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
    """of the first rows of the tensors; rows beyond only fill the batch"""


def is_cpu(device: torch.device | str) -> bool:
    """True where a problem's arithmetic must not depend on its neighbours, and small batches are quickest."""
    return torch.device(device).type == "cpu"


def padded_rows(count: int) -> int:
    """Smallest row count of the ladder 16, 32, ..., 256, 288, 320, ... that holds ``count`` rows."""
    multiple = ROW_MULTIPLE if count <= FINE_ROWS else 2 * ROW_MULTIPLE
    return max(1, -(-count // multiple)) * multiple


def cpu_batch_size(rows: int) -> int:
    """Problems a batch on CPU: a power of two that depends on the row count alone, 1 for large problems."""
    fitting = max(1, CPU_ENTRIES // rows**2)
    return int(min(CPU_BATCH, 2 ** (fitting.bit_length() - 1)))


def stack(problems: Sequence[PairProblem], precision: Precision, device: str, size: int = 1) -> Batch:
    """One padded batch of problems with equally many feature columns; its row count fits the largest.

    Fewer than ``size`` problems are followed by copies of the last one.
    """
    count, rows = max(size, len(problems)), padded_rows(max(len(problem.feature) for problem in problems))
    feature = np.zeros((count, rows, problems[0].feature.shape[1]), precision)
    label, present, prior_mean = np.zeros((3, count, rows), precision)
    for index in range(count):
        problem = problems[min(index, len(problems) - 1)]
        held = len(problem.feature)
        feature[index, :held] = problem.feature
        label[index, :held] = np.where(problem.first, 1.0, -1.0)
        present[index, :held] = 1.0
        prior_mean[index, :held] = problem.prior_mean
    # copies, because torch aligns its own memory: some kernels compute differently on other addresses
    return Batch(
        feature=torch.tensor(feature, device=device),
        label=torch.tensor(label, device=device),
        present=torch.tensor(present, device=device),
        prior_mean=torch.tensor(prior_mean, device=device),
        problems=tuple(problems),
    )
