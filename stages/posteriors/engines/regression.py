"""Gaussian Process regression on labels +-1: closed form, the quickest and crudest of the Gaussian Processes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.base import Link
from stages.posteriors.engines.gaussian import GaussianProcessEngine, Posterior
from stages.posteriors.engines.hyperparameters import starting_scales
from stages.posteriors.engines.kernels import cholesky, padded_rbf
from stages.posteriors.engines.links import step_moments
from stages.posteriors.engines.padding import Batch
from stages.posteriors.engines.solutions import Moments
from stages.typing import Bool, Float, Float64

NOISE = 0.1
"""standard deviation of the noise of a label, fixed or the median of its prior"""


@dataclass(frozen=True, kw_only=True)
class RegressionEngine(GaussianProcessEngine):
    """Exact regression (Rasmussen and Williams 2006, chapter 2): label +-1 = f + noise, f = prior mean + GP(0, kernel).

    The label is the step of f, so probability and mean are P(f > 0), and the variance is that of the step, p (1 - p).
    Length scale l, output scale s and noise t are learnt, those of the largest evidence times prior: log l ~ N(log of
    the median distance between determined regions, 1), log s ~ N(0, 1), log t ~ N(log 0.1, 1); or fixed, l = 0.5, s = 1
    (GaPro, table 6) and t = 0.1. ``steps`` counts evaluations of the evidence.
    """

    link: ClassVar[Link] = "step"

    def start(self, batch: Batch, distance: Float[Tensor, "B n n"]) -> Float[Tensor, "B 3"]:
        """Logarithms of length scale, output scale and noise."""
        scales = starting_scales(batch, distance, self.learn)
        return torch.cat([scales, torch.full_like(scales[:, :1], math.log(NOISE))], dim=-1)

    def posterior(
        self,
        batch: Batch,
        distance: Float[Tensor, "B n n"],
        log_parameter: Float[Tensor, "B 3"],
        _state: Float[Tensor, "B n"],
        _active: Bool[Tensor, " B"],
    ) -> Posterior:
        """In closed form, for all problems, from no state."""
        return regression_posterior(batch, distance, log_parameter)

    def gradient(self, batch: Batch, distance: Float[Tensor, "B n n"], posterior: Posterior) -> Float[Tensor, "B 3"]:
        """By the logarithms of length scale, output scale and noise."""
        return regression_gradient(batch, distance, posterior)

    def moments(self, latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
        """Moments of the step of f."""
        mean, variance = step_moments(latent_mean, latent_variance)
        return Moments(latent_mean, latent_variance, mean, mean, variance)


def regression_posterior(
    batch: Batch, distance: Float[Tensor, "B n n"], log_parameter: Float[Tensor, "B 3"]
) -> Posterior:
    """Algorithm 2.1, log p(labels) by equation 2.30; ``distance`` holds squared distances."""
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
    return Posterior(
        log_parameter,
        covariance,
        weight,
        batch.present,
        factor.lower,
        torch.where(~factor.failed & value.isfinite(), value, -torch.inf),
        torch.ones_like(factor.retries),
        factor.retries,
    )


def regression_gradient(batch: Batch, distance: Float[Tensor, "B n n"], posterior: Posterior) -> Float[Tensor, "B 3"]:
    """Gradient of the log evidence (equation 5.9) by log length scale, log output scale and log noise."""
    length_scale, _, noise = posterior.log_parameter.exp().unbind(-1)
    weight, covariance = posterior.weight, posterior.covariance
    sensitivity = weight[:, :, None] * weight[:, None, :] - torch.cholesky_inverse(posterior.lower)
    by_length = (sensitivity * covariance * distance).sum((-2, -1)) / length_scale.square()
    by_output = 2.0 * (sensitivity * covariance).sum((-2, -1))
    by_noise = 2.0 * (sensitivity.diagonal(dim1=-2, dim2=-1) * batch.present).sum(-1) * noise.square()
    return 0.5 * torch.stack([by_length, by_output, by_noise], dim=-1)
