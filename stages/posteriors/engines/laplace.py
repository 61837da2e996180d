"""Gaussian Process classification with the sigmoid link by Laplace's approximation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from stages.posteriors.engines.base import Link
from stages.posteriors.engines.gaussian import GaussianProcessEngine, Posterior
from stages.posteriors.engines.hyperparameters import starting_scales
from stages.posteriors.engines.links import eq2_probability, sigmoid_moments
from stages.posteriors.engines.newton import laplace_gradient, laplace_posterior
from stages.posteriors.engines.padding import Batch
from stages.posteriors.engines.solutions import Moments
from stages.typing import Bool, Float, Float64


@dataclass(frozen=True, kw_only=True)
class LaplaceEngine(GaussianProcessEngine):
    """Laplace's approximation (Rasmussen and Williams 2006, chapter 3); probability by GaPro, eq. (2).

    Length scale l and output scale s are learnt, those of the largest evidence times prior: log l ~ N(log of the median
    distance between determined regions, 1), log s ~ N(0, 1); or fixed, l = 0.5 and s = 1 (GaPro, table 6). ``steps``
    counts the Newton steps of the whole search.
    """

    link: ClassVar[Link] = "sigmoid"

    def start(self, batch: Batch, distance: Float[Tensor, "B n n"]) -> Float[Tensor, "B 2"]:
        """Logarithms of length scale and output scale."""
        return starting_scales(batch, distance, self.learn)

    def posterior(
        self,
        batch: Batch,
        distance: Float[Tensor, "B n n"],
        log_parameter: Float[Tensor, "B 2"],
        state: Float[Tensor, "B n"],
        active: Bool[Tensor, " B"],
    ) -> Posterior:
        """By Newton's method."""
        return laplace_posterior(batch, distance, log_parameter, state, active)

    def gradient(self, batch: Batch, distance: Float[Tensor, "B n n"], posterior: Posterior) -> Float[Tensor, "B 2"]:
        """By the logarithms of length scale and output scale."""
        return laplace_gradient(batch, distance, posterior)

    def moments(self, latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
        """Moments of sigmoid(f); eq. (2) of GaPro."""
        probability = eq2_probability(latent_mean, latent_variance)
        return Moments(latent_mean, latent_variance, probability, *sigmoid_moments(latent_mean, latent_variance))
