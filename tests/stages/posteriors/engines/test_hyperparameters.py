from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.hyperparameters import Evaluate, Evidence, maximise, starting_scales, typical_distance
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
    optimum = maximise(quadratic(center, hessian), start, torch.zeros(6, 4, dtype=torch.float64), learn=True)
    # prior -1/2 |p - start|^2: (H + I) p = H center + start
    expected = torch.linalg.solve(hessian + torch.eye(3), (hessian @ center[..., None])[..., 0] + start)
    torch.testing.assert_close(optimum.log_parameter, expected, atol=2e-4, rtol=0)
    offset = optimum.log_parameter - center
    torch.testing.assert_close(optimum.evidence.value, -0.5 * (offset[:, None] @ hessian @ offset[..., None])[:, 0, 0])
    assert torch.equal(optimum.evidence.jitter_retries, 2 * optimum.evidence.steps)


def test_a_search_does_not_depend_on_the_others() -> None:
    center = torch.tensor([[0.1, 0.0], [3.0, -2.0]], dtype=torch.float64)
    hessian = torch.diag_embed(torch.tensor([[1.0, 1.0], [50.0, 0.1]], dtype=torch.float64))
    start, state = torch.zeros(2, 2, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    both = maximise(quadratic(center, hessian), start, state, learn=True)
    assert both.evidence.steps[0] < both.evidence.steps[1]
    for index in (0, 1):
        one = slice(index, index + 1)
        alone = maximise(quadratic(center[one], hessian[one]), start[one], state[one], learn=True)
        assert torch.equal(alone.log_parameter, both.log_parameter[one])
        assert torch.equal(alone.evidence.steps, both.evidence.steps[one])
        assert torch.equal(alone.evidence.state, both.evidence.state[one])


def test_without_learning_the_start_stays() -> None:
    start = torch.tensor([[0.5, -0.5]], dtype=torch.float64)
    far = quadratic(torch.ones(1, 2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)[None])
    optimum = maximise(far, start, torch.zeros(1, 1, dtype=torch.float64), learn=False)
    assert torch.equal(optimum.log_parameter, start)
    assert optimum.evidence.steps.tolist() == [1]


def test_where_the_evidence_fails_the_search_turns_back() -> None:
    def evaluate(position: torch.Tensor, state: torch.Tensor, active: torch.Tensor) -> Evidence:
        beyond = position[:, 0] > 0.5
        value = torch.where(beyond, -torch.inf, 5.0 * position[:, 0])
        gradient = torch.where(beyond, torch.nan, 5.0)[:, None].expand(-1, 2)
        zero = torch.zeros(len(position), dtype=torch.int64)
        return Evidence(value, gradient.double(), state, zero, zero)

    start = torch.zeros(1, 2, dtype=torch.float64)
    optimum = maximise(evaluate, start, torch.zeros(1, 1, dtype=torch.float64), learn=True)
    assert optimum.log_parameter.isfinite().all()
    assert 0.1 < optimum.log_parameter[0, 0] <= 0.5
    assert optimum.evidence.value.isfinite().all()


def test_an_evidence_that_fails_at_the_start_is_reported() -> None:
    def evaluate(position: torch.Tensor, state: torch.Tensor, active: torch.Tensor) -> Evidence:
        zero = torch.zeros(len(position), dtype=torch.int64)
        return Evidence(torch.full((len(position),), -torch.inf).double(), position * torch.nan, state, zero, zero)

    optimum = maximise(evaluate, torch.zeros(1, 2).double(), torch.zeros(1, 1).double(), learn=True)
    assert not optimum.fit(0, 10).converged


def test_typical_distance(make_problem: MakeProblem) -> None:
    problem = make_problem(0, 4)
    feature = np.zeros((4, 6), np.float32)
    feature[:, 2] = (0.0, 0.0, 1.0, 3.0)
    # distances that are not zero: 1, 1, 2, 3, 3
    assert typical_distance(replace(problem, feature=feature)) == pytest.approx(2.0)
    assert typical_distance(replace(problem, feature=np.zeros((4, 6), np.float32))) == 0.5


def test_starting_scales(make_problem: MakeProblem) -> None:
    problem = make_problem(0)
    batch = stack([problem], "float64", "cpu")
    fixed = starting_scales(batch, learn=False).exp()
    torch.testing.assert_close(fixed, torch.tensor([[0.5, 1.0]], dtype=torch.float64))
    learnt = starting_scales(batch, learn=True).exp()
    assert learnt[0, 0].item() == pytest.approx(typical_distance(problem))
