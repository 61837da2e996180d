from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.hyperparameters import Evaluate, Evidence, maximise, starting_scales, typical_distance
from stages.posteriors.engines.kernels import squared_distance
from stages.posteriors.engines.padding import stack

MakeProblem = Callable[..., PairProblem]


def quadratic(center: torch.Tensor, hessian: torch.Tensor) -> Evaluate:
    """Evidence -1/2 (p - center) H (p - center), with its gradient."""

    def evaluate(position: torch.Tensor, state: torch.Tensor, active: torch.Tensor) -> Evidence:
        offset = position - center
        gradient = -(hessian @ offset[..., None])[..., 0]
        steps = torch.ones(len(position), dtype=torch.int64)
        return Evidence(0.5 * (offset * gradient).sum(-1), gradient, state + 1, steps, 2 * steps)

    return evaluate


def test_maximum_of_a_quadratic_is_that_of_evidence_times_prior() -> None:
    generator = np.random.default_rng(0)
    root = torch.from_numpy(generator.normal(size=(6, 3, 3)))
    hessian = root @ root.mT + 0.1 * torch.eye(3)
    center, start = torch.from_numpy(generator.normal(size=(2, 6, 3)) * 2)
    optimum = maximise(quadratic(center, hessian), start, torch.zeros(6, 4, dtype=torch.float64))
    # prior -1/2 |p - start|^2: (H + I) p = H center + start
    expected = torch.linalg.solve(hessian + torch.eye(3), (hessian @ center[..., None])[..., 0] + start)
    torch.testing.assert_close(optimum.log_parameter, expected, atol=2e-4, rtol=0)
    assert torch.equal(optimum.jitter_retries, 2 * optimum.steps)


def test_a_search_does_not_depend_on_the_others() -> None:
    center = torch.tensor([[0.1, 0.0], [3.0, -2.0]], dtype=torch.float64)
    hessian = torch.diag_embed(torch.tensor([[1.0, 1.0], [50.0, 0.1]], dtype=torch.float64))
    start, state = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    both = maximise(quadratic(center, hessian), start, state)
    assert both.steps[0] < both.steps[1]
    for index in (0, 1):
        one = slice(index, index + 1)
        alone = maximise(quadratic(center[one], hessian[one]), start[one], state[one])
        assert torch.equal(alone.log_parameter, both.log_parameter[one])
        assert torch.equal(alone.steps, both.steps[one])
        assert torch.equal(alone.state, both.state[one])


def test_where_the_evidence_fails_the_search_turns_back() -> None:
    def evaluate(position: torch.Tensor, state: torch.Tensor, active: torch.Tensor) -> Evidence:
        beyond = position[:, 0] > 0.5
        value = torch.where(beyond, -torch.inf, 5.0 * position[:, 0])
        gradient = torch.where(beyond, torch.nan, 5.0)[:, None].expand(-1, 2)
        zero = torch.zeros(len(position), dtype=torch.int64)
        return Evidence(value, gradient.double(), state, zero, zero)

    start = torch.zeros(1, 2, dtype=torch.float64)
    optimum = maximise(evaluate, start, torch.zeros(1, 1, dtype=torch.float64))
    assert optimum.log_parameter.isfinite().all()
    assert 0.1 < optimum.log_parameter[0, 0] <= 0.5
    assert optimum.state.isfinite().all()


def test_where_the_evidence_fails_at_the_start_the_search_does_not_begin() -> None:
    def evaluate(position: torch.Tensor, state: torch.Tensor, active: torch.Tensor) -> Evidence:
        one = torch.ones(len(position), dtype=torch.int64)
        return Evidence(torch.full((len(position),), -torch.inf).double(), position * torch.nan, state, one, one)

    start = torch.zeros(1, 2).double()
    optimum = maximise(evaluate, start, torch.zeros(1, 1).double())
    assert torch.equal(optimum.log_parameter, start)
    assert optimum.steps.tolist() == [1]


def typical(problem: PairProblem) -> float:
    other = replace(
        problem,
        feature=np.tile(problem.feature, (20, 1)),
        first=np.tile(problem.first, 20),
        prior_mean=np.tile(problem.prior_mean, 20),
    )
    # with another problem, so that rows are padded
    batch = stack([problem, other], "float64", "cpu")
    return float(typical_distance(batch, squared_distance(batch.feature, batch.feature))[0])


def test_typical_distance(make_problem: MakeProblem) -> None:
    problem = make_problem(0, 4)
    feature = np.zeros((4, 6), np.float32)
    feature[:, 2] = (0.0, 0.0, 1.0, 3.0)
    # distances that are not zero: 1, 1, 2, 3, 3
    assert typical(replace(problem, feature=feature)) == pytest.approx(2.0)
    assert typical(replace(problem, feature=np.zeros((4, 6), np.float32))) == 0.5
    assert typical(make_problem(0, 1)) == 0.5


@pytest.mark.parametrize("determined", [6, 15, 30])
def test_typical_distance_is_the_median_of_all_pairs(make_problem: MakeProblem, determined: int) -> None:
    problem = make_problem(1, determined)
    distance = np.sort(pdist(problem.feature.astype(np.float64)))
    assert typical(problem) == pytest.approx(distance[(len(distance) - 1) // 2])


def test_starting_scales(make_problem: MakeProblem) -> None:
    problem = make_problem(0)
    batch = stack([problem], "float64", "cpu")
    distance = squared_distance(batch.feature, batch.feature)
    fixed = starting_scales(batch, distance, learn=False).exp()
    torch.testing.assert_close(fixed, torch.tensor([[0.5, 1.0]], dtype=torch.float64))
    learnt = starting_scales(batch, distance, learn=True).exp()
    torch.testing.assert_close(learnt, torch.tensor([[typical(problem), 1.0]], dtype=torch.float64))
