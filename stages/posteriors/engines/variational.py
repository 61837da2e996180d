"""Variational Gaussian Process classification built from gpytorch: the published setting of GaPro, batched."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor
from torch.distributions import Normal

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.kernels import (
    LENGTH_SCALE,
    OUTPUT_SCALE,
    as_numpy,
    cholesky,
    padded_rbf,
    rbf,
    squared_distance,
)
from stages.posteriors.engines.links import probit_moments
from stages.posteriors.engines.padding import Batch, Precision, solve_in_batches
from stages.posteriors.engines.solutions import Fit, Moments, solution
from stages.typing import Float

with warnings.catch_warnings():
    # linear_operator compiles with torch.jit at import, which newer torch deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    from gpytorch.kernels import RBFKernel, ScaleKernel
    from gpytorch.settings import variational_cholesky_jitter
    from gpytorch.utils.quadrature import GaussHermiteQuadrature1D
    from gpytorch.variational import CholeskyVariationalDistribution


@dataclass(frozen=True)
class VariationalEngine:
    """Whitened variational inference, inducing points at the determined regions, probit likelihood, Adam on the bound.

    Length scale and output scale start at gpytorch's 0.693 and 0.833 and are learnt without a prior, or are fixed at
    0.5 and 1 (GaPro, table 6). Steps and learning rate are the published ones. The default is double precision
    although the published code is in single: Adam divides by the size of the gradient, so rounding errors of small
    gradients grow to full steps, and how a problem was padded would show in its probabilities.
    """

    link: ClassVar[Link] = "probit"

    learn: bool = True
    steps: int = 50
    learning_rate: float = 0.1
    dtype: Precision = "float64"
    device: str = "cpu"

    def solve(self, problems: Sequence[PairProblem]) -> list[PairSolution]:
        """Posteriors in the order of ``problems``; the evidence is the variational bound."""
        return solve_in_batches(problems, self._solve_batch, self.dtype, self.device)

    def _solve_batch(self, batch: Batch) -> list[PairSolution]:
        model = VariationalModel(batch, self.learn)
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(learnt, lr=self.learning_rate, fused=True)
        for _ in range(self.steps):
            optimizer.zero_grad()
            # no coupling: by the numbers of one problem, the gradient of the sum is that of the problem's own bound
            torch.autograd.backward(-model.bound().sum())
            optimizer.step()
        with torch.no_grad():
            bound = model.bound()
            return [_predict(batch, model, bound, index, self.steps) for index in range(len(bound))]


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
        covariance = padded_rbf(self.distance, present, *self.scales())
        # padded rows have variance 1 and no covariance
        factor = cholesky(covariance + torch.diag_embed(1.0 - present + self.jitter))
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


def _predict(batch: Batch, model: VariationalModel, bound: Float[Tensor, " B"], index: int, steps: int) -> PairSolution:
    single = batch.single(index)
    count = len(single.label)
    length_scale, output_scale = (scale[index] for scale in model.scales())
    covariance = rbf(squared_distance(single.feature, single.feature), length_scale, output_scale)
    cross = rbf(squared_distance(single.feature, single.contested_feature), length_scale, output_scale)
    prior_variance = (output_scale.square() + model.jitter).expand(cross.shape[1])
    factor = cholesky((covariance + model.jitter * torch.eye(count).to(covariance))[None])
    mean, root = (part[index] for part in model.posterior())
    increment, variance = whitened_marginals(factor.lower[0], cross, prior_variance, mean[:count], root[:count, :count])
    latent_mean, latent_variance = batch.problems[index].contested_prior_mean + as_numpy(increment), as_numpy(variance)
    fit = Fit(
        length_scale=float(length_scale),
        output_scale=float(output_scale),
        evidence=float(bound[index]),
        steps=steps,
        jitter_retries=int(model.retries[index]),
        converged=bool(bound[index].isfinite()),
    )
    # the marginal of gpytorch's BernoulliLikelihood, Phi(m / sqrt(1 + v)), is the mean of the link
    probability, label_variance = probit_moments(latent_mean, latent_variance)
    return solution(fit, Moments(latent_mean, latent_variance, probability, probability, label_variance))
