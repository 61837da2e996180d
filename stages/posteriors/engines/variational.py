"""Variational Gaussian Process classification built from gpytorch: the published setting of GaPro, batched."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from stages.posteriors.engines.base import Link, PairSolution
from stages.posteriors.engines.batched import BatchedEngine
from stages.posteriors.engines.kernels import (
    LENGTH_SCALE,
    OUTPUT_SCALE,
    Factor,
    cholesky,
    padded_rbf,
    rbf,
    squared_distance,
)
from stages.posteriors.engines.links import probit_moments
from stages.posteriors.engines.padding import Batch
from stages.posteriors.engines.prediction import Predict, at_contested
from stages.posteriors.engines.solutions import Moments, fits_of, solution
from stages.typing import Float, Float64, Int64

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit at import, which newer torch deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    from gpytorch.kernels import RBFKernel, ScaleKernel
    from gpytorch.settings import variational_cholesky_jitter
    from gpytorch.utils.quadrature import GaussHermiteQuadrature1D
    from gpytorch.variational import CholeskyVariationalDistribution


@dataclass(frozen=True, kw_only=True)
class VariationalEngine(BatchedEngine):
    """Whitened variational inference, inducing points at the determined regions, probit likelihood, Adam on the bound.

    Length scale and output scale start at gpytorch's 0.693 and 0.833 and are learnt without a prior, or are fixed at
    0.5 and 1 (GaPro, table 6). Steps and learning rate are the published ones; the evidence is the variational bound.
    The default is double precision although the published code is in single: Adam divides by the size of the gradient,
    so rounding errors of small gradients grow to full steps, and how a problem was padded would show in its
    probabilities.
    """

    link: ClassVar[Link] = "probit"

    learn: bool = True
    steps: int = 50
    learning_rate: float = 0.1

    def solve_batch(self, batch: Batch) -> list[PairSolution]:
        """The solutions of ``batch.problems``."""
        model = VariationalModel(batch, self.learn)
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(learnt, lr=self.learning_rate, fused=True)
        for _ in range(self.steps):
            optimizer.zero_grad()
            # no coupling: by the numbers of one problem, the gradient of the sum is that of the problem's own bound
            torch.autograd.backward(-model.bound().sum())
            optimizer.step()
        with torch.no_grad():
            log_bound = model.bound() * batch.present.sum(-1)
            scales, steps = torch.stack(model.scales(), dim=-1), torch.full_like(model.retries, self.steps)
            fits = fits_of(batch, scales, log_bound, steps, model.retries)
            latent_moments = at_contested(batch, model.predictor())
        return [solution(fit, _moments(*latent)) for fit, latent in zip(fits, latent_moments, strict=True)]


class VariationalModel(torch.nn.Module):
    """A batch of Gaussian Processes, each with its own hyper-parameters and whitened variational distribution.

    q(u) = N(L m, L S L^T) at the determined regions, K + jitter = L L^T (Hensman et al. 2015), as in gpytorch's
    VariationalStrategy. Written out here for inducing points that are the data: distances computed once, marginal
    variances only, jitter retries counted by problem, padded rows independent of all others. gpytorch's kernel holds
    the hyper-parameters; its evaluation takes another way for a whole batch if one problem in it is not finite.
    """

    def __init__(self, batch: Batch, learn: bool) -> None:
        super().__init__()
        self.batch = batch
        count, rows = batch.label.shape
        shape = torch.Size([count])
        self.kernel = ScaleKernel(RBFKernel(batch_shape=shape), batch_shape=shape)
        self.distribution = CholeskyVariationalDistribution(rows, batch_shape=shape, mean_init_std=0.0)
        self.quadrature = GaussHermiteQuadrature1D()
        self.to(batch.label)
        if not learn:
            self.kernel.base_kernel.initialize(lengthscale=LENGTH_SCALE)
            self.kernel.initialize(outputscale=OUTPUT_SCALE**2)
            self.kernel.requires_grad_(False)
        self.jitter = float(variational_cholesky_jitter.value(batch.label.dtype))
        self.distance = squared_distance(batch.feature, batch.feature)
        self.retries = torch.zeros(count, dtype=torch.int64, device=batch.label.device)

    def bound(self) -> Float[Tensor, " B"]:
        """Evidence lower bound per determined region; NaN where a covariance matrix cannot be factorised."""
        present, label = self.batch.present, self.batch.label
        covariance, factor = self.factorised()
        self.retries += factor.retries
        mean, root = self.posterior()
        increment, variance = whitened_marginals(
            factor.lower, covariance, covariance.diagonal(dim1=-2, dim2=-1) + self.jitter, mean, root
        )
        latent = Normal(self.batch.prior_mean + increment, variance.sqrt(), validate_args=False)
        expected = cast(Tensor, self.quadrature(lambda value: torch.special.log_ndtr(label * value), latent))
        divergence = 0.5 * (mean.square() - 1.0 + root.square().sum(-1)) - root.diagonal(dim1=-2, dim2=-1).abs().log()
        bound = ((expected - divergence) * present).sum(-1) / present.sum(-1)
        return torch.where(factor.failed, torch.nan, bound)

    def factorised(self) -> tuple[Float[Tensor, "B n n"], Factor]:
        """Covariance matrices, and their factors with jitter; padded rows have variance 1 and no covariance."""
        present = self.batch.present
        covariance = padded_rbf(self.distance, present, *self.scales())
        return covariance, cholesky(covariance + torch.diag_embed(1.0 - present + self.jitter))

    def predictor(self) -> Predict:
        """Latent moments at any place."""
        batch, (length_scale, output_scale), (mean, root) = self.batch, self.scales(), self.posterior()
        lower = self.factorised()[1].lower

        def predict(
            chosen: Int64[Tensor, " C"], places: Float[Tensor, "C m D"]
        ) -> tuple[Float[Tensor, "C m"], Float[Tensor, "C m"]]:
            distance = squared_distance(batch.feature[chosen], places)
            cross = rbf(distance, length_scale[chosen], output_scale[chosen]) * batch.present[chosen][..., None]
            prior_variance = (output_scale[chosen].square() + self.jitter)[:, None].expand(places.shape[:-1])
            return whitened_marginals(lower[chosen], cross, prior_variance, mean[chosen], root[chosen])

        return predict

    def posterior(self) -> tuple[Float[Tensor, "B n"], Float[Tensor, "B n n"]]:
        """Whitened mean m and lower root of the whitened covariance S."""
        mean, root = self.distribution.variational_mean, self.distribution.chol_variational_covar
        return cast(Tensor, mean), cast(Tensor, root).tril()

    def scales(self) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Length scales and output scales."""
        length_scale = self.kernel.base_kernel.lengthscale[:, 0, 0]
        return length_scale, self.kernel.outputscale.sqrt()


