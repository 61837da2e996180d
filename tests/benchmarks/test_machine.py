"""Operations are counted by formulas that can be checked by hand."""

import numpy as np
import pytest

from benchmarks.machine import laplace_operations, problem, rate, regression_operations, variational_operations
from stages.posteriors.engines.solutions import failed_solution


def test_operations_of_one_step() -> None:
    solution = failed_solution(5, steps=1)
    cube, square = 10**3, 10**2
    assert variational_operations(solution, 10, 5) == pytest.approx(7 * cube + cube / 3 + 2 * square * 5)
    assert laplace_operations(solution, 10, 5) == pytest.approx(5 / 3 * cube + 28 * square + square * 5)
    assert regression_operations(solution, 10, 5) == pytest.approx(4 / 3 * cube + 12 * square + square * 5)


def test_rate_counts_calls() -> None:
    calls = []
    found = rate(lambda: calls.append(sum(range(1000))), 2e9)
    # the calls of the last round gave the rate; there were at least as many before
    assert found > 0
    assert found < 2.0 * len(calls) / 0.3


def test_problems_have_two_sides() -> None:
    one = problem(np.random.default_rng(0), 16)
    assert one.first.sum() == 8
    assert len(one.contested_feature) == 8
