"""Losses of mean and variance."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from stages.training.losses.kl import (
    V_MAX,
    V_MIN,
    Uncertainty,
    balanced_mean,
    gaussian_kl,
    squared_errors,
    uncertainty_loss,
)

REGIONS = 12


def entries(seed: int = 0) -> dict[str, Tensor]:
    """Predictions and labels of three proposals; the first half of the regions is contested."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(3, REGIONS, generator=generator, dtype=torch.float64)

    determined = torch.arange(REGIONS) >= REGIONS // 2
    label = (uniform(0, 1) > 0.6).double()
    return {
        "mean": uniform(0.01, 0.99),
        "log_variance": uniform(math.log(V_MIN) + 0.1, math.log(V_MAX) - 0.1),
        "target_mean": torch.where(determined, label, uniform(0.1, 0.9) * (uniform(0, 1) > 0.5)),
        "target_variance": torch.where(determined, 0.0, uniform(V_MIN, 0.25)),
        "determined": determined,
    }


def one(e: float, v: float, e_hat: float, v_hat: float, *, determined: bool) -> float:
    row = [torch.tensor([[value]], dtype=torch.float64) for value in (e_hat, math.log(v_hat), e, v)]
    return gaussian_kl(row[0], row[1], row[2], row[3], torch.tensor([determined])).item()


def test_contested_entries_have_the_divergence_of_two_gaussians() -> None:
    given = entries()
    posterior = Normal(given["target_mean"], given["target_variance"].clamp(min=V_MIN).sqrt())
    predicted = Normal(given["mean"], (0.5 * given["log_variance"]).exp())
    contested = ~given["determined"]
    expected = kl_divergence(posterior, predicted)
    torch.testing.assert_close(gaussian_kl(**given)[:, contested], expected[:, contested])


def test_numbers_by_hand() -> None:
    assert one(0.8, 0.04, 0.6, 0.08, determined=False) == pytest.approx(0.5 * (math.log(2) + (0.04 + 0.04) / 0.08 - 1))
    assert one(0.8, 0.04, 0.6, 0.02, determined=False) == pytest.approx(0.5 * (math.log(0.5) + 0.08 / 0.02 - 1))
    assert one(1.0, 0.0, 0.7, 0.05, determined=True) == pytest.approx(0.09 + 0.05)


@pytest.mark.parametrize("variance", [V_MIN, 0.01, 0.1, 0.25])
def test_agreement_costs_nothing_and_stays(variance: float) -> None:
    mean = torch.tensor([[0.3]], dtype=torch.float64, requires_grad=True)
    log_variance = torch.tensor([[math.log(variance)]], dtype=torch.float64, requires_grad=True)
    target = mean.detach(), torch.tensor([[variance]], dtype=torch.float64)
    loss = gaussian_kl(mean, log_variance, *target, torch.tensor([False])).sum()
    gradients = torch.autograd.grad(loss, (mean, log_variance))
    for value in (loss, *gradients):
        assert value.item() == pytest.approx(0.0, abs=1e-12)


def test_who_decided_says_which_branch_not_the_variance() -> None:
    # a posterior without variance is raised to V_MIN, a rule's variance is not looked at
    assert one(1.0, 0.0, 1.0, 0.1, determined=False) == one(1.0, V_MIN, 1.0, 0.1, determined=False) > 0
    assert one(1.0, 0.0, 0.9, 0.1, determined=True) == one(1.0, 0.2, 0.9, 0.1, determined=True)


def test_gradients_are_those_of_the_value() -> None:
    given = entries()
    labels = given["target_mean"], given["target_variance"]
    predicted = [given[name].requires_grad_() for name in ("mean", "log_variance")]
    assert torch.autograd.gradcheck(lambda e, v: gaussian_kl(e, v, *labels, given["determined"]), predicted)
    assert torch.autograd.gradcheck(lambda e, v: squared_errors(e, v, *labels), predicted)