def whitened_marginals(
    lower: Float[Tensor, "*B n n"],
    cross: Float[Tensor, "*B n m"],
    prior_variance: Float[Tensor, "*B m"],
    mean: Float[Tensor, "*B n"],
    root: Float[Tensor, "*B n n"],
) -> tuple[Float[Tensor, "*B m"], Float[Tensor, "*B m"]]:
    """Means v^T m and variances k** - v^T v + v^T S v, v = L^-1 ``cross``, of a whitened posterior at m places.

    Variances are at least the smallest number that has a finite gradient through its root.
    """
    whitened = torch.linalg.solve_triangular(lower, cross, upper=False)
    variance = prior_variance - whitened.square().sum(-2) + (root.mT @ whitened).square().sum(-2)
    return (whitened.mT @ mean[..., None])[..., 0], variance.clamp(min=torch.finfo(variance.dtype).eps)


def _moments(latent_mean: Float64[np.ndarray, " m"], latent_variance: Float64[np.ndarray, " m"]) -> Moments:
    """The marginal of gpytorch's BernoulliLikelihood, Phi(m / sqrt(1 + v)), is the mean of the link."""
    probability, variance = probit_moments(latent_mean, latent_variance)
    return Moments(latent_mean, latent_variance, probability, probability, variance)
