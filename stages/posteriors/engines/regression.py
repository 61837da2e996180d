"""Gaussian Process regression on labels +-1: closed form, the quickest and crudest of the Gaussian Processes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.hyperparameters import Evidence, Optimum, maximise, starting_scales
from stages.posteriors.engines.kernels import (
    cholesky,
    padded_rbf,
    posterior_moments,
    rbf,
    squared_distance,
)
from stages.posteriors.engines.links import step_moments
from stages.posteriors.engines.padding import Batch, Precision, solve_in_batches
from stages.posteriors.engines.solutions import Moments, solution
from stages.typing import Bool, Float

NOISE = 0.1
"""standard deviation of the noise of a label, fixed or the median of its prior"""


@dataclass(frozen=True)
class RegressionEngine:
    """Exact regression (Rasmussen and Williams 2006, chapter 2): label +-1 = f + noise, f = prior mean + GP(0, kernel).

    The label is the step of f, so probability and mean are P(f > 0), and the variance is that of the step, p (1 - p).
    Length scale l, output scale s and noise t are learnt, those of the largest evidence times prior: log l ~ N(log of
    the median distance between determined regions, 1), log s ~ N(0, 1), log t ~ N(log 0.1, 1); or fixed, l = 0.5, s = 1
    (GaPro, table 6) and t = 0.1.
    """

    link: ClassVar[Link] = "step"

    learn: bool = True
    dtype: Precision = "float64"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; ``steps`` counts evaluations of the evidence."""
        return solve_in_batches(problems, self._solve_batch, self.dtype, self.device)

    def _solve_batch(self, batch: Batch) -> list[PairSolution]:
        distance = squared_distance(batch.feature, batch.feature)

        def evaluate(
            log_parameter: Float[Tensor, "B P"], _state: Float[Tensor, "B n"], _active: Bool[Tensor, " B"]
        ) -> Evidence:
            return regression_evidence(batch, distance, log_parameter)

        scales = starting_scales(batch, self.learn)
        start = torch.cat([scales, torch.full_like(scales[:, :1], math.log(NOISE))], dim=-1)
        optimum = maximise(evaluate, start, torch.zeros_like(batch.label), self.learn)
        return [_predict(batch, optimum, index) for index in range(len(batch.problems))]


def regression_evidence(
    batch: Batch, distance: Float[Tensor, "B n n"], log_parameter: Float[Tensor, "B 3"]
) -> Evidence:
    """Log p(labels) (equation 2.30) and its gradient (5.9) by log length scale, log output scale and log noise.

    ``distance`` holds squared distances.
    """
    length_scale, output_scale, noise = log_parameter.exp().unbind(-1)
    covariance = padded_rbf(distance, batch.present, length_scale, output_scale)
    noise_variance = noise.square()[:, None] * batch.present
    # padded rows get a unit diagonal: they add nothing to the determinant
    factor = cholesky(covariance + torch.diag_embed(noise_variance + 1.0 - batch.present))
    residual = batch.label - batch.prior_mean
    weight = torch.cholesky_solve(residual[..., None], factor.lower)[..., 0]
    log_determinant = 2.0 * factor.lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    log_volume = batch.present.sum(-1) * math.log(2.0 * math.pi)
    value = -0.5 * ((residual * weight).sum(-1) + log_determinant + log_volume)

    sensitivity = weight[:, :, None] * weight[:, None, :] - torch.cholesky_inverse(factor.lower)
    by_length = (sensitivity * covariance * distance).sum((-2, -1)) / length_scale.square()
    by_output = 2.0 * (sensitivity * covariance).sum((-2, -1))
    by_noise = 2.0 * (sensitivity.diagonal(dim1=-2, dim2=-1) * noise_variance).sum(-1)
    return Evidence(
        torch.where(~factor.failed & value.isfinite(), value, -torch.inf),
        0.5 * torch.stack([by_length, by_output, by_noise], dim=-1),
        weight,
        torch.ones_like(factor.retries),
        factor.retries,
    )


def _predict(batch: Batch, optimum: Optimum, index: int) -> PairSolution:
    single = batch.single(index)
    length_scale, output_scale, noise = optimum.log_parameter[index].exp()
    covariance = rbf(squared_distance(single.feature, single.feature), length_scale, output_scale)
    cross = rbf(squared_distance(single.feature, single.contested_feature), length_scale, output_scale)
    ones = torch.ones_like(single.label)
    factor = cholesky((covariance + torch.diag(noise.square() * ones))[None])
    weight = torch.cholesky_solve((single.label - single.prior_mean)[:, None], factor.lower[0])[:, 0]
    increment, latent_variance = posterior_moments(cross, weight, factor.lower[0], ones, output_scale)
    latent_mean = batch.problems[index].contested_prior_mean + increment
    mean, variance = step_moments(latent_mean, latent_variance)
    return solution(optimum.fit(index, len(ones)), Moments(latent_mean, latent_variance, mean, mean, variance))
