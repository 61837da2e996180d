"""A linear classifier for each pair, the baseline of GaPro, table 3 (C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.kernels import as_numpy
from stages.posteriors.engines.newton import evidence_at, find_mode
from stages.posteriors.engines.padding import Batch, Precision, solve_in_batches
from stages.posteriors.engines.solutions import Fit, Moments, solution
from stages.typing import Float, Float64


@dataclass(frozen=True)
class LinearEngine:
    """Ridge logistic regression: sigmoid(prior mean + w (x - mean of the determined features) + b).

    The ridge is a normal prior on w and b, mean 0, precision ``ridge`` > 0. The weights count as certain: both
    variances are 0 and the mean is the probability. Length scale and output scale are NaN.
    """

    link: ClassVar[Link] = "none"

    ridge: float = 1.0
    dtype: Precision = "float64"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; ``steps`` counts Newton steps, the evidence is Laplace's."""
        return solve_in_batches(problems, self._solve_batch, self.dtype, self.device)

    def _solve_batch(self, batch: Batch) -> list[PairSolution]:
        """Newton's method in the dual: the classifier is the Gaussian Process with covariance (x x' + 1) / ridge."""
        center = batch.feature.sum(1) / batch.present.sum(-1, keepdim=True)
        design = with_intercept(batch.feature - center[:, None]) * batch.present[..., None]
        covariance = design @ design.mT / self.ridge
        everyone = torch.ones_like(batch.present[:, 0], dtype=torch.bool)
        mode, found, steps, retries = find_mode(batch, covariance, torch.zeros_like(batch.label), everyone)
        _, factor, evidence = evidence_at(batch, covariance, mode)
        weight = (mode.weight[:, None] @ design)[:, 0] / self.ridge
        found = found & ~factor.failed
        solutions = []
        for index, problem in enumerate(batch.problems):
            fit = Fit(
                math.nan,
                math.nan,
                float(evidence[index]) / len(problem.feature),
                int(steps[index]),
                int(retries[index] + factor.retries[index]),
                bool(found[index]),
            )
            score = with_intercept(batch.single(index).contested_feature - center[index]) @ weight[index]
            solutions.append(solution(fit, _certain(problem.contested_prior_mean + as_numpy(score))))
        return solutions


def with_intercept(feature: Float[Tensor, "*B n D"]) -> Float[Tensor, "*B n D_plus_1"]:
    """The features beside a column of ones."""
    return torch.cat([feature, torch.ones_like(feature[..., :1])], dim=-1)


def _certain(score: Float64[np.ndarray, " m"]) -> Moments:
    probability, nothing = np.asarray(expit(score)), np.zeros_like(score)
    return Moments(score, nothing, probability, probability, nothing)
