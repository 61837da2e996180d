"""The loss of classes."""

from __future__ import annotations

import math

import pytest
import torch

from stages.training.losses.classes import class_loss

LOGIT = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5], [0.25, 0.25, 0.5]]))


def test_by_hand() -> None:
    loss = class_loss(LOGIT, torch.tensor([1, 0]), torch.tensor([1, 0, -1, -1]), 0.25)
    expected = (-math.log(0.7) - math.log(0.6) - 0.25 * math.log(0.5) - 0.25 * math.log(0.5)) / 2.5
    assert loss.item() == pytest.approx(expected)


def test_objects_without_a_class_are_left_out() -> None:
    loss = class_loss(LOGIT, torch.tensor([-1, 0]), torch.tensor([1, 0, -1, 0]), 0.5)
    assert loss.item() == pytest.approx((-math.log(0.7) - 0.5 * math.log(0.5)) / 1.5)


def test_gradients_are_those_of_the_value() -> None:
    logit = LOGIT.double().requires_grad_()
    index, target = torch.tensor([1, -1]), torch.tensor([0, 1, -1, 0])
    assert torch.autograd.gradcheck(lambda x: class_loss(x, index, target, 0.1), (logit,))


@pytest.mark.parametrize(
    ("logit", "index", "target", "no_object"),
    [
        (LOGIT[:0], [0], [], 0.1),
        (LOGIT[:2], [-1], [0, 0], 0.1),
        (LOGIT[:2], [], [-1, -1], 0.0),
    ],
)
def test_nothing_to_learn_is_zero_with_gradients(
    logit: torch.Tensor, index: list[int], target: list[int], no_object: float
) -> None:
    logit = logit.clone().requires_grad_()
    indices, targets = (torch.tensor(values, dtype=torch.int64) for values in (index, target))
    loss = class_loss(logit, indices, targets, no_object)
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, logit)
    assert not gradient.any()
