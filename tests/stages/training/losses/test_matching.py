"""Matching of proposals with objects."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from stages.training.losses.masks import mask_bce, mask_dice
from stages.training.losses.matching import match, matching_cost

MASK = torch.tensor([[1, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 1]], dtype=torch.bool)
NO_OPINION = torch.zeros(3, 5)


def fitting(order: list[int]) -> torch.Tensor:
    return torch.where(MASK[order], 2.0, -2.0)


def test_every_object_gets_the_proposal_that_fits() -> None:
    cost = matching_cost(fitting([2, 0, 1]), NO_OPINION, MASK, torch.tensor([0, 1, 2]), (5.0, 2.0, 1.0))
    assert match(cost).tolist() == [2, 0, 1]


def test_the_cost_is_that_of_the_losses() -> None:
    logit = fitting([1, 0, 1])
    class_logit = torch.log(torch.tensor([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2], [0.3, 0.3, 0.4]]))
    cost = matching_cost(logit, class_logit, MASK, torch.tensor([0, 1, -1]), (5.0, 2.0, 3.0))
    single = 5 * mask_bce(logit, MASK) + 2 * mask_dice(logit, MASK)
    torch.testing.assert_close(cost.diagonal(), single - 3 * torch.tensor([0.1, 0.3, 0.6]))


def test_classes_decide_between_equal_masks() -> None:
    logit = torch.zeros(2, 5)
    class_logit = torch.tensor([[0.0, 3.0, 0.0], [3.0, 0.0, 0.0]])
    cost = matching_cost(logit, class_logit, MASK[:2], torch.tensor([0, 1]), (0.0, 0.0, 1.0))
    assert match(cost).tolist() == [1, 0]


def test_the_sum_is_the_smallest_of_all_assignments() -> None:
    cost = torch.rand(5, 5, generator=torch.Generator().manual_seed(0))
    target = match(cost)
    best = min(float(cost[range(5), list(order)].sum()) for order in permutations(range(5)))
    assert float(cost[range(5), target].sum()) == pytest.approx(best)


def test_proposals_that_are_left_over_become_nothing() -> None:
    target = match(torch.tensor([[3.0, 1.0], [9.0, 9.0], [1.0, 3.0]]))
    assert target.tolist() == [1, -1, 0]


def test_objects_that_are_left_over_get_no_proposal() -> None:
    assert match(torch.tensor([[3.0, 1.0, 2.0]])).tolist() == [1]


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 2)])
def test_nothing_to_match(shape: tuple[int, int]) -> None:
    assert match(torch.zeros(shape)).tolist() == [-1] * shape[0]


def test_what_is_not_a_number_is_assigned_last() -> None:
    cost = torch.tensor([[torch.nan, torch.nan], [1.0, 2.0], [torch.inf, 3.0]])
    assert match(cost).tolist() == [-1, 0, 1]
