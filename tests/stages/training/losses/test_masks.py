"""Losses of masks and of scores."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from stages.training.losses.masks import (
    mask_bce,
    mask_dice,
    mask_iou,
    mean_or_zero,
    pairwise_bce,
    pairwise_dice,
    score_loss,
)


def logits(rows: int, regions: int) -> Tensor:
    return 3 * torch.randn(rows, regions, generator=torch.Generator().manual_seed(rows), dtype=torch.float64)


def masks(rows: int, regions: int) -> Tensor:
    return torch.rand(rows, regions, generator=torch.Generator().manual_seed(rows + 1)) > 0.6


def test_cross_entropy_by_hand() -> None:
    logit = torch.tensor([[math.log(3), 0.0, -math.log(3), 0.0]])
    loss = mask_bce(logit, torch.tensor([[True, True, True, False]]))
    expected = -(math.log(0.75) + math.log(0.5) + math.log(0.25) + math.log(0.5)) / 4
    assert loss.item() == pytest.approx(expected)


def test_dice_by_hand() -> None:
    logit = torch.tensor([[math.log(3), 0.0, -math.log(3)]])
    loss = mask_dice(logit, torch.tensor([[True, False, False]]))
    assert loss.item() == pytest.approx(1 - (2 * 0.75 + 1) / (1.5 + 1 + 1))


def test_a_met_mask_costs_nothing() -> None:
    mask = masks(3, 20)
    logit = torch.where(mask, 60.0, -60.0)
    torch.testing.assert_close(mask_bce(logit, mask), torch.zeros(3))
    torch.testing.assert_close(mask_dice(logit, mask), torch.zeros(3))
    assert mask_iou(logit, mask).tolist() == [1, 1, 1]


def test_extreme_logits_stay_finite() -> None:
    logit = torch.tensor([[1e4, -1e4]], requires_grad=True)
    wrong = torch.tensor([[False, True]])
    for loss in (mask_bce(logit, wrong), mask_dice(logit, wrong)):
        (gradient,) = torch.autograd.grad(loss.sum(), logit)
        assert torch.isfinite(loss).all()
        assert torch.isfinite(gradient).all()


def test_overlap_by_hand() -> None:
    logit = torch.tensor([[2.0, 0.1, -0.1, 0.0], [-1.0, -1.0, -1.0, -1.0], [1.0, -1.0, -1.0, -1.0]])
    mask = torch.tensor([[True, False, True, False], [False] * 4, [False, True, False, False]])
    overlap = mask_iou(logit.requires_grad_(), mask)
    torch.testing.assert_close(overlap, torch.tensor([1 / 3, 0.0, 0.0]))
    assert not overlap.requires_grad


def test_all_pairs_cost_what_single_ones_do() -> None:
    logit, mask = logits(4, 15), masks(6, 15)
    bce, dice = pairwise_bce(logit, mask), pairwise_dice(logit, mask)
    for k in range(6):
        same = mask[k].expand(4, -1)
        torch.testing.assert_close(bce[:, k], mask_bce(logit, same))
        torch.testing.assert_close(dice[:, k], mask_dice(logit, same))


def test_gradients_are_those_of_the_value() -> None:
    logit, mask = logits(3, 8).requires_grad_(), masks(3, 8)
    assert torch.autograd.gradcheck(lambda x: mask_bce(x, mask), (logit,))
    assert torch.autograd.gradcheck(lambda x: mask_dice(x, mask), (logit,))


def test_rows_without_regions_cost_nothing() -> None:
    logit, mask = torch.zeros(2, 0), torch.zeros(2, 0, dtype=torch.bool)
    for loss in (mask_bce, mask_dice, mask_iou):
        assert loss(logit, mask).tolist() == [0, 0]
    assert pairwise_bce(logit, mask).tolist() == pairwise_dice(logit, mask).tolist() == [[0, 0], [0, 0]]


def test_scores_learn_the_overlap() -> None:
    overlap = torch.tensor([0.2, 0.9])
    best = torch.logit(overlap).requires_grad_()
    (gradient,) = torch.autograd.grad(score_loss(best, overlap).sum(), best)
    torch.testing.assert_close(gradient, torch.zeros(2))
    expected = -(0.2 * math.log(0.5) + 0.8 * math.log(0.5))
    assert float(score_loss(torch.zeros(1), overlap[:1])) == pytest.approx(expected)


def test_the_mean_of_nothing_is_zero_with_gradients() -> None:
    values = torch.zeros(0, requires_grad=True)
    assert mean_or_zero(values).requires_grad
    assert mean_or_zero(values).item() == 0
    assert float(mean_or_zero(torch.tensor([1.0, 2.0]))) == 1.5