@pytest.mark.parametrize("determined", [True, False])
@pytest.mark.parametrize("start", [-40.0, math.log(V_MIN) - 0.5, 1.0, 40.0])
def test_a_log_variance_out_of_range_finds_back(start: float, *, determined: bool) -> None:
    log_variance = torch.full((1, 1), start, dtype=torch.float64, requires_grad=True)
    half = torch.full((1, 1), 0.5, dtype=torch.float64)
    target_variance = torch.full((1, 1), 0.04, dtype=torch.float64)
    for _ in range(300):
        loss = gaussian_kl(half, log_variance, half, target_variance, torch.tensor([determined])).sum()
        assert math.isfinite(loss.item())
        (gradient,) = torch.autograd.grad(loss, log_variance)
        with torch.no_grad():
            log_variance -= gradient.sign() * (gradient.abs() * 2).clamp(0.05, 0.5)
    if not determined:
        assert math.exp(log_variance.item()) == pytest.approx(0.04, rel=0.1)
    elif start > math.log(V_MIN):
        assert math.exp(log_variance.item()) < 1.1 * V_MIN
    else:
        assert log_variance.item() == start  # as sure as it can be said: no pull


def test_squared_errors_by_hand() -> None:
    row = [torch.tensor([[value]], dtype=torch.float64) for value in (0.6, math.log(0.08), 0.8, 0.05)]
    assert squared_errors(*row).item() == pytest.approx(0.04 + 0.0009)


def test_each_kind_of_entry_weighs_a_quarter() -> None:
    mean = torch.tensor([[1.0, 0.4, 0.0, 0.0, 0.0]])
    determined = torch.tensor([True, False, True, True, False])
    values = torch.tensor([[4.0, 8.0, 1.0, 3.0, 16.0]])
    assert float(balanced_mean(values, mean, determined)) == pytest.approx((4 + 8 + 2 + 16) / 4)
    # a hundred more regions of other objects change nothing
    more = torch.cat([values, torch.full((1, 100), 2.0)], dim=1)
    wide = torch.cat([mean, torch.zeros(1, 100)], dim=1), torch.cat([determined, torch.ones(100, dtype=torch.bool)])
    assert float(balanced_mean(more, *wide)) == pytest.approx((4 + 8 + 2 + 16) / 4)
    # a kind without entries counts as nothing
    assert float(balanced_mean(values[:, :2], mean[:, :2], determined[:2])) == pytest.approx((4 + 8) / 4)


@pytest.mark.parametrize("kind", ["kl", "mse", "none"])
def test_order_does_not_matter(kind: Uncertainty) -> None:
    given = entries()
    value = uncertainty_loss(**given, kind=kind)
    row, column = torch.tensor([2, 0, 1]), torch.randperm(REGIONS, generator=torch.Generator().manual_seed(1))
    changed = {name: held[column] if held.ndim == 1 else held[row][:, column] for name, held in given.items()}
    torch.testing.assert_close(uncertainty_loss(**changed, kind=kind), value)


@pytest.mark.parametrize("kind", ["kl", "mse", "none"])
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_nothing_to_learn_is_zero_with_gradients(kind: Uncertainty, shape: tuple[int, int]) -> None:
    mean, log_variance = (torch.zeros(shape, requires_grad=True) for _ in range(2))
    target = torch.zeros(shape)
    loss = uncertainty_loss(mean, log_variance, target, target, torch.zeros(shape[1], dtype=torch.bool), kind)
    gradients = torch.autograd.grad(loss, (mean, log_variance))
    assert loss.item() == 0
    assert all(gradient.shape == shape for gradient in gradients)


def test_none_pulls_at_nothing() -> None:
    given = entries()
    predicted = [given[name].requires_grad_() for name in ("mean", "log_variance")]
    loss = uncertainty_loss(**given, kind="none")
    assert loss.item() == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(loss, predicted))
