from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad, quad
from scipy.special import expit
from scipy.stats import norm

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.hyperparameters import typical_distance
from stages.posteriors.engines.kernels import squared_distance
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.newton import laplace_posterior
from stages.posteriors.engines.padding import stack

MakeProblem = Callable[..., PairProblem]


def one_region(prior_mean: float = 0.0) -> PairProblem:
    """One determined region at 0, contested ones at 0 and 0.5."""
    return PairProblem(
        np.zeros((1, 1), np.float32),
        np.array([True]),
        np.array([[0.0], [0.5]], np.float32),
        np.full(1, prior_mean, np.float32),
        np.full(2, prior_mean, np.float32),
    )


@pytest.mark.parametrize("prior_mean", [0.0, 1.0])
def test_one_region_against_brute_force(prior_mean: float) -> None:
    """Exact posterior of the latent function at the region itself, s = 1: Laplace's errors are small, not zero."""
    solution = LaplaceEngine(learn=False).solve([one_region(prior_mean)])[0]

    def expectation(value: Callable[[float], float]) -> float:
        def weighted(g: float) -> float:
            return value(prior_mean + g) * float(expit(prior_mean + g) * norm.pdf(g))

        return float(quad(weighted, -9, 9)[0])

    evidence = expectation(lambda _: 1.0)
    mean = expectation(lambda f: f) / evidence
    variance = expectation(lambda f: f * f) / evidence - mean**2
    probability = expectation(lambda f: float(expit(f))) / evidence
    assert solution.evidence == pytest.approx(np.log(evidence), abs=0.01)
    assert solution.latent_mean[0] == pytest.approx(mean, abs=0.03)
    assert solution.latent_variance[0] == pytest.approx(variance, abs=0.03)
    assert solution.probability[0] == pytest.approx(probability, abs=0.01)
    assert solution.mean[0] == pytest.approx(probability, abs=0.01)


def test_prediction_elsewhere_follows_from_the_region() -> None:
    """With one region, k = exp(-0.5^2 / (2 0.5^2)) scales the mean, and its square the loss of variance."""
    solution = LaplaceEngine(learn=False).solve([one_region()])[0]
    correlation = np.exp(-0.5)
    assert solution.latent_mean[1] == pytest.approx(correlation * solution.latent_mean[0], abs=1e-6)
    lost = 1 - solution.latent_variance
    assert lost[1] == pytest.approx(correlation**2 * lost[0], abs=1e-6)


def test_two_regions_against_brute_force() -> None:
    feature = np.array([[0.0], [1.0]], np.float32)
    problem = PairProblem(feature, np.array([True, False]), feature, np.zeros(2, np.float32), np.zeros(2, np.float32))
    solution = LaplaceEngine(learn=False).solve([problem])[0]
    correlation = np.exp(-2.0)
    inverse = np.linalg.inv([[1, correlation], [correlation, 1]])

    def joint(b: float, a: float) -> float:
        return float(expit(a) * expit(-b) * np.exp(-0.5 * np.array([a, b]) @ inverse @ np.array([a, b])))

    total = dblquad(joint, -7, 7, -7, 7, epsabs=1e-7)[0]
    probability = dblquad(lambda b, a: float(expit(a)) * joint(b, a), -7, 7, -7, 7, epsabs=1e-7)[0] / total
    assert solution.probability[0] == pytest.approx(probability, abs=0.01)
    assert solution.probability[1] == pytest.approx(1 - probability, abs=0.01)


