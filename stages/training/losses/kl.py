"""How far the predicted mean and variance of a label are from its posterior's (GaPro, section 3.2, eq. (3)).

Contested entries compare two Gaussians, determined ones a Gaussian with a certain label. Which of them an entry is says
who decided its region, never its variance: a posterior may be as sure as a rule.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from stages.typing import Bool, Float

Uncertainty = Literal["kl", "mse", "none"]
V_MIN = 0.001
"""Smallest variance that counts, of posteriors and predictions alike: a label known to 0.03. The squared error of the
mean is divided by twice the variance, so that without a floor a few entries would be all of the loss; one posterior in
twenty of the built-in rooms is below this one."""
V_MAX = 2.0
"""Largest variance of a prediction. v + (e - e_hat)^2 is at most 1.25, so that the loss always leads below it."""


class _Bounded(torch.autograd.Function):
    """Clamps; where the value lies outside, it lets only those gradients pass that lead back.

    A plain clamp has no gradient there, so that an entry that once overshot would stay for ever.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(value)
        ctx.bounds = (low, high)
        return value.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (value,) = ctx.saved_tensors
        (gradient,) = gradients
        low, high = ctx.bounds
        outward = ((value < low) & (gradient > 0)) | ((value > high) & (gradient < 0))
        return gradient.masked_fill(outward, 0.0), None, None


def bounded(log_variance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Log-variance within [log V_MIN, log V_MAX]."""
    bound: Tensor = _Bounded.apply(log_variance, math.log(V_MIN), math.log(V_MAX))  # type: ignore[no-untyped-call]
    return bound


def gaussian_kl(
    mean: Float[Tensor, "Q S"],
    log_variance: Float[Tensor, "Q S"],
    target_mean: Float[Tensor, "Q S"],
    target_variance: Float[Tensor, "Q S"],
    determined: Bool[Tensor, " S"],
) -> Float[Tensor, "Q S"]:
    """Eq. (3) of each entry, with v as variances (it prints standard deviations).

    Contested: 1/2 [log(v_hat / v) + (v + (e - e_hat)^2) / v_hat - 1], the divergence of the prediction from the
    posterior; zero with zero gradient where both agree, v >= V_MIN. Determined: (e - e_hat)^2 + v_hat, the squared
    Wasserstein distance to a point. v is raised to V_MIN, the predicted log-variance kept in [log V_MIN, log V_MAX].
    """
    error = (target_mean - mean).square()
    predicted = bounded(log_variance)
    variance = target_variance.clamp(min=V_MIN)
    contested = 0.5 * (predicted - variance.log() + (variance + error) * torch.exp(-predicted) - 1.0)
    return torch.where(determined, error + predicted.exp(), contested)


def squared_errors(
    mean: Float[Tensor, "Q S"],
    log_variance: Float[Tensor, "Q S"],
    target_mean: Float[Tensor, "Q S"],
    target_variance: Float[Tensor, "Q S"],
) -> Float[Tensor, "Q S"]:
    """(e - e_hat)^2 + (v - v_hat)^2 of each entry (GaPro, table 8)."""
    return (target_mean - mean).square() + (target_variance - bounded(log_variance).exp()).square()


def balanced_mean(
    values: Float[Tensor, "Q S"], target_mean: Float[Tensor, "Q S"], determined: Bool[Tensor, " S"]
) -> Float[Tensor, ""]:
    """Mean over four kinds of entries of the mean over the entries of that kind.

    Kinds: contested or determined, and may be (E > 0) or surely is not (E = 0) the object's. A room has some twenty
    objects, so that some ninety-five of a hundred entries are regions that surely are not the object's, and a plain
    mean would be theirs alone; contested entries that may be the object's, which posteriors are for, are a quarter.
    A kind without entries counts as 0.
    """
    possible = target_mean > 0
    total = values[:0].sum()
    for kind in (possible & determined, possible & ~determined, ~possible & determined, ~possible & ~determined):
        chosen = values[kind]
        total = total + chosen.sum() / max(len(chosen), 1)
    return total / 4


def uncertainty_loss(
    mean: Float[Tensor, "Q S"],
    log_variance: Float[Tensor, "Q S"],
    target_mean: Float[Tensor, "Q S"],
    target_variance: Float[Tensor, "Q S"],
    determined: Bool[Tensor, " S"],
    kind: Uncertainty,
) -> Float[Tensor, ""]:
    """Loss of the two added heads over all entries given, averaged by ``balanced_mean``; ``none``: 0."""
    if kind == "none":
        return mean[:0].sum() + log_variance[:0].sum()
    if kind == "mse":
        values = squared_errors(mean, log_variance, target_mean, target_variance)
    else:
        values = gaussian_kl(mean, log_variance, target_mean, target_variance, determined)
    return balanced_mean(values, target_mean, determined)
