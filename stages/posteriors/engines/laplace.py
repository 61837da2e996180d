"""Gaussian Process classification with the sigmoid link by Laplace's approximation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.hyperparameters import Evidence, Optimum, maximise, starting_scales
from stages.posteriors.engines.kernels import cholesky, posterior_moments, rbf, squared_distance
from stages.posteriors.engines.links import eq2_probability, sigmoid_moments
from stages.posteriors.engines.newton import information, laplace_evidence, likelihood_gradient, root_curvature
from stages.posteriors.engines.padding import Batch, Precision, solve_in_batches
from stages.posteriors.engines.solutions import Moments, solution
from stages.typing import Bool, Float


@dataclass(frozen=True)
class LaplaceEngine:
    """Laplace's approximation (Rasmussen and Williams 2006, chapter 3); probability by GaPro, eq. (2).

    Length scale l and output scale s are learnt, those of the largest evidence times prior: log l ~ N(log of the median
    distance between determined regions, 1), log s ~ N(0, 1); or fixed, l = 0.5 and s = 1 (GaPro, table 6).
    """

    link: ClassVar[Link] = "sigmoid"

    learn: bool = True
    dtype: Precision = "float64"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; ``steps`` counts the Newton steps of the whole search."""
        return solve_in_batches(problems, self._solve_batch, self.dtype, self.device)

    def _solve_batch(self, batch: Batch) -> list[PairSolution]:
        distance = squared_distance(batch.feature, batch.feature)

        def evaluate(
            log_parameter: Float[Tensor, "B P"], state: Float[Tensor, "B n"], active: Bool[Tensor, " B"]
        ) -> Evidence:
            return laplace_evidence(batch, distance, log_parameter, state, active)

        start = starting_scales(batch, self.learn)
        optimum = maximise(evaluate, start, torch.zeros_like(batch.label), self.learn)
        return [_predict(batch, optimum, index) for index in range(len(batch.problems))]


def _predict(batch: Batch, optimum: Optimum, index: int) -> PairSolution:
    """Posterior at the contested regions (Rasmussen and Williams, algorithm 3.2)."""
    single = batch.single(index)
    count = len(single.label)
    length_scale, output_scale = optimum.log_parameter[index].exp()
    covariance = rbf(squared_distance(single.feature, single.feature), length_scale, output_scale)
    cross = rbf(squared_distance(single.feature, single.contested_feature), length_scale, output_scale)

    latent = single.prior_mean + covariance @ optimum.evidence.state[index, :count]
    root = root_curvature(single.label, latent)
    factor = cholesky(information(covariance, root)[None])
    weight = likelihood_gradient(single.label, latent)
    increment, latent_variance = posterior_moments(cross, weight, factor.lower[0], root, output_scale)
    latent_mean = batch.problems[index].contested_prior_mean + increment
    moments = Moments(
        latent_mean,
        latent_variance,
        eq2_probability(latent_mean, latent_variance),
        *sigmoid_moments(latent_mean, latent_variance),
    )
    return solution(optimum.fit(index, count), moments)
