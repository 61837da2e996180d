"""The covariance function of GaPro, eq. (1), and its Cholesky factor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.typing import Bool, Float, Int64

LENGTH_SCALE = 0.5
OUTPUT_SCALE = 1.0
"""fixed hyper-parameters of GaPro, table 6"""

JITTER = {torch.float32: 1e-6, torch.float64: 1e-10}
"""first jitter, relative to the mean diagonal; ten times as much at each retry"""
RETRIES = 6


def squared_distance(x: Float[Tensor, "*B n D"], y: Float[Tensor, "*B m D"]) -> Float[Tensor, "*B n m"]:
    """|x_i - y_j|^2, column by column: exactly zero between equal features and exactly symmetric."""
    total = x.new_zeros(*x.shape[:-1], y.shape[-2])
    difference = torch.empty_like(total)
    across = y.mT.contiguous()
    for column in range(x.shape[-1]):
        torch.sub(x[..., :, None, column], across[..., None, column, :], out=difference)
        total += difference.square_()
    return total


def rbf(
    distance: Float[Tensor, "*B n m"], length_scale: Float[Tensor, "*B"], output_scale: Float[Tensor, "*B"]
) -> Float[Tensor, "*B n m"]:
    """s^2 exp(-d / (2 l^2)) of squared distances d (GaPro, eq. (1))."""
    exponent = distance * (-0.5 / length_scale.square())[..., None, None]
    return exponent.exp() * output_scale.square()[..., None, None]


def padded_rbf(
    distance: Float[Tensor, "B n n"],
    present: Float[Tensor, "B n"],
    length_scale: Float[Tensor, " B"],
    output_scale: Float[Tensor, " B"],
) -> Float[Tensor, "B n n"]:
    """``rbf`` of a batch of padded problems: zero in the rows and columns that are not ``present``."""
    return rbf(distance, length_scale, output_scale) * present[:, :, None] * present[:, None, :]


@dataclass(frozen=True, eq=False)
class Factor:
    """Cholesky factors of a batch of matrices, and which of them needed help."""

    lower: Float[Tensor, "B n n"]
    """the identity where ``failed``"""
    retries: Int64[Tensor, " B"]
    failed: Bool[Tensor, " B"]


def cholesky(matrix: Float[Tensor, "B n n"]) -> Factor:
    """Lower Cholesky factors; matrices that are not positive definite are tried again with more and more jitter.

    Only the failed matrices get jitter: the factors of the others do not change by a bit.
    """
    lower, failed = _factor(matrix)
    retries = torch.zeros_like(failed, dtype=torch.int64)
    if not failed.any():
        return Factor(lower, retries, failed)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    jitter = JITTER[matrix.dtype] * matrix.diagonal(dim1=-2, dim2=-1).abs().mean(-1)[:, None, None]
    for attempt in range(RETRIES):
        retries += failed
        retried, still = _factor(matrix + 10.0**attempt * jitter * identity)
        lower = torch.where(failed[:, None, None], retried, lower)
        failed = failed & still
        if not failed.any():
            break
    return Factor(torch.where(failed[:, None, None], identity, lower), retries, failed)


def _factor(matrix: Float[Tensor, "B n n"]) -> tuple[Float[Tensor, "B n n"], Bool[Tensor, " B"]]:
    """Whatever is not a number in a matrix reaches the diagonal of its factor."""
    lower, info = torch.linalg.cholesky_ex(matrix)
    return lower, (info != 0) | ~lower.diagonal(dim1=-2, dim2=-1).isfinite().all(-1)


def posterior_moments(
    cross: Float[Tensor, "B n m"],
    weight: Float[Tensor, "B n"],
    lower: Float[Tensor, "B n n"],
    root: Float[Tensor, "B n"],
    output_scale: Float[Tensor, " B"],
) -> tuple[Float[Tensor, "B m"], Float[Tensor, "B m"]]:
    """Mean and variance of zero-mean latent functions at m places with covariance ``cross`` to n observed ones.

    Mean cross^T weight, variance s^2 - |L^-1 root cross|^2 (column sums), at least 0: Rasmussen and Williams 2006,
    equations 2.25 and 2.26 (root 1) and algorithm 3.2 (root W^1/2). Padded rows are those of weight and root 0.
    """
    whitened = torch.linalg.solve_triangular(lower, root[..., None] * cross, upper=False)
    variance = (output_scale.square()[:, None] - whitened.square().sum(-2)).clamp(min=0.0)
    return (weight[:, None, :] @ cross)[:, 0], variance