def test_latent_moments_equal_dense_algebra(make_problem: MakeProblem) -> None:
    """Rasmussen and Williams, equations 3.21 and 3.24, with explicit inverses."""
    problem = make_problem(1, 15, 4, prior=0.7)
    solution = LaplaceEngine(learn=False).solve([problem])[0]
    x, y = problem.feature.astype(float), problem.contested_feature.astype(float)

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.exp(-2 * ((a[:, None] - b[None]) ** 2).sum(-1))

    covariance, label = kernel(x, x), np.where(problem.first, 1.0, -1.0)
    increment = np.zeros(15)
    for _ in range(50):
        latent = problem.prior_mean + increment
        curvature = expit(latent) * expit(-latent)
        step = np.linalg.solve(
            np.eye(15) + covariance * curvature, covariance @ (label * expit(-label * latent)) - increment
        )
        increment = increment + step
    latent = problem.prior_mean + increment
    cross = kernel(x, y)
    mean = problem.contested_prior_mean + cross.T @ np.linalg.solve(covariance, increment)
    spread = np.linalg.inv(covariance + np.diag(1 / (expit(latent) * expit(-latent))))
    variance = 1 - np.einsum("nm,nk,km->m", cross, spread, cross)
    np.testing.assert_allclose(solution.latent_mean, mean, atol=1e-6)
    np.testing.assert_allclose(solution.latent_variance, variance, atol=1e-6)


def test_fixed_hyperparameters_are_those_of_table_6(make_problem: MakeProblem) -> None:
    solution = LaplaceEngine(learn=False).solve([make_problem(0)])[0]
    assert solution.length_scale == pytest.approx(0.5)
    assert solution.output_scale == pytest.approx(1.0)


def test_learnt_hyperparameters_are_a_maximum(make_problem: MakeProblem) -> None:
    """Log evidence plus log prior drops to every side of what was learnt; it rose from the start."""
    problem = make_problem(2, 60)
    solution = LaplaceEngine().solve([problem])[0]
    batch = stack([problem], "float64", "cpu")
    distance = squared_distance(batch.feature, batch.feature)
    start = np.log([float(typical_distance(batch, distance)), 1.0])

    def objective(point: np.ndarray) -> float:
        parameter = torch.from_numpy(point)[None]
        found = laplace_posterior(batch, distance, parameter, torch.zeros_like(batch.label), torch.tensor([True]))
        return float(found.log_evidence) - 0.5 * float(np.square(point - start).sum())

    learnt = np.log([solution.length_scale, solution.output_scale])
    best = objective(learnt)
    assert best > objective(start) + 0.1
    for direction in np.array([[1, 0], [0, 1], [1, 1], [1, -1]]):
        for size in (0.05, -0.05):
            assert objective(learnt + size * direction) < best


def test_length_scale_follows_the_scale_of_the_features(make_problem: MakeProblem) -> None:
    problem = make_problem(3)
    eightfold = replace(
        problem, feature=problem.feature * np.float32(8), contested_feature=problem.contested_feature * np.float32(8)
    )
    small, large = LaplaceEngine().solve([problem, eightfold])
    assert large.length_scale == pytest.approx(8 * small.length_scale, rel=1e-4)
    np.testing.assert_allclose(large.probability, small.probability, atol=1e-5)


def test_many_columns_do_not_leave_the_search_where_the_kernel_is_flat(make_problem: MakeProblem) -> None:
    """In 96 columns every pair is 40 of the fixed length scales apart; learning starts where regions see each other."""
    generator = np.random.default_rng(0)
    first = np.arange(60) % 2 == 0
    center = np.where(first, 1.0, -1.0)[:, None] * generator.normal(size=96)
    feature = (center + 2 * generator.normal(size=(60, 96))).astype(np.float32)
    nothing = np.zeros(60, np.float32)
    problem = PairProblem(feature[:40], first[:40], feature[40:], nothing[:40], nothing[40:])
    solution = LaplaceEngine().solve([problem])[0]
    assert ((solution.probability > 0.5) == first[40:]).all()


def test_probability_and_latent_mean_agree_on_the_side(make_problem: MakeProblem) -> None:
    solution = LaplaceEngine().solve([make_problem(4, contested=50, prior=1.0)])[0]
    assert ((solution.probability > 0.5) == (solution.latent_mean > 0)).all()
    np.testing.assert_allclose(
        solution.probability,
        expit(solution.latent_mean / np.sqrt(1 + np.pi / 8 * solution.latent_variance)),
        atol=1e-6,
    )
