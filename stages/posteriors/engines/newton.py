"""Mode and evidence of Laplace's approximation for a batch of problems with the sigmoid link.

Sources: Rasmussen and Williams 2006, algorithms 3.1 (mode) and 5.1 (gradient of the evidence), with a mean function.
The latent function is f = prior mean + g, g ~ GP(0, kernel); p(label y = +-1 | f) = sigmoid(y f); g = K a at the mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from stages.posteriors.engines.gaussian import Posterior
from stages.posteriors.engines.kernels import Factor, cholesky, padded_rbf
from stages.posteriors.engines.padding import Batch
from stages.typing import Bool, Float, Int64

NEWTON_STEPS = 60
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-8}
"""relative increase of the log posterior under which a mode is found; Newton's error is then about its square"""
HALVINGS = 12


@dataclass(frozen=True, eq=False)
class Mode:
    """Modes of the posteriors of a batch; zero in padded rows."""

    weight: Float[Tensor, "B n"]
    """a = K^-1 g"""
    increment: Float[Tensor, "B n"]
    """g; the latent function is prior mean + g"""
    log_posterior: Float[Tensor, " B"]
    """log p(labels | f) - 1/2 a g"""


def find_mode(
    batch: Batch, covariance: Float[Tensor, "B n n"], start: Float[Tensor, "B n"], active: Bool[Tensor, " B"]
) -> tuple[Mode, Bool[Tensor, " B"], Int64[Tensor, " B"], Int64[Tensor, " B"]]:
    """Newton's method for the active problems, from g = K ``start``; each stops on its own.

    Returns:
        The modes; whether each was found (of active problems); Newton steps; jitter retries.
    """
    mode = _pick(_evaluate(batch, covariance, start[:, None]), torch.zeros_like(active, dtype=torch.int64))
    steps = torch.zeros_like(active, dtype=torch.int64)
    retries, moving, found = steps, active, torch.zeros_like(active)
    for _ in range(NEWTON_STEPS):
        if not moving.any():
            break
        direction, factor = _direction(batch, covariance, mode)
        best = _line_search(batch, covariance, mode, direction)
        increase = best.log_posterior - mode.log_posterior
        better = (moving & ~factor.failed & (increase >= -_rounding(mode.log_posterior)))[:, None]
        steps, retries = steps + moving, retries + factor.retries * moving
        found = found | (moving & ~factor.failed & (increase <= _tolerance(mode)))
        mode = Mode(
            torch.where(better, best.weight, mode.weight),
            torch.where(better, best.increment, mode.increment),
            torch.where(better[:, 0], best.log_posterior, mode.log_posterior),
        )
        moving = moving & ~found & ~factor.failed & increase.isfinite()
    return mode, found, steps, retries


def laplace_posterior(
    batch: Batch,
    distance: Float[Tensor, "B n n"],
    log_parameter: Float[Tensor, "B 2"],
    start: Float[Tensor, "B n"],
    active: Bool[Tensor, " B"],
) -> Posterior:
    """Laplace's approximation at given log length scales and log output scales, with log p(labels) (equation 3.32).

    ``distance`` holds squared distances.
    """
    length_scale, output_scale = log_parameter.exp().unbind(-1)
    covariance = padded_rbf(distance, batch.present, length_scale, output_scale)
    mode, found, steps, retries = find_mode(batch, covariance, start, active)
    root, factor, value = evidence_at(batch, covariance, mode)
    return Posterior(
        log_parameter,
        covariance,
        mode.weight,
        root,
        factor.lower,
        torch.where(found & ~factor.failed, value, -torch.inf),
        steps,
        retries + factor.retries,
    )


def laplace_gradient(batch: Batch, distance: Float[Tensor, "B n n"], posterior: Posterior) -> Float[Tensor, "B 2"]:
    """Gradient of the log evidence by log length scale and log output scale (algorithm 5.1).

    The implicit part, through the mode, needs no division by the curvature W, which vanishes at certain labels: with
    B = I + W^1/2 K W^1/2, the posterior variances are (1 - diag B^-1) / W, and the third derivatives of the log
    likelihood have a factor W.
    """
    covariance, root = posterior.covariance, posterior.root
    latent = batch.prior_mean + _times(covariance, posterior.weight)
    inverse = torch.cholesky_inverse(posterior.lower)
    precision = root[:, :, None] * inverse * root[:, None, :]
    weight = likelihood_gradient(batch.label, latent)
    certainty = torch.tanh(0.5 * latent) * batch.present
    through_mode = 0.5 * (1.0 - inverse.diagonal(dim1=-2, dim2=-1)) * certainty
    by_length = covariance * distance * torch.exp(-2.0 * posterior.log_parameter[:, 0])[:, None, None]
    gradient = []
    for derivative in (by_length, 2.0 * covariance):
        shift = _times(derivative, weight)
        moved = shift - _times(covariance, _times(precision, shift))
        explicit = 0.5 * (weight * shift).sum(-1) - 0.5 * (precision * derivative).sum((-2, -1))
        gradient.append(explicit + (through_mode * moved).sum(-1))
    return torch.stack(gradient, dim=-1)


