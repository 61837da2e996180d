from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from stages.posteriors.engines.base import PairProblem, PairSolution
from stages.posteriors.engines.padding import Batch, cpu_batch_size, padded_rows, solve_in_batches, stack
from stages.posteriors.engines.solutions import failed_solution

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
        single = batch.single(index)
        np.testing.assert_array_equal(single.label, np.where(problem.first, 1, -1))
        np.testing.assert_array_equal(single.contested_feature, problem.contested_feature)


def test_batches_have_the_shape_of_their_size_and_answers_their_order(make_problem: MakeProblem) -> None:
    seen: list[tuple[int, ...]] = []

    def solve(batch: Batch) -> Sequence[PairSolution]:
        seen.append(tuple(batch.label.shape))
        return [failed_solution(1, steps=len(problem.feature)) for problem in batch.problems]

    sizes = [40, 5, 41, 300, 6, 7, 39]
    problems = [make_problem(index, size, 1) for index, size in enumerate(sizes)]
    solutions = solve_in_batches(problems, solve, "float64", "cpu")
    assert [solution.steps for solution in solutions] == sizes
    assert seen == [(16, 16), (cpu_batch_size(48), 48), (1, 320)]


def test_the_number_of_threads_is_restored_after_an_error(make_problem: MakeProblem) -> None:
    def solve(batch: Batch) -> Sequence[PairSolution]:
        assert torch.get_num_threads() == 1
        raise KeyError

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError):
            solve_in_batches([make_problem(0)], solve, "float64", "cpu")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
