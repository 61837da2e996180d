"""The published loss of mean and variance, flaws included."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stages.training.losses.published import SMALL, published_gaussian_kl


def loss(mean: float, log_scale: float, target_mean: float, target_variance: float) -> float:
    values = (torch.tensor([value], dtype=torch.float64) for value in (mean, log_scale, target_mean, target_variance))
    return published_gaussian_kl(*values).item()


def test_numbers_by_hand() -> None:
    assert loss(0.5, math.log(2), 1.5, 3.0) == pytest.approx(math.log(2 / 3) + (1 + 9) / 4 - 0.5)
    assert loss(0.5, math.log(3), 1.5, 0.0) == pytest.approx((3 - 1) ** 2 + 1)
    assert loss(0.5, math.log(3), 1.5, SMALL) == pytest.approx((3 - 1) ** 2 + 1)


@pytest.mark.parametrize("variance", [0.01, 0.7, 4.0])
def test_the_minimum_is_where_the_documentation_says(variance: float) -> None:
    log_scale = torch.linspace(-8, 4, 240001, dtype=torch.float64)
    ours = torch.stack([log_scale - math.log(variance) + variance**2 * torch.exp(-2 * log_scale) - 0.5])[0]
    best = float(log_scale[ours.argmin()])
    assert math.exp(best) == pytest.approx(math.sqrt(2) * variance, rel=1e-3)
    assert loss(1.0, best, 1.0, variance) == pytest.approx(math.log(math.sqrt(2)), abs=1e-6)
    assert loss(1.0, best, 1.0, variance) < min(loss(1.0, best + by, 1.0, variance) for by in (-0.1, 0.1))
    assert loss(1.0, best, 1.0, variance) < loss(1.2, best, 1.0, variance)


def entries() -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    mean, log_scale, target_mean = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    target_variance = torch.rand(4, 5, generator=generator, dtype=torch.float64) * 3
    target_variance[0] = 0.0
    return mean, log_scale, target_mean, target_variance


def test_each_kind_is_averaged_by_itself() -> None:
    given = entries()
    kinds = [[values[rows] for values in given] for rows in (slice(0, 1), slice(1, None))]
    torch.testing.assert_close(
        published_gaussian_kl(*given), sum(published_gaussian_kl(*kind) for kind in kinds), check_dtype=False
    )
    assert published_gaussian_kl(*(values[:0] for values in given)).item() == 0


def test_gradients() -> None:
    mean, log_scale, target_mean, target_variance = entries()
    mean.requires_grad_()
    log_scale.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda one, other: published_gaussian_kl(one, other, target_mean, target_variance), (mean, log_scale)
    )
