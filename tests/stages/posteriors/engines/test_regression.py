from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.hyperparameters import typical_distance
from stages.posteriors.engines.kernels import padded_rbf, squared_distance
from stages.posteriors.engines.padding import stack
from stages.posteriors.engines.regression import RegressionEngine, regression_gradient, regression_posterior

MakeProblem = Callable[..., PairProblem]


def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Length scale 0.5, output scale 1."""
    return np.exp(-2 * ((a[:, None].astype(float) - b[None]) ** 2).sum(-1))


def test_equals_dense_algebra(make_problem: MakeProblem) -> None:
    problem = make_problem(1, 25, 6, prior=0.5)
    solution = RegressionEngine(learn=False).solve([problem])[0]
    covariance = kernel(problem.feature, problem.feature) + 0.01 * np.eye(25)
    cross = kernel(problem.feature, problem.contested_feature)
    label = np.where(problem.first, 1.0, -1.0)
    mean = problem.contested_prior_mean + cross.T @ np.linalg.solve(covariance, label - problem.prior_mean)
    variance = 1 - np.diag(cross.T @ np.linalg.solve(covariance, cross))
    np.testing.assert_allclose(solution.latent_mean, mean, atol=1e-6)
    np.testing.assert_allclose(solution.latent_variance, variance, atol=1e-6)
    np.testing.assert_allclose(solution.probability, ndtr(mean / np.sqrt(variance)), atol=1e-6)
    np.testing.assert_allclose(solution.variance, solution.probability * (1 - solution.probability), atol=1e-6)
    expected = multivariate_normal(problem.prior_mean.astype(float), covariance).logpdf(label) / 25
    assert solution.evidence == pytest.approx(expected, abs=1e-9)
    assert (solution.length_scale, solution.output_scale) == pytest.approx((0.5, 1.0))


def test_one_region_in_closed_form() -> None:
    nothing = np.zeros(1, np.float32)
    place = np.zeros((1, 3), np.float32)
    solution = RegressionEngine(learn=False).solve([PairProblem(place, np.array([False]), place, nothing, nothing)])[0]
    assert solution.latent_mean[0] == pytest.approx(-1 / 1.01)
    assert solution.latent_variance[0] == pytest.approx(1 - 1 / 1.01)


@pytest.mark.parametrize("parameter", [(-0.7, 0.0, -2.3), (0.4, 0.8, 0.0)])
def test_gradient_of_the_evidence_equals_autograd(
    make_problem: MakeProblem, parameter: tuple[float, float, float]
) -> None:
    batch = stack([make_problem(2, 20, prior=1.0), make_problem(3, 30)], "float64", "cpu")
    distance = squared_distance(batch.feature, batch.feature)
    log_parameter = torch.tensor([parameter, parameter], dtype=torch.float64, requires_grad=True)
    length_scale, output_scale, noise = log_parameter.exp().unbind(-1)
    covariance = padded_rbf(distance, batch.present, length_scale, output_scale)
    total = torch.zeros((), dtype=torch.float64)
    for index, problem in enumerate(batch.problems):
        count = len(problem.feature)
        matrix = covariance[index, :count, :count] + noise[index] ** 2 * torch.eye(count, dtype=torch.float64)
        normal = torch.distributions.MultivariateNormal(batch.prior_mean[index, :count], matrix)
        total = total + normal.log_prob(batch.label[index, :count])
    (expected,) = torch.autograd.grad(total, log_parameter)
    found = regression_posterior(batch, distance, log_parameter.detach())
    torch.testing.assert_close(regression_gradient(batch, distance, found), expected)
    assert found.log_evidence.sum().item() == pytest.approx(total.item())


def test_learning_raises_the_evidence(make_problem: MakeProblem) -> None:
    problem = make_problem(4, 50)
    learnt, fixed = (RegressionEngine(learn=learn).solve([problem])[0] for learn in (True, False))
    assert learnt.evidence > fixed.evidence + 0.05
    assert learnt.steps > 3
    assert fixed.steps == 1
    assert learnt.length_scale > fixed.length_scale
    batch = stack([problem], "float64", "cpu")
    typical = float(typical_distance(batch, squared_distance(batch.feature, batch.feature)))
    assert typical / 5 < learnt.length_scale < typical * 5
