"""From what an engine computes to what it returns: float32 arrays without NaN."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from stages.posteriors.engines.base import PairSolution
from stages.posteriors.engines.kernels import LENGTH_SCALE, OUTPUT_SCALE
from stages.posteriors.engines.padding import Batch
from stages.typing import Float, Float64, Int64


@dataclass(frozen=True)
class Fit:
    """How the posterior of one problem was found; the fields are those of ``PairSolution``."""

    length_scale: float
    """NaN, like the output scale, for an engine that has none"""
    output_scale: float
    evidence: float
    """per determined region"""
    steps: int
    jitter_retries: int
    converged: bool


def fits_of(
    batch: Batch,
    scales: Float[Tensor, "B 2"],
    log_evidence: Float[Tensor, " B"],
    steps: Int64[Tensor, " B"],
    jitter_retries: Int64[Tensor, " B"],
) -> list[Fit]:
    """The fits of ``batch.problems``, converged where the log evidence is finite."""
    # one transfer a column, whatever the number of problems
    columns = (*scales.unbind(-1), log_evidence, steps, jitter_retries)
    rows = zip(batch.problems, *(column.tolist() for column in columns), strict=False)
    return [
        Fit(length_scale, output_scale, value / len(problem.feature), taken, retries, math.isfinite(value))
        for problem, length_scale, output_scale, value, taken, retries in rows
    ]


@dataclass(frozen=True, eq=False)
class Moments:
    """Posterior at the contested regions of one problem, in double precision; fields as in ``PairSolution``."""

    latent_mean: Float64[np.ndarray, " m"]
    latent_variance: Float64[np.ndarray, " m"]
    probability: Float64[np.ndarray, " m"]
    mean: Float64[np.ndarray, " m"]
    variance: Float64[np.ndarray, " m"]

    def is_finite(self) -> bool:
        """True if every moment fits into float32."""
        largest = float(np.finfo(np.float32).max)
        return all(bool((np.abs(moment) <= largest).all()) for moment in vars(self).values())


def solution(fit: Fit, moments: Moments) -> PairSolution:
    """The solution, or ``failed_solution`` where the fit did not converge to finite numbers."""
    if not (fit.converged and np.isfinite(fit.evidence) and moments.is_finite()):
        return failed_solution(len(moments.mean), fit.steps, fit.jitter_retries)
    return PairSolution(**{name: moment.astype(np.float32) for name, moment in vars(moments).items()}, **vars(fit))


def failed_solution(contested: int, steps: int = 0, jitter_retries: int = 0) -> PairSolution:
    """What a problem without a posterior comes back with: a coin flip, latent function 0 +- 1, ``converged=False``."""

    def constant(value: float) -> np.ndarray:
        return np.full(contested, value, np.float32)

    return PairSolution(
        latent_mean=constant(0.0),
        latent_variance=constant(1.0),
        probability=constant(0.5),
        mean=constant(0.5),
        variance=constant(0.25),
        length_scale=LENGTH_SCALE,
        output_scale=OUTPUT_SCALE,
        evidence=-float(np.log(2.0)),
        steps=steps,
        jitter_retries=jitter_retries,
        converged=False,
    )
