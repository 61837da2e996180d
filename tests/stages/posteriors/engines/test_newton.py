"""Mode, evidence and its gradient against other ways to compute them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.optimize import approx_fprime, brentq, minimize
from scipy.special import expit, log_expit

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.hyperparameters import Evidence
from stages.posteriors.engines.kernels import padded_rbf, squared_distance
from stages.posteriors.engines.newton import find_mode, laplace_gradient, laplace_posterior
from stages.posteriors.engines.padding import Batch, stack

MakeProblem = Callable[..., PairProblem]


def evidence(batch: Batch, log_parameter: torch.Tensor) -> Evidence:
    distance = squared_distance(batch.feature, batch.feature)
    start, everyone = torch.zeros_like(batch.label), torch.ones(len(batch.label), dtype=torch.bool)
    posterior = laplace_posterior(batch, distance, log_parameter, start, everyone)
    return posterior.evidence(laplace_gradient(batch, distance, posterior))


def covariance_of(problem: PairProblem, length_scale: float, output_scale: float) -> np.ndarray:
    feature = problem.feature.astype(float)
    distance = ((feature[:, None] - feature[None]) ** 2).sum(-1)
    return output_scale**2 * np.exp(-distance / (2 * length_scale**2))


@pytest.mark.parametrize("prior", [0.0, 1.0])
@pytest.mark.parametrize("parameter", [(-0.7, 0.0), (0.3, 1.5), (-2.0, -1.0), (1.0, 2.5)])
def test_gradient_of_the_evidence_equals_finite_differences(
    make_problem: MakeProblem, prior: float, parameter: tuple[float, float]
) -> None:
    batch = stack([make_problem(3, 20, prior=prior), make_problem(4, 31, prior=prior)], "float64", "cpu")
    found = evidence(batch, torch.tensor([parameter, parameter], dtype=torch.float64)).gradient
    for index in (0, 1):

        def value(point: np.ndarray, index: int = index) -> float:
            return float(evidence(batch, torch.from_numpy(np.stack([point, point]))).value[index])

        forward, backward = (approx_fprime(np.array(parameter), value, step) for step in (1e-5, -1e-5))
        np.testing.assert_allclose(found[index], (forward + backward) / 2, atol=1e-6, rtol=1e-5)


def test_mode_and_evidence_equal_dense_algebra(make_problem: MakeProblem) -> None:
    problem = make_problem(5, 12, prior=1.0)
    found = evidence(stack([problem], "float64", "cpu"), torch.log(torch.tensor([[0.8, 2.0]], dtype=torch.float64)))
    covariance, label = covariance_of(problem, 0.8, 2.0), np.where(problem.first, 1.0, -1.0)

    def negative_log_posterior(weight: np.ndarray) -> float:
        increment = covariance @ weight
        return 0.5 * weight @ increment - log_expit(label * (problem.prior_mean + increment)).sum()

    weight = minimize(negative_log_posterior, np.zeros(12), method="BFGS", options={"gtol": 1e-9}).x
    np.testing.assert_allclose(found.state[0, :12], weight, atol=1e-5)
    assert (found.state[0, 12:] == 0).all()
    latent = problem.prior_mean + covariance @ weight
    curvature = expit(latent) * expit(-latent)
    determinant = np.linalg.slogdet(np.eye(12) + covariance * curvature)[1]
    assert found.value.item() == pytest.approx(-negative_log_posterior(weight) - 0.5 * determinant, abs=1e-8)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("prior_mean", [0.0, 2.0, -30.0])
def test_one_region_in_closed_form(first: bool, prior_mean: float) -> None:
    problem = PairProblem(
        np.zeros((1, 2), np.float32),
        np.array([first]),
        np.zeros((0, 2), np.float32),
        np.array([prior_mean], np.float32),
        np.zeros(0, np.float32),
    )
    found = evidence(stack([problem], "float64", "cpu"), torch.log(torch.tensor([[0.5, 3.0]], dtype=torch.float64)))
    sign = 1.0 if first else -1.0
    increment = brentq(lambda g: g - 9 * sign * expit(-sign * (prior_mean + g)), -10, 10, xtol=1e-14)
    latent = prior_mean + increment
    expected = log_expit(sign * latent) - increment**2 / 18 - 0.5 * np.log(1 + 9 * expit(latent) * expit(-latent))
    assert found.state[0, 0].item() * 9 == pytest.approx(increment, abs=1e-7)
    assert found.value.item() == pytest.approx(expected, abs=1e-9)


def test_evidence_of_two_regions_is_near_the_integral() -> None:
    """Laplace's approximation against brute force over both latent values."""
    problem = PairProblem(
        np.array([[0.0], [0.6]], np.float32),
        np.array([True, False]),
        np.zeros((0, 1), np.float32),
        np.array([0.5, 0.0], np.float32),
        np.zeros(0, np.float32),
    )
    found = evidence(stack([problem], "float64", "cpu"), torch.log(torch.tensor([[0.5, 1.0]], dtype=torch.float64)))
    covariance = covariance_of(problem, 0.5, 1.0)
    inverse = np.linalg.inv(covariance)

    def joint(second: float, first: float) -> float:
        g = np.array([first, second])
        return float(expit(0.5 + first) * expit(-second) * np.exp(-0.5 * g @ inverse @ g))

    integral = dblquad(joint, -7, 7, -7, 7, epsabs=1e-8)[0] / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))
    assert found.value.item() == pytest.approx(np.log(integral), abs=0.02)


def test_padding_does_not_change_the_evidence(make_problem: MakeProblem) -> None:
    problem = make_problem(6, 20, prior=0.5)
    parameter = torch.tensor([[-0.5, 0.5]], dtype=torch.float64)
    alone = evidence(stack([problem], "float64", "cpu"), parameter)
    batch = stack([problem, make_problem(7, 60)], "float64", "cpu")
    padded = evidence(batch, parameter.expand(2, 2))
    assert padded.value[0].item() == pytest.approx(alone.value.item(), abs=1e-11)
    torch.testing.assert_close(padded.gradient[0], alone.gradient[0])


def test_newton_converges_from_a_start_that_contradicts_the_labels(make_problem: MakeProblem) -> None:
    problem = make_problem(8, 30)
    batch = stack([problem], "float64", "cpu")
    distance = squared_distance(batch.feature, batch.feature)
    scale = torch.tensor([0.5], dtype=torch.float64), torch.tensor([10.0], dtype=torch.float64)
    covariance = padded_rbf(distance, batch.present, *scale)
    everyone = torch.ones(1, dtype=torch.bool)
    mode, found, steps, retries = find_mode(batch, covariance, torch.zeros_like(batch.label), everyone)
    bad, bad_found, _, _ = find_mode(batch, covariance, -5 * batch.label, everyone)
    assert found.all()
    assert bad_found.all()
    assert 0 < steps.item() < 20
    assert retries.item() == 0
    torch.testing.assert_close(bad.increment, mode.increment, atol=1e-6, rtol=1e-6)


def test_problems_that_are_not_active_do_not_move(make_problem: MakeProblem) -> None:
    batch = stack([make_problem(8, 30), replace(make_problem(9, 30))], "float64", "cpu")
    covariance = padded_rbf(
        squared_distance(batch.feature, batch.feature), batch.present, *torch.ones(2, 2, dtype=torch.float64)
    )
    start = 0.1 * batch.label
    mode, found, steps, _ = find_mode(batch, covariance, start, torch.tensor([True, False]))
    assert found.tolist() == [True, False]
    assert steps[1] == 0
    assert torch.equal(mode.weight[1], start[1])
