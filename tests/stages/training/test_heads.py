from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stages.training.batch import RegionLabels
from stages.training.heads import MaskHeads, RegionHeads, RegionOpinion, region_losses, vote_distance
from tests.stages.training.toy_rooms import labels_of

CENTER = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])


def labels(owner: list[int], class_index: list[int], ignore: list[bool] | None = None) -> RegionLabels:
    made = labels_of(torch.tensor(owner), CENTER)
    flags = torch.tensor(ignore) if ignore else made.ignore
    return replace(made, class_index=torch.tensor(class_index), ignore=flags)


def opinion(class_logit: torch.Tensor, vote: torch.Tensor | None = None) -> RegionOpinion:
    return RegionOpinion(class_logit, torch.zeros(len(class_logit), 3) if vote is None else vote)


def sure(classes: list[int]) -> torch.Tensor:
    """Logits of two classes and background that leave no doubt."""
    return 100.0 * torch.nn.functional.one_hot(torch.tensor(classes), 3).float()


def test_foreground_is_what_background_is_not() -> None:
    torch.testing.assert_close(opinion(torch.zeros(2, 3)).foreground, torch.full((2,), 2 / 3))
    torch.testing.assert_close(opinion(sure([2, 0])).foreground, torch.tensor([0.0, 1.0]))


def test_right_regions_lose_nothing() -> None:
    right = opinion(sure([0, 2, 1]), torch.stack([CENTER[0], torch.ones(3), CENTER[1]]))
    losses = region_losses(right, [labels([0, -1, 1], [0, 1])])
    assert losses["semantic"].item() == 0
    assert losses["vote"].item() == 0


def test_classes_that_are_rare_weigh_more() -> None:
    """Three regions of background, one of class 0, weights in proportion 1 : sqrt(3), each wrong in turn."""
    known = labels([-1, -1, -1, 0], [0, 1])
    wrong_object = region_losses(opinion(sure([2, 2, 2, 2])), [known])["semantic"]
    wrong_background = region_losses(opinion(sure([2, 2, 0, 0])), [known])["semantic"]
    assert wrong_object / wrong_background == pytest.approx(3**0.5, rel=1e-4)
    assert wrong_background.item() == pytest.approx(100 / (3 + 3**0.5), rel=1e-4)


def test_uniform_logits_lose_the_logarithm_of_their_number() -> None:
    losses = region_losses(opinion(torch.zeros(4, 3)), [labels([-1, -1, 0, 1], [0, 1])])
    assert losses["semantic"].item() == pytest.approx(torch.tensor(3.0).log().item())


def test_objects_without_class_only_have_to_be_objects() -> None:
    known = labels([0, 1], [-1, -1])
    for guess in ([0, 1], [1, 0]):
        assert region_losses(opinion(sure(guess)), [known])["semantic"].item() == pytest.approx(0, abs=1e-6)
    assert region_losses(opinion(sure([2, 2])), [known])["semantic"].item() > 50


def test_votes_count_in_objects_alone() -> None:
    vote = torch.tensor([[0.1, 0.2, -0.3], [9.0, 9.0, 9.0], [2.0, 0.0, 0.4]])
    losses = region_losses(opinion(sure([0, 2, 1]), vote), [labels([0, -1, 1], [0, -1])])
    assert losses["vote"].item() == pytest.approx((0.6 + 0.4) / 2)


def test_ignored_regions_lose_nothing() -> None:
    vote = torch.full((3, 3), 5.0)
    losses = region_losses(opinion(sure([2, 0, 1]), vote), [labels([0, -1, -1], [0, 1], [True, True, True])])
    assert {name: loss.item() for name, loss in losses.items()} == {"semantic": 0, "vote": 0}


def test_scenes_without_objects_have_losses_with_gradients() -> None:
    empty = labels_of(torch.tensor([-1, -1]), torch.zeros(0, 3))
    logit, vote = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    losses = region_losses(opinion(logit, vote), [empty])
    assert losses["vote"].item() == 0
    torch.stack(list(losses.values())).sum().backward()
    assert logit.grad is not None
    assert vote.grad is not None
    assert logit.grad[:, 2].lt(0).all()


def test_scenes_of_a_batch_count_by_their_regions() -> None:
    one, other = labels([0, -1], [0, 1]), labels([1, 1, -1], [0, 1])
    logit = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    together = labels([0, -1, 1, 1, -1], [0, 1])
    assert torch.equal(
        region_losses(opinion(logit), [one, other])["semantic"], region_losses(opinion(logit), [together])["semantic"]
    )


def test_region_heads_vote_from_where_regions_are() -> None:
    torch.manual_seed(0)
    heads = RegionHeads(4, 2)
    feature, position = torch.randn(5, 4), torch.randn(5, 3)
    here, moved = heads(feature, position), heads(feature, position + 1)
    assert here.class_logit.shape == (5, 3)
    torch.testing.assert_close(moved.vote, here.vote + 1)


def test_new_masks_are_balls_around_the_vote() -> None:
    torch.manual_seed(0)
    heads = MaskHeads(8)
    torch.nn.init.zeros_(heads.key.weight)
    torch.nn.init.zeros_(heads.key.bias)
    said = heads(torch.randn(1, 8), torch.randn(3, 8), torch.tensor([[0.0, 0.3, 0.5]]))
    torch.testing.assert_close(said.mask_logit, torch.tensor([[2.0, 0.5, -0.5]]))
    torch.testing.assert_close(said.mean, said.mask_logit.sigmoid())
    assert torch.equal(said.log_variance, torch.full((1, 3), -3.0))


def test_distance_lowers_mask_and_mean_whatever_is_learnt() -> None:
    heads = MaskHeads(8)
    with torch.no_grad():
        heads.log_multiple.fill_(-20.0)
    query, region = torch.randn(2, 8), torch.randn(3, 8)
    near, far = heads(query, region, torch.zeros(2, 3)), heads(query, region, torch.full((2, 3), 1e6))
    assert (far.mask_logit < near.mask_logit).all()
    assert (far.mean <= near.mean).all()
    assert torch.equal(far.log_variance, near.log_variance)


def test_vote_distance_is_euclidean_with_a_gradient_everywhere() -> None:
    a = torch.tensor([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]], requires_grad=True)
    distance = vote_distance(a, torch.zeros(1, 3))
    torch.testing.assert_close(distance, torch.tensor([[0.0], [5.0]]), atol=2e-4, rtol=0)
    distance.sum().backward()
    assert a.grad is not None
    torch.testing.assert_close(a.grad, torch.tensor([[0.0, 0.0, 0.0], [0.6, 0.8, 0.0]]))
