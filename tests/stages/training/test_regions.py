"""Means over regions."""

import torch

from stages.training.regions import region_mean, region_points


def test_mean_of_points_and_nothing_of_empty_regions() -> None:
    region = torch.tensor([2, 0, 2, 2])
    values = torch.tensor([[1.0, 0.0], [5.0, 6.0], [2.0, 0.0], [6.0, 3.0]])
    assert region_mean(values, region, 4).tolist() == [[5.0, 6.0], [0.0, 0.0], [3.0, 1.0], [0.0, 0.0]]
    assert region_points(region, 4).tolist() == [1, 0, 3, 0]


def test_gradient_is_shared_among_the_points() -> None:
    values = torch.zeros(3, 1, requires_grad=True)
    region_mean(values, torch.tensor([1, 1, 0]), 2)[1].sum().backward()
    assert values.grad is not None
    assert values.grad[:, 0].tolist() == [0.5, 0.5, 0.0]
