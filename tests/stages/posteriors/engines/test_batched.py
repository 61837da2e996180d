from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from stages.posteriors.engines.base import PairProblem, PairSolution
from stages.posteriors.engines.batched import BatchedEngine
from stages.posteriors.engines.padding import Batch, cpu_batch_size
from stages.posteriors.engines.solutions import failed_solution

MakeProblem = Callable[..., PairProblem]


@dataclass(frozen=True, kw_only=True)
class Recorder(BatchedEngine):
    """Answers with the number of determined regions as steps; remembers the batches that it was given."""

    seen: list[Batch] = field(default_factory=list)

    def solve_batch(self, batch: Batch) -> list[PairSolution]:
        assert torch.get_num_threads() == 1
        self.seen.append(batch)
        return [failed_solution(1, steps=len(problem.feature)) for problem in batch.problems]


def test_batches_have_the_shape_of_their_size_and_answers_their_order(make_problem: MakeProblem) -> None:
    engine = Recorder()
    sizes = [40, 5, 41, 300, 6, 7, 39]
    solutions = engine.solve([make_problem(index, size, 1) for index, size in enumerate(sizes)])
    assert [solution.steps for solution in solutions] == sizes
    shapes = [tuple(batch.label.shape) for batch in engine.seen]
    assert shapes == [(16, 16), (cpu_batch_size(48), 48), (1, 320)]
    assert [len(batch.problems) for batch in engine.seen] == [3, 3, 1]


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_tensors_have_the_asked_precision_and_device(make_problem: MakeProblem, precision: str) -> None:
    engine = Recorder(dtype="float32" if precision == "float32" else "float64")
    engine.solve([make_problem(0)])
    (batch,) = engine.seen
    for tensor in (batch.feature, batch.label, batch.present, batch.prior_mean):
        assert tensor.dtype == getattr(torch, precision)
        assert tensor.device.type == "cpu"


def test_more_problems_than_a_batch_holds(make_problem: MakeProblem) -> None:
    engine = Recorder()
    assert len(engine.solve([make_problem(seed, 60, 1) for seed in range(cpu_batch_size(64) + 1)])) == 9
    assert [len(batch.problems) for batch in engine.seen] == [8, 1]
    assert engine.seen[0].label.shape == engine.seen[1].label.shape


def test_the_number_of_threads_is_restored_after_an_error(make_problem: MakeProblem) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Broken(BatchedEngine):
        def solve_batch(self, batch: Batch) -> list[PairSolution]:
            raise KeyError(len(batch.problems))

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError):
            Broken().solve([make_problem(0)])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