def evidence_at(
    batch: Batch, covariance: Float[Tensor, "B n n"], mode: Mode
) -> tuple[Float[Tensor, "B n"], Factor, Float[Tensor, " B"]]:
    """W^1/2 at the modes, the Cholesky factors of B, and the log evidence log p(labels | f) - 1/2 a g - 1/2 log |B|."""
    root = root_curvature(batch.label, batch.prior_mean + mode.increment)
    factor = cholesky(information(covariance, root))
    return root, factor, mode.log_posterior - factor.lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def root_curvature(label: Float[Tensor, "*B n"], latent: Float[Tensor, "*B n"]) -> Float[Tensor, "*B n"]:
    """W^1/2, W = sigmoid(f) sigmoid(-f) minus the second derivative of the log likelihood; 0 where the label is 0."""
    return (latent.sigmoid() * (-latent).sigmoid()).sqrt() * label.abs()


def likelihood_gradient(label: Float[Tensor, "*B n"], latent: Float[Tensor, "*B n"]) -> Float[Tensor, "*B n"]:
    """y sigmoid(-y f), the first derivative of the log likelihood: K^-1 (f - prior mean) at the mode."""
    return label * (-label * latent).sigmoid()


def information(covariance: Float[Tensor, "*B n n"], root: Float[Tensor, "*B n"]) -> Float[Tensor, "*B n n"]:
    """B = I + W^1/2 K W^1/2: its eigenvalues are at least 1."""
    scaled = (root[..., :, None] * covariance).mul_(root[..., None, :])
    scaled.diagonal(dim1=-2, dim2=-1).add_(1.0)
    return scaled


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Like ``Mode``, with t candidates for each problem."""

    weight: Float[Tensor, "B t n"]
    increment: Float[Tensor, "B t n"]
    log_posterior: Float[Tensor, "B t"]


def _evaluate(batch: Batch, covariance: Float[Tensor, "B n n"], weight: Float[Tensor, "B t n"]) -> _Candidates:
    increment = weight @ covariance
    latent = batch.prior_mean[:, None] + increment
    log_likelihood = (logsigmoid(batch.label[:, None] * latent) * batch.present[:, None]).sum(-1)
    return _Candidates(weight, increment, log_likelihood - 0.5 * (weight * increment).sum(-1))


def _pick(candidates: _Candidates, chosen: Int64[Tensor, " B"]) -> Mode:
    row = torch.arange(len(chosen), device=chosen.device)
    return Mode(
        candidates.weight[row, chosen], candidates.increment[row, chosen], candidates.log_posterior[row, chosen]
    )


def _direction(batch: Batch, covariance: Float[Tensor, "B n n"], mode: Mode) -> tuple[Float[Tensor, "B n"], Factor]:
    """Newton's step for the weight, and the Cholesky factor that it took."""
    latent = batch.prior_mean + mode.increment
    root = root_curvature(batch.label, latent)
    factor = cholesky(information(covariance, root))
    target = root.square() * mode.increment + likelihood_gradient(batch.label, latent)
    solved = torch.cholesky_solve((root * _times(covariance, target))[..., None], factor.lower)[..., 0]
    return target - root * solved - mode.weight, factor


def _line_search(batch: Batch, covariance: Float[Tensor, "B n n"], mode: Mode, direction: Float[Tensor, "B n"]) -> Mode:
    """The best of the steps 1, 1/2, 1/4, ...: the full step overshoots where the prior mean contradicts the labels.

    The longest of equally good ones: near the mode all are equal up to rounding, and Newton's own is exact.
    """
    fraction = 0.5 ** torch.arange(HALVINGS, dtype=direction.dtype, device=direction.device)
    trial = _evaluate(batch, covariance, mode.weight[:, None] + fraction[:, None] * direction[:, None])
    best = trial.log_posterior.amax(-1, keepdim=True)
    return _pick(trial, (trial.log_posterior >= best - _rounding(best)).int().argmax(-1))


def _rounding(log_posterior: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """What rounding may take from a log posterior."""
    return 10 * torch.finfo(log_posterior.dtype).eps * (1 + log_posterior.abs())


def _tolerance(mode: Mode) -> Float[Tensor, " B"]:
    return TOLERANCE[mode.weight.dtype] * (1 + mode.log_posterior.abs())


def _times(matrix: Float[Tensor, "B n n"], vector: Float[Tensor, "B n"]) -> Float[Tensor, "B n"]:
    return (matrix @ vector[..., None])[..., 0]
