"""Length scale, output scale and noise of a Gaussian Process: start, prior, and the search for the best.

The search is over logarithms, for a batch of problems at once; each problem goes its own way and stops on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.posteriors.engines.kernels import LENGTH_SCALE, OUTPUT_SCALE
from stages.posteriors.engines.padding import Batch
from stages.typing import Bool, Float, Int64

PRIOR_SPREAD = 1.0
"""standard deviation of the log-normal priors: a factor of e either way costs half a nat"""
MAXIMUM_ROUNDS = 60
GRADIENT_TOLERANCE = {torch.float32: 1e-2, torch.float64: 1e-4}
"""nats per unit of a logarithm"""
SUFFICIENT_INCREASE = 1e-4
SMALLEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class Evidence:
    """Log evidence of a batch of problems at given hyper-parameters."""

    value: Float[Tensor, " B"]
    """-inf where it could not be computed"""
    gradient: Float[Tensor, "B P"]
    """by the logarithms of the hyper-parameters"""
    state: Float[Tensor, "B n"]
    """K^-1 (f - prior mean) at the mode f: the next evaluation starts from it"""
    steps: Int64[Tensor, " B"]
    jitter_retries: Int64[Tensor, " B"]


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where the search ended; the counts are sums over the search."""

    log_parameter: Float[Tensor, "B P"]
    state: Float[Tensor, "B n"]
    steps: Int64[Tensor, " B"]
    jitter_retries: Int64[Tensor, " B"]


Evaluate = Callable[[Float[Tensor, "B P"], Float[Tensor, "B n"], Bool[Tensor, " B"]], Evidence]
"""Evidence at log hyper-parameters, from a state, for the problems that are True (the others are not looked at)"""


def typical_distance(batch: Batch, distance: Float[Tensor, "B n n"]) -> Float[Tensor, " B"]:
    """Median distance between determined regions of different features (the lower of two middle ones).

    0.5 (GaPro, table 6) where none differ. ``distance`` holds squared distances.
    """
    both = batch.present[:, :, None] * batch.present[:, None, :]
    different = torch.where((both > 0) & (distance > 0), distance, torch.nan)
    median = different.flatten(1).nanmedian(dim=1).values.sqrt()
    return torch.where(median.isfinite(), median, LENGTH_SCALE)


def starting_scales(batch: Batch, distance: Float[Tensor, "B n n"], learn: bool) -> Float[Tensor, "B 2"]:
    """Logarithms of length scale and output scale: the fixed ones, or the prior medians (``typical_distance``, 1)."""
    fixed = distance.new_tensor([LENGTH_SCALE, OUTPUT_SCALE]).repeat(len(distance), 1)
    if learn:
        fixed[:, 0] = typical_distance(batch, distance)
    return fixed.log()


def maximise(evaluate: Evaluate, start: Float[Tensor, "B P"], state: Float[Tensor, "B n"]) -> Optimum:
    """Log hyper-parameters of the largest log evidence plus log prior.

    The priors are log-normal: independent normals of the logarithms around ``start``, standard deviation PRIOR_SPREAD.
    Ascent by BFGS (Nocedal and Wright 2006, algorithm 6.1) with backtracking; no step is longer than 1.
    """
    search = _Search(start, evaluate(start, state, torch.ones_like(start[:, 0], dtype=torch.bool)))
    for _ in range(MAXIMUM_ROUNDS):
        if not search.active.any():
            break
        trial = search.trial()
        search.accept(trial, evaluate(trial, search.state, search.active))
    return Optimum(search.position, search.state, search.steps, search.jitter_retries)


class _Search:
    """BFGS over a batch: each problem has its own position, inverse Hessian and step; all are tensors over problems."""

    def __init__(self, start: Float[Tensor, "B P"], first: Evidence) -> None:
        self.start = self.position = start
        self.value, self.gradient, self.state = first.value, first.gradient, first.state
        self.steps, self.jitter_retries = first.steps, first.jitter_retries
        self.identity = torch.eye(start.shape[1], dtype=start.dtype, device=start.device)
        self.inverse_hessian = self.identity.expand(len(start), -1, -1)
        self.fresh = torch.ones_like(first.value, dtype=torch.bool)
        self.step = torch.ones_like(first.value)
        self.tolerance = GRADIENT_TOLERANCE[start.dtype]
        self.active = first.value.isfinite() & self._is_steep()

    def log_prior(self, position: Float[Tensor, "B P"]) -> tuple[Float[Tensor, " B"], Float[Tensor, "B P"]]:
        """Log density, up to a constant, and its gradient."""
        offset = (position - self.start) / PRIOR_SPREAD
        return -0.5 * offset.square().sum(-1), -offset / PRIOR_SPREAD

    def trial(self) -> Float[Tensor, "B P"]:
        """The next position to evaluate; where the search has ended, the present one."""
        return torch.where(self.active[:, None], self.position + self.step[:, None] * self._direction(), self.position)

    def accept(self, trial: Float[Tensor, "B P"], found: Evidence) -> None:
        """Moves the problems whose trial increased the posterior enough; shortens the step of the others."""
        prior, prior_gradient = self.log_prior(trial)
        value, gradient = found.value + prior, found.gradient + prior_gradient
        slope = (self.gradient * self._direction()).sum(-1)
        enough = value >= self.value + SUFFICIENT_INCREASE * self.step * slope
        moved = self.active & value.isfinite() & gradient.isfinite().all(-1) & enough
        self._update_hessian(moved, trial - self.position, self.gradient - gradient)
        self.position = torch.where(moved[:, None], trial, self.position)
        self.value = torch.where(moved, value, self.value)
        self.gradient = torch.where(moved[:, None], gradient, self.gradient)
        self.state = torch.where(moved[:, None], found.state, self.state)
        self.steps = self.steps + found.steps * self.active
        self.jitter_retries = self.jitter_retries + found.jitter_retries * self.active
        self.step = torch.where(moved, 1.0, 0.25 * self.step)
        self.active = self.active & self._is_steep() & (self.step > SMALLEST_STEP)

    def _is_steep(self) -> Bool[Tensor, " B"]:
        return self.gradient.abs().amax(-1) > self.tolerance

    def _direction(self) -> Float[Tensor, "B P"]:
        direction = (self.inverse_hessian @ self.gradient[..., None])[..., 0]
        return direction / direction.abs().amax(-1, keepdim=True).clamp(min=1.0)

    def _update_hessian(
        self, moved: Bool[Tensor, " B"], step: Float[Tensor, "B P"], change: Float[Tensor, "B P"]
    ) -> None:
        """Equation 6.17 where the curvature is that of a maximum; the first update rescales the identity (6.20)."""
        curvature = (step * change).sum(-1)
        curved = moved & (curvature > 1e-12)
        safe = torch.where(curved, curvature, 1.0)[:, None, None]
        scale = safe / change.square().sum(-1).clamp(min=1e-30)[:, None, None]
        previous = torch.where((self.fresh & curved)[:, None, None], scale * self.identity, self.inverse_hessian)
        left = self.identity - step[:, :, None] * change[:, None, :] / safe
        updated = left @ previous @ left.mT + step[:, :, None] * step[:, None, :] / safe
        self.inverse_hessian = torch.where(curved[:, None, None], updated, self.inverse_hessian)
        self.fresh = self.fresh & ~curved
