from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, ndtr
from scipy.stats import norm

from stages.posteriors.engines.links import eq2_probability, probit_moments, sigmoid_moments, step_moments

GRID = [
    (mean, deviation**2) for mean in (-30.0, -3.0, 0.0, 0.7, 8.0) for deviation in (1e-4, 0.3, 0.99, 1.01, 4.0, 60.0)
]


def dense_moments(link: Callable[[float], float], mean: float, variance: float) -> tuple[float, float]:
    """Adaptive quadrature over +-12 standard deviations, split where the link turns."""
    deviation = np.sqrt(variance)
    low, high = mean - 12 * deviation, mean + 12 * deviation
    turns = [point for point in (-20.0, -5.0, 0.0, 5.0, 20.0) if low < point < high]
    edges = [low, *turns, *([mean] if mean not in turns else []), high]
    edges.sort()

    def expectation(g: Callable[[float], float]) -> float:
        pieces = pairwise(edges)
        return sum(
            quad(lambda f: g(f) * norm.pdf(f, mean, deviation), a, b, epsabs=1e-13, limit=400)[0] for a, b in pieces
        )

    first = expectation(link)
    return first, expectation(lambda f: (link(f) - first) ** 2)


@pytest.mark.parametrize(("mean", "variance"), GRID)
def test_sigmoid_moments_equal_dense_quadrature(mean: float, variance: float) -> None:
    found = sigmoid_moments(np.array([mean]), np.array([variance]))
    np.testing.assert_allclose(np.concatenate(found), dense_moments(expit, mean, variance), atol=1e-10)


@pytest.mark.parametrize(("mean", "variance"), GRID)
def test_probit_moments_equal_dense_quadrature(mean: float, variance: float) -> None:
    found = probit_moments(np.array([mean]), np.array([variance]))
    np.testing.assert_allclose(np.concatenate(found), dense_moments(ndtr, mean, variance), atol=1e-10)


def test_without_latent_variance_the_label_is_certain() -> None:
    latent, nothing = np.array([-2.0, 0.0, 3.0]), np.zeros(3)
    for moments, link in ((sigmoid_moments, expit), (probit_moments, ndtr)):
        mean, variance = moments(latent, nothing)
        np.testing.assert_allclose(mean, link(latent), atol=1e-15)
        np.testing.assert_allclose(variance, 0.0, atol=1e-16)


def test_endless_latent_variance_is_a_coin_flip_between_0_and_1() -> None:
    for moments in (sigmoid_moments, probit_moments, step_moments):
        mean, variance = moments(np.array([1.0]), np.array([1e12]))
        np.testing.assert_allclose((mean[0], variance[0]), (0.5, 0.25), atol=1e-5)


def test_step_moments() -> None:
    mean, variance = step_moments(np.array([0.0, 1.0, -2.0, 0.0]), np.array([4.0, 1.0, 0.0, 0.0]))
    np.testing.assert_allclose(mean, [0.5, 0.8413447460685429, 0.0, 0.5], atol=1e-15)
    np.testing.assert_allclose(variance, [0.25, 0.13348376439936945, 0.0, 0.25], atol=1e-15)


def test_eq2_golden_numbers() -> None:
    found = eq2_probability(np.array([0.0, 2.0, 2.0]), np.array([5.0, 0.0, 8.0 / np.pi * 3.0]))
    np.testing.assert_allclose(found, [0.5, 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))], atol=1e-15)


def test_eq2_approximates_the_mean_of_the_sigmoid() -> None:
    mean, variance = (grid.ravel() for grid in np.meshgrid(np.linspace(-6, 6, 25), np.linspace(0, 40, 21)))
    assert np.abs(eq2_probability(mean, variance) - sigmoid_moments(mean, variance)[0]).max() < 0.02
