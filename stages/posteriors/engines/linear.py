"""A linear classifier for each pair, the baseline of GaPro, table 3 (C)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from stages.posteriors.engines.base import Link, PairSolution
from stages.posteriors.engines.batched import BatchedEngine
from stages.posteriors.engines.newton import evidence_at, find_mode
from stages.posteriors.engines.padding import Batch
from stages.posteriors.engines.prediction import at_contested
from stages.posteriors.engines.solutions import Moments, fits_of, solution
from stages.typing import Float, Float64, Int64


@dataclass(frozen=True, kw_only=True)
class LinearEngine(BatchedEngine):
    """Ridge logistic regression: sigmoid(prior mean + w (x - mean of the determined features) + b).

    The ridge is a normal prior on w and b, mean 0, precision ``ridge`` > 0. The weights count as certain: both
    variances are 0 and the mean is the probability. Length scale and output scale are NaN; ``steps`` counts Newton
    steps, the evidence is Laplace's.
    """

    link: ClassVar[Link] = "none"

    ridge: float = 1.0

    def solve_batch(self, batch: Batch) -> list[PairSolution]:
        """Newton's method in the dual: the classifier is the Gaussian Process with covariance (x x' + 1) / ridge."""
        center = batch.feature.sum(1) / batch.present.sum(-1, keepdim=True)
        design = with_intercept(batch.feature - center[:, None]) * batch.present[..., None]
        covariance = design @ design.mT / self.ridge
        everyone = torch.ones_like(batch.present[:, 0], dtype=torch.bool)
        mode, found, steps, retries = find_mode(batch, covariance, torch.zeros_like(batch.label), everyone)
        _, factor, evidence = evidence_at(batch, covariance, mode)
        weight = (mode.weight[:, None] @ design)[:, 0] / self.ridge

        def predict(
            chosen: Int64[Tensor, " C"], places: Float[Tensor, "C m D"]
        ) -> tuple[Float[Tensor, "C m"], Float[Tensor, "C m"]]:
            score = (with_intercept(places - center[chosen, None]) @ weight[chosen, :, None])[..., 0]
            return score, torch.zeros_like(score)

        scales = weight.new_full((len(weight), 2), torch.nan)
        value = torch.where(found & ~factor.failed, evidence, -torch.inf)
        fits = fits_of(batch, scales, value, steps, retries + factor.retries)
        return [
            solution(fit, _certain(*latent)) for fit, latent in zip(fits, at_contested(batch, predict), strict=True)
        ]


def with_intercept(feature: Float[Tensor, "*B n D"]) -> Float[Tensor, "*B n D_plus_1"]:
    """The features beside a column of ones."""
    return torch.cat([feature, torch.ones_like(feature[..., :1])], dim=-1)


def _certain(score: Float64[np.ndarray, " m"], nothing: Float64[np.ndarray, " m"]) -> Moments:
    probability = np.asarray(expit(score))
    return Moments(score, nothing, probability, probability, nothing)
