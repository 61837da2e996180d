"""Rates that this machine reaches on one core, and the share of them that each engine reaches.

    python -m benchmarks.machine [--json FILE]

First the rates of Cholesky factorisations (n^3 / 3 operations) and matrix products (2 n^3) of a batch, in both
precisions. Then the engines on random problems of n determined and n / 2 contested regions. Operations are counted by
what the mathematics needs, not by what runs:

- ``published`` and its batches, a step of Adam: one factorisation (n^3 / 3), the triangular solve L^-1 K with n right
  sides (n^3) and the product with the root of q (n^3, triangular); twice that again for the gradient: 7 n^3.
- ``laplace``, a Newton step: one factorisation and three products with a vector (8 n^2 with the triangular solves).
  Once for the evidence and its gradient: a factorisation, the inverse (2 n^3 / 3), two derivatives (20 n^2).
- ``regression``, an evaluation: one factorisation, the inverse (2 n^3 / 3) and six passes over the matrix (12 n^2).
- each prediction, all engines: a factorisation and n^2 m for m contested regions.

Steps are those that the solutions report. The share is of the rate of a Cholesky factorisation of that size in that
precision. Kernels (exponentials) and links are not counted: what they take lowers the share.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import rendering_engines
from benchmarks.published import BatchedGpytorch, PublishedEngine
from benchmarks.tables import machine, timed, write_json
from stages.posteriors.engines.base import Engine, PairProblem, PairSolution
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.padding import CPU_ENTRIES
from stages.posteriors.engines.regression import RegressionEngine
from stages.posteriors.engines.variational import VariationalEngine

SIZES = (32, 64, 128, 256, 512, 1024)
PRECISIONS = {"float64": torch.float64, "float32": torch.float32}
SHORTEST = 0.3
"""seconds that a rate is measured for, at least"""
ENGINE_SIZES = {32: 64, 128: 16, 512: 2}
"""determined regions of a problem, and how many problems"""
FEATURES = 9


def rate(operation: Callable[[], object], operations: float) -> float:
    """Billions of operations in a second of processor time."""
    operation()
    count = 1
    while True:
        with timed() as seconds:
            for _ in range(count):
                operation()
        if seconds.cpu >= SHORTEST:
            return count * operations / seconds.cpu / 1e9
        count *= 2


def rates() -> list[dict[str, Any]]:
    """Cholesky and product of each size, alone and in batches as large as those of the engines."""
    found = []
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        for batch in sorted({1, max(1, CPU_ENTRIES // size**2)}):
            row: dict[str, Any] = {"n": size, "batch": batch}
            for name, dtype in PRECISIONS.items():
                factor = torch.randn(batch, size, size, generator=generator, dtype=dtype)
                matrix = factor @ factor.mT + size * torch.eye(size, dtype=dtype)
                row[f"cholesky_{name}"] = rate(partial(torch.linalg.cholesky_ex, matrix), batch * size**3 / 3)
                row[f"product_{name}"] = rate(partial(torch.matmul, matrix, factor), batch * 2 * size**3)
            found.append(row)
    return found


def problem(generator: np.random.Generator, determined: int) -> PairProblem:
    """Two overlapping clouds of regions."""
    contested = determined // 2
    first = np.arange(determined) < determined // 2
    feature = generator.normal(0.0, 0.6, (determined + contested, FEATURES)) + 0.0
    feature[:determined] += np.where(first, 0.3, -0.3)[:, None]
    nothing = np.zeros(determined + contested, np.float32)
    values = feature.astype(np.float32)
    return PairProblem(values[:determined], first, values[determined:], nothing[:determined], nothing[determined:])


def variational_operations(solution: PairSolution, n: int, m: int) -> float:
    return solution.steps * 7 * n**3 + n**3 / 3 + 2 * n**2 * m


def laplace_operations(solution: PairSolution, n: int, m: int) -> float:
    # fixed scales: one evidence; learnt ones add an evidence a round, which the steps do not tell: a lower bound
    return solution.steps * (n**3 / 3 + 8 * n**2) + n**3 + 20 * n**2 + n**3 / 3 + n**2 * m


def regression_operations(solution: PairSolution, n: int, m: int) -> float:
    return solution.steps * (n**3 + 12 * n**2) + n**3 / 3 + n**2 * m


Count = Callable[[PairSolution, int, int], float]
ENGINES: dict[str, tuple[Engine, Count, str]] = {
    "published": (PublishedEngine(), variational_operations, "float32"),
    "published, gpytorch batched": (BatchedGpytorch(), variational_operations, "float64"),
    "published, our batches": (VariationalEngine(), variational_operations, "float64"),
    "regression, learnt": (RegressionEngine(), regression_operations, "float64"),
    "laplace, learnt": (LaplaceEngine(), laplace_operations, "float64"),
    "regression": (RegressionEngine(learn=False), regression_operations, "float64"),
    "laplace": (LaplaceEngine(learn=False), laplace_operations, "float64"),
    "laplace, float32": (LaplaceEngine(learn=False, dtype="float32"), laplace_operations, "float32"),
}


def shares(measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Operations a second of every engine, and their share of the best rate of a Cholesky of that size."""
    found = []
    for size, count in ENGINE_SIZES.items():
        generator = np.random.default_rng(size)
        problems = [problem(generator, size) for _ in range(count)]
        for name, (engine, counted, precision) in ENGINES.items():
            engine.solve(problems[:1])
            with timed() as seconds:
                solutions = engine.solve(problems)
            operations = sum(counted(one, size, size // 2) for one in solutions)
            best = max(row[f"cholesky_{precision}"] for row in measured if row["n"] == size)
            found.append({
                "n": size, "problems": count, "engine": name, "precision": precision,
                "steps": float(np.mean([one.steps for one in solutions])),
                "milliseconds": 1000 * seconds.cpu / count, "gigaflops": operations / count / 1e9,
                "rate": operations / seconds.cpu / 1e9, "share": operations / seconds.cpu / 1e9 / best,
            })  # fmt: skip
    return found


def run() -> dict[str, Any]:
    """Both tables, printed; returns their figures."""
    torch.set_num_threads(1)
    measured = rates()
    figures = {"rates": measured, "engines": shares(measured)}
    print(rendering_engines.machine({"machine": machine(), **figures}))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    write_json(arguments.json, run())


if __name__ == "__main__":
    main()
