from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.padding import cpu_batch_size, padded_rows, stack

MakeProblem = Callable[..., PairProblem]


def test_padded_rows() -> None:
    assert [padded_rows(count) for count in (1, 16, 17, 100, 256, 257, 1000)] == [16, 16, 32, 112, 256, 288, 1024]


@pytest.mark.parametrize("count", [1, 15, 16, 33, 255, 257, 511, 800, 1600])
def test_padded_rows_hold_the_problem_and_waste_little(count: int) -> None:
    rows = padded_rows(count)
    assert count <= rows < count + 32
    assert rows % 16 == 0
    assert padded_rows(rows) == rows


def test_cpu_batches_are_powers_of_two_that_shrink() -> None:
    sizes = [cpu_batch_size(rows) for rows in range(16, 600, 16)]
    assert all(size & (size - 1) == 0 for size in sizes)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 16
    assert sizes[-1] == 1


def test_stack_pads_with_nothing(make_problem: MakeProblem) -> None:
    problems = [make_problem(0, 20, prior=1.0), make_problem(1, 33, prior=1.0)]
    batch = stack(problems, "float64", "cpu")
    assert batch.feature.shape == (2, 48, 6)
    for index, problem in enumerate(problems):
        count = len(problem.feature)
        np.testing.assert_array_equal(batch.feature[index, :count], problem.feature)
        np.testing.assert_array_equal(batch.label[index, :count], np.where(problem.first, 1, -1))
        np.testing.assert_array_equal(batch.prior_mean[index, :count], problem.prior_mean)
        assert batch.present[index].sum() == count
        for padded in (batch.feature, batch.label, batch.present, batch.prior_mean):
            assert (padded[index, count:] == 0).all()


def test_copies_of_the_last_problem_fill_a_batch(make_problem: MakeProblem) -> None:
    problems = [make_problem(0, 33), make_problem(1, 20, prior=1.0)]
    batch = stack(problems, "float32", "cpu", size=4)
    assert batch.problems == tuple(problems)
    for tensor in (batch.feature, batch.label, batch.present, batch.prior_mean):
        assert len(tensor) == 4
        assert (tensor[1:] == tensor[1]).all()
        assert not (tensor[0] == tensor[1]).all()
