"""The loss of mean and variance as GaPro's code has it, for comparisons; ``kl.gaussian_kl`` is the corrected one."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.typing import Float

SMALL = 1e-4
"""Largest variance that counts as none."""
WEIGHT = 0.1
"""What the published trainers multiply this loss with."""


def published_gaussian_kl(
    mean: Float[Tensor, "*n"],
    log_scale: Float[Tensor, "*n"],
    target_mean: Float[Tensor, "*n"],
    target_variance: Float[Tensor, "*n"],
) -> Float[Tensor, ""]:
    """Loss of entries with latent moments, of any shape (GaPro's code: ``loss.py`` of its SPFormer, ISBNet's alike).

    Targets are the latent mean and variance of the Gaussian Process toward one owner: leave out entries without (NaN
    in ``PseudoLabels``, -100 in files), as the published trainers do. The mean over the entries of variance above 1e-4
    of log_scale - log v + ((e_hat - e)^2 + v^2) exp(-2 log_scale) - 1/2, plus the mean over the others of
    (exp(log_scale) - 1)^2 + (e_hat - e)^2; 0 without entries. ``WEIGHT`` is not in it.

    What is wrong with it, and why ``gaussian_kl`` exists: v is a variance, but stands where the divergence has a
    standard deviation; the quadratic term lacks its factor 1/2, so that the minimum is not at the target but at
    exp(log_scale) = sqrt(2) v, where the loss is log sqrt(2) rather than 0; certain entries pull the predicted scale to
    1, not to 0.
    """
    error = (mean - target_mean).square()
    certain = target_variance <= SMALL
    variance = torch.where(certain, torch.ones_like(target_variance), target_variance)  # keeps gradients finite
    uncertain_loss = log_scale - variance.log() + (error + variance.square()) * torch.exp(-2.0 * log_scale) - 0.5
    certain_loss = (log_scale.exp() - 1.0).square() + error
    return _mean(uncertain_loss[~certain]) + _mean(certain_loss[certain])


def _mean(values: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    return values.sum() / max(len(values), 1)
