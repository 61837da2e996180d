"""The batched engine against gpytorch's own model, run as published: one pair at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
import torch

from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.padding import stack
from stages.posteriors.engines.variational import VariationalEngine, VariationalModel

# isort: split
# after the engine, which imports gpytorch without the deprecation warnings of torch.jit
import gpytorch
from gpytorch.kernels import RBFKernel, ScaleKernel

MakeProblem = Callable[..., PairProblem]


class PublishedModel(gpytorch.models.ApproximateGP):
    def __init__(self, inducing: torch.Tensor) -> None:
        distribution = gpytorch.variational.CholeskyVariationalDistribution(len(inducing), mean_init_std=0)
        strategy = gpytorch.variational.VariationalStrategy(
            self, inducing, distribution, learn_inducing_locations=False
        )
        super().__init__(strategy)  # type: ignore[no-untyped-call]
        self.mean_module = gpytorch.means.ZeroMean()
        self.covar_module = ScaleKernel(RBFKernel())

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


@dataclass
class Published:
    latent_mean: np.ndarray
    latent_variance: np.ndarray
    probability: np.ndarray
    length_scale: float
    output_scale: float
    bound: float


def solve_one(problem: PairProblem, learn: bool, steps: int, dtype: torch.dtype) -> Published:
    """50 Adam steps at 0.1 on gpytorch's VariationalELBO, labels {0, 1}; no prior mean."""
    feature = torch.tensor(problem.feature, dtype=dtype)
    label = torch.tensor(problem.first, dtype=dtype)
    model, likelihood = PublishedModel(feature).to(dtype), gpytorch.likelihoods.BernoulliLikelihood()
    if not learn:
        model.covar_module.base_kernel.initialize(lengthscale=0.5)
        model.covar_module.initialize(outputscale=1.0)
        model.covar_module.requires_grad_(False)
    objective = gpytorch.mlls.VariationalELBO(likelihood, model, num_data=len(label))

    def bound() -> torch.Tensor:
        return cast(torch.Tensor, objective(model(feature), label))

    optimizer = torch.optim.Adam([parameter for parameter in model.parameters() if parameter.requires_grad], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(-bound())
        optimizer.step()
    value = bound().item()
    model.eval()
    with torch.no_grad():
        latent = model(torch.tensor(problem.contested_feature, dtype=dtype))
        return Published(
            latent.mean.numpy(),
            latent.variance.numpy(),
            likelihood(latent).mean.numpy(),
            model.covar_module.base_kernel.lengthscale.item(),
            model.covar_module.outputscale.sqrt().item(),
            value,
        )


@pytest.mark.parametrize("learn", [True, False])
def test_equals_gpytorch_one_by_one(make_problem: MakeProblem, learn: bool) -> None:
    problems = [make_problem(seed, size, 8) for seed, size in enumerate((12, 25, 31))]
    for problem, solution in zip(problems, VariationalEngine(learn=learn).solve(problems), strict=True):
        published = solve_one(problem, learn, 50, torch.float64)
        # gpytorch's log CDF is exact to about 1e-5; Adam's small steps near a flat bound enlarge that
        np.testing.assert_allclose(solution.latent_mean, published.latent_mean, atol=1e-3)
        np.testing.assert_allclose(solution.latent_variance, published.latent_variance, atol=1e-3)
        np.testing.assert_allclose(solution.probability, published.probability, atol=1e-4)
        assert solution.length_scale == pytest.approx(published.length_scale, abs=1e-3)
        assert solution.output_scale == pytest.approx(published.output_scale, abs=1e-3)
        assert solution.evidence == pytest.approx(published.bound, abs=1e-4)
        assert solution.steps == 50


@pytest.mark.slow
def test_labels_are_those_of_the_published_single_precision(make_problem: MakeProblem) -> None:
    problems = [make_problem(100 + seed, 100, 30) for seed in range(64)]
    published = np.concatenate([solve_one(problem, True, 50, torch.float32).probability for problem in problems])
    found = np.concatenate([solution.probability for solution in VariationalEngine().solve(problems)])
    assert ((found >= 0.5) == (published >= 0.5)).mean() >= 0.999
    assert np.abs(found - published).max() < 0.02


def test_bound_is_below_the_evidence_of_one_region() -> None:
    """One region, prior variance s^2 = 1: p(label) = 1/2, and the best Gaussian comes close from below."""
    nothing, place = np.zeros(1, np.float32), np.zeros((1, 2), np.float32)
    problem = PairProblem(place, np.array([True]), place, nothing, nothing)
    solution = VariationalEngine(learn=False, steps=300).solve([problem])[0]
    assert np.log(0.5) - 0.03 < solution.evidence < np.log(0.5)
    # exact posterior of N(0, 1) Phi(f): mean 2 phi(0) / sqrt(2), probability Phi(f) squared over a half = 2/3
    assert solution.latent_mean[0] == pytest.approx(0.5642, abs=0.03)
    assert solution.probability[0] == pytest.approx(2 / 3, abs=0.01)


def test_prior_mean_shifts_what_is_left_to_explain(make_problem: MakeProblem) -> None:
    """A prior mean that already agrees leaves a smaller increment; its evidence is higher."""
    problem = make_problem(1)
    agreeing = np.where(problem.first, 2.0, -2.0).astype(np.float32)
    informed = PairProblem(
        problem.feature, problem.first, problem.contested_feature, agreeing, problem.contested_prior_mean
    )
    plain, helped = VariationalEngine(learn=False).solve([problem, informed])
    assert helped.evidence > plain.evidence + 0.1
    assert np.abs(helped.latent_mean).max() < np.abs(plain.latent_mean).max()


def test_gradient_of_one_problem_is_independent_of_another(make_problem: MakeProblem) -> None:
    a, b = make_problem(1, 20), make_problem(2, 30)
    gradients = []
    for other in (b, make_problem(3, 30)):
        model = VariationalModel(stack([a, other], "float64", "cpu"), learn=True)
        torch.autograd.backward(model.bound().sum())
        gradients.append([parameter.grad[0] for parameter in model.parameters() if parameter.grad is not None])
    assert len(gradients[0]) == 4
    for first, second in zip(*gradients, strict=True):
        assert torch.equal(first, second)
    assert any(gradient.abs().max() > 0 for gradient in gradients[0])
