"""The published generator's engine (GaPro, section 3.1): one gpytorch model after the other; the same model batched.

The label generator of GaPro fits one gpytorch model for each pair: a variational Gaussian Process whose inducing points
are the determined regions, with an RBF kernel whose two scales are learnt, a Bernoulli likelihood, and 50 steps of Adam
at 0.1 on the bound. Both engines here run gpytorch's own model, strategy, kernel and likelihood; ``VariationalEngine``
of the package is its batched re-write.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.links import probit_moments
from stages.posteriors.engines.padding import Precision, padded_rows, stack
from stages.posteriors.engines.solutions import Fit, Moments, failed_solution, solution
from stages.typing import Float, Float64

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit at import, which newer torch deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import gpytorch
    from gpytorch.kernels import RBFKernel, ScaleKernel
    from linear_operator.utils.errors import NanError, NotPSDError

STEPS = 50
LEARNING_RATE = 0.1
FAR = 100.0
"""where padded rows lie, in a column of their own: at any length scale that 50 steps reach, their kernel is 0"""
ENTRIES = 2**21
"""entries of the covariance matrices of a batch"""


class PublishedModel(gpytorch.models.ApproximateGP):
    """Variational classifier, or a batch of them, whose inducing points are the determined regions."""

    def __init__(self, inducing: Float[Tensor, "*B n D"]) -> None:
        batch, rows = inducing.shape[:-2], inducing.shape[-2]
        distribution = gpytorch.variational.CholeskyVariationalDistribution(rows, batch_shape=batch, mean_init_std=0)
        strategy = gpytorch.variational.VariationalStrategy(
            self, inducing, distribution, learn_inducing_locations=False
        )
        super().__init__(strategy)  # type: ignore[no-untyped-call]
        self.mean_module = gpytorch.means.ZeroMean(batch_shape=batch)
        self.covar_module = ScaleKernel(RBFKernel(batch_shape=batch), batch_shape=batch)

    def forward(self, x: Float[Tensor, "*B n D"]) -> gpytorch.distributions.MultivariateNormal:
        """The prior at ``x``."""
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))

    def scales(self) -> tuple[Float[Tensor, "*B"], Float[Tensor, "*B"]]:
        """Length scales and output scales."""
        return self.covar_module.base_kernel.lengthscale[..., 0, 0], self.covar_module.outputscale.sqrt()


@dataclass(frozen=True)
class PublishedEngine:
    """One pair after the other, in single precision, as published.

    The published model has no prior mean: that of the contested regions (0 under the published settings) is added to
    the latent mean that it predicts.
    """

    link: ClassVar[Link] = "probit"

    dtype: Precision = "float32"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; ``steps`` counts those of Adam.

        Raises ValueError for a problem whose determined regions have a prior mean.
        """
        return [self._solve_one(problem) for problem in problems]

    def _solve_one(self, problem: PairProblem) -> PairSolution:
        _refuse_prior_mean(problem)
        dtype = getattr(torch, self.dtype)
        feature, label, contested = (
            torch.tensor(values, dtype=dtype, device=self.device)
            for values in (problem.feature, problem.first, problem.contested_feature)
        )
        model, likelihood = PublishedModel(feature).to(feature), gpytorch.likelihoods.BernoulliLikelihood()
        objective = gpytorch.mlls.VariationalELBO(likelihood, model, num_data=len(label))
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        try:
            for _ in range(STEPS):
                optimizer.zero_grad()
                bound = cast(Tensor, objective(model(feature), label))
                torch.autograd.backward(-bound)
                optimizer.step()
            model.eval()
            with torch.no_grad():
                latent = model(contested)
                mean, variance = latent.mean, latent.variance
        except (NanError, NotPSDError):
            return failed_solution(len(contested), STEPS)
        length_scale, output_scale = model.scales()
        fit = Fit(length_scale.item(), output_scale.item(), bound.item(), STEPS, 0, True)
        return solution(fit, _moments(problem, mean, variance))


