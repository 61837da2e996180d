from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.linear import LinearEngine

MakeProblem = Callable[..., PairProblem]


@pytest.mark.parametrize("ridge", [0.01, 1.0, 30.0])
def test_equals_a_direct_minimisation(make_problem: MakeProblem, ridge: float) -> None:
    problem = make_problem(1, 40, 5, prior=0.5)
    solution = LinearEngine(ridge=ridge).solve([problem])[0]
    center = problem.feature.astype(float).mean(0)
    design = np.column_stack([problem.feature - center, np.ones(40)])
    label = np.where(problem.first, 1.0, -1.0)

    def loss(weight: np.ndarray) -> float:
        return 0.5 * ridge * weight @ weight - log_expit(label * (problem.prior_mean + design @ weight)).sum()

    def gradient(weight: np.ndarray) -> np.ndarray:
        return ridge * weight - design.T @ (label * expit(-label * (problem.prior_mean + design @ weight)))

    weight = minimize(loss, np.zeros(7), jac=gradient, method="BFGS", options={"gtol": 1e-8}).x
    contested = np.column_stack([problem.contested_feature - center, np.ones(5)])
    score = problem.contested_prior_mean + contested @ weight
    np.testing.assert_allclose(solution.latent_mean, score, atol=1e-5)
    np.testing.assert_allclose(solution.probability, expit(score), atol=1e-6)

    latent = problem.prior_mean + design @ weight
    curvature = expit(latent) * expit(-latent)
    hessian = design.T @ (curvature[:, None] * design) / ridge + np.eye(7)
    evidence = -loss(weight) - 0.5 * np.linalg.slogdet(hessian)[1]
    assert solution.evidence == pytest.approx(evidence / 40, abs=1e-9)


def test_it_is_certain_and_has_no_scales(make_problem: MakeProblem) -> None:
    solution = LinearEngine().solve([make_problem(2)])[0]
    assert (solution.latent_variance == 0).all()
    assert (solution.variance == 0).all()
    np.testing.assert_array_equal(solution.mean, solution.probability)
    assert np.isnan((solution.length_scale, solution.output_scale)).all()


def test_score_is_linear(make_problem: MakeProblem) -> None:
    problem = make_problem(3, contested=2)
    a, b = problem.contested_feature
    line = np.stack([a, b, (a + b) / 2]).astype(np.float32)
    solution = LinearEngine().solve(
        [replace(problem, contested_feature=line, contested_prior_mean=np.zeros(3, np.float32))]
    )[0]
    assert solution.latent_mean[2] == pytest.approx((solution.latent_mean[0] + solution.latent_mean[1]) / 2, abs=1e-5)


def test_separable_owners_do_not_diverge() -> None:
    feature = np.array([[-1.0], [1.0]], np.float32)
    nothing = np.zeros(2, np.float32)
    solution = LinearEngine().solve([PairProblem(feature, np.array([False, True]), feature, nothing, nothing)])[0]
    assert solution.converged
    # the optimum of w^2 / 2 + 2 log(1 + exp(-w)): w = 2 sigmoid(-w)
    weight = solution.latent_mean[1]
    assert weight == pytest.approx(2 * expit(-weight), abs=1e-6)
