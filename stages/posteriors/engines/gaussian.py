"""What the engines with a closed-form posterior share: the search for hyper-parameters, prediction, bookkeeping."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.posteriors.engines.base import PairSolution
from stages.posteriors.engines.batched import BatchedEngine
from stages.posteriors.engines.hyperparameters import Evidence, maximise
from stages.posteriors.engines.kernels import posterior_moments, rbf, squared_distance
from stages.posteriors.engines.padding import Batch
from stages.posteriors.engines.prediction import at_contested
from stages.posteriors.engines.solutions import Moments, fits_of, solution
from stages.typing import Bool, Float, Float64, Int64


@dataclass(frozen=True, eq=False)
class Posterior:
    """Gaussian posteriors of a batch of problems at given hyper-parameters; the tensors predict at any place."""

    log_parameter: Float[Tensor, "B P"]
    """length scale, output scale and, where the engine has one, noise"""
    covariance: Float[Tensor, "B n n"]
    """K, zero in padded rows and columns"""
    weight: Float[Tensor, "B n"]
    """K^-1 (f - prior mean) at the mean or mode f; 0 in padded rows"""
    root: Float[Tensor, "B n"]
    """W^1/2 (1 for regression); 0 in padded rows"""
    lower: Float[Tensor, "B n n"]
    """Cholesky factor of I + W^1/2 K W^1/2 (of K + noise for regression); the identity in padded rows"""
    log_evidence: Float[Tensor, " B"]
    """-inf where it could not be computed"""
    steps: Int64[Tensor, " B"]
    jitter_retries: Int64[Tensor, " B"]

    def evidence(self, gradient: Float[Tensor, "B P"]) -> Evidence:
        """As the search for hyper-parameters wants it."""
        return Evidence(self.log_evidence, gradient, self.weight, self.steps, self.jitter_retries)


@dataclass(frozen=True, kw_only=True)
class GaussianProcessEngine(BatchedEngine):
    """A Gaussian Process with the covariance of GaPro, eq. (1), whose hyper-parameters are fixed or learnt."""

    learn: bool = True

    def solve_batch(self, batch: Batch) -> list[PairSolution]:
        """The solutions of ``batch.problems``."""
        distance = squared_distance(batch.feature, batch.feature)
        everyone = torch.ones_like(batch.label[:, 0], dtype=torch.bool)
        log_parameter, state = self.start(batch, distance), torch.zeros_like(batch.label)
        steps = retries = torch.zeros_like(everyone, dtype=torch.int64)
        if self.learn:

            def evaluate(
                log_parameter: Float[Tensor, "B P"], state: Float[Tensor, "B n"], active: Bool[Tensor, " B"]
            ) -> Evidence:
                posterior = self.posterior(batch, distance, log_parameter, state, active)
                return posterior.evidence(self.gradient(batch, distance, posterior))

            optimum = maximise(evaluate, log_parameter, state)
            log_parameter, state = optimum.log_parameter, optimum.state
            steps, retries = optimum.steps, optimum.jitter_retries
        posterior = self.posterior(batch, distance, log_parameter, state, everyone)
        fits = fits_of(
            batch,
            log_parameter[:, :2].exp(),
            posterior.log_evidence,
            steps + posterior.steps,
            retries + posterior.jitter_retries,
        )
        moments = _latent_moments(batch, posterior)
        return [solution(fit, self.moments(*latent)) for fit, latent in zip(fits, moments, strict=True)]

    @abstractmethod
    def start(self, batch: Batch, distance: Float[Tensor, "B n n"]) -> Float[Tensor, "B P"]:
        """Logarithms of the fixed hyper-parameters, or of the medians of their priors, where the search starts."""

    @abstractmethod
    def posterior(
        self,
        batch: Batch,
        distance: Float[Tensor, "B n n"],
        log_parameter: Float[Tensor, "B P"],
        state: Float[Tensor, "B n"],
        active: Bool[Tensor, " B"],
    ) -> Posterior:
        """Posteriors of the active problems, found from weights ``state``; ``distance`` holds squared distances."""

    @abstractmethod
    def gradient(self, batch: Batch, distance: Float[Tensor, "B n n"], posterior: Posterior) -> Float[Tensor, "B P"]:
        """Gradient of the log evidence by the logarithms of the hyper-parameters."""

    @abstractmethod
    def moments(self, latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
        """Probability, and mean and variance of the label, through the engine's link."""


def _latent_moments(
    batch: Batch, posterior: Posterior
) -> Sequence[tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]]:
    """Rasmussen and Williams 2006, algorithms 2.1 and 3.2."""
    length_scale, output_scale = posterior.log_parameter[:, :2].exp().unbind(-1)

    def predict(
        chosen: Int64[Tensor, " C"], places: Float[Tensor, "C m D"]
    ) -> tuple[Float[Tensor, "C m"], Float[Tensor, "C m"]]:
        distance = squared_distance(batch.feature[chosen], places)
        return posterior_moments(
            rbf(distance, length_scale[chosen], output_scale[chosen]),
            posterior.weight[chosen],
            posterior.lower[chosen],
            posterior.root[chosen],
            output_scale[chosen],
        )

    return at_contested(batch, predict)