@dataclass(frozen=True)
class BatchedGpytorch:
    """The same model as one batched gpytorch model for all pairs of a padded size, in double precision.

    Padding leaves the answers as they are: padded rows lie ``FAR`` from all others, so that their kernel is 0, their
    likelihood is left out of the bound, and their whitened posterior stays the prior, which costs no divergence. (In
    single precision the far rows would cost gpytorch's distances their last digits.)
    """

    link: ClassVar[Link] = "probit"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; a batch that gpytorch cannot factorise fails as a whole."""
        solutions = [failed_solution(len(problem.contested_feature), STEPS) for problem in problems]
        buckets: dict[int, list[int]] = defaultdict(list)
        for index, problem in enumerate(problems):
            _refuse_prior_mean(problem)
            buckets[padded_rows(len(problem.feature))].append(index)
        for rows, members in sorted(buckets.items()):
            size = max(1, ENTRIES // rows**2)
            for start in range(0, len(members), size):
                chosen = members[start : start + size]
                try:
                    found = _solve_batch([problems[index] for index in chosen])
                except (NanError, NotPSDError):
                    continue
                for index, one in zip(chosen, found, strict=True):
                    solutions[index] = one
        return solutions


def _solve_batch(problems: Sequence[PairProblem]) -> list[PairSolution]:
    batch = stack(problems, "float64", "cpu")
    feature = torch.cat([batch.feature, FAR * (1.0 - batch.present)[..., None]], dim=-1)
    label, count = (batch.label + 1.0) / 2.0, batch.present.sum(-1)
    model, likelihood = PublishedModel(feature).double(), gpytorch.likelihoods.BernoulliLikelihood()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)

    def bound() -> Float[Tensor, " B"]:
        """gpytorch's VariationalELBO, which knows no padded rows, written out: per determined region."""
        expected = likelihood.expected_log_prob(label, model(feature)) * batch.present
        return (expected.sum(-1) - model.variational_strategy.kl_divergence()) / count

    for _ in range(STEPS):
        optimizer.zero_grad()
        value = bound()
        torch.autograd.backward(-value.sum())
        optimizer.step()
    model.eval()
    mean, variance = _predict(model, problems, feature.shape[-2])
    length_scale, output_scale = (scale.tolist() for scale in model.scales())
    bound_found = value.tolist()
    return [
        solution(
            Fit(length_scale[i], output_scale[i], bound_found[i], STEPS, 0, True),
            _moments(problem, *(part[i, : len(problem.contested_feature)] for part in (mean, variance))),
        )
        for i, problem in enumerate(problems)
    ]


def _predict(
    model: PublishedModel, problems: Sequence[PairProblem], block: int
) -> tuple[Float[Tensor, "B m"], Float[Tensor, "B m"]]:
    """Latent moments at the contested regions; the rows beyond those of a problem repeat its last one."""
    longest = max(len(problem.contested_feature) for problem in problems)
    padded = np.stack(
        [p.contested_feature[np.arange(longest).clip(max=len(p.contested_feature) - 1)] for p in problems]
    )
    place = torch.nn.functional.pad(torch.tensor(padded, dtype=torch.float64), (0, 1))
    means, variances = [], []
    with torch.no_grad():
        # in blocks, for gpytorch builds the covariance among all the places that it is given
        for part in place.split(block, dim=1):
            latent = model(part)
            means.append(latent.mean)
            variances.append(latent.variance)
    return torch.cat(means, dim=1), torch.cat(variances, dim=1)


def _refuse_prior_mean(problem: PairProblem) -> None:
    if problem.prior_mean.any():
        raise ValueError("the published model has no prior mean at determined regions")


def _moments(problem: PairProblem, mean: Float[Tensor, " m"], variance: Float[Tensor, " m"]) -> Moments:
    latent_mean: Float64[np.ndarray, " m"] = problem.contested_prior_mean + mean.double().cpu().numpy()
    latent_variance = np.maximum(variance.double().cpu().numpy(), 0.0)
    probability, label_variance = probit_moments(latent_mean, latent_variance)
    return Moments(latent_mean, latent_variance, probability, probability, label_variance)
