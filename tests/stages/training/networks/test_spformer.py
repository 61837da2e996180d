from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stages.training.batch import TrainingScene, collate
from stages.training.losses.objective import Weights, objective
from stages.training.network import Proposals
from stages.training.networks.attention import Attention
from stages.training.networks.queries import labelled_seeds, spread_seeds
from stages.training.networks.spformer import Spformer
from tests.stages.training.toy_rooms import CLASSES, relabelled, toy_room


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(**options: int | str) -> Spformer:
    torch.manual_seed(0)
    return Spformer(CLASSES, voxel_size=0.1, widths=(8, 8), width=16, **{"layers": 2, **options})  # type: ignore[arg-type]


def proposals_of(network: Spformer, scene: TrainingScene) -> Proposals:
    return network(collate([scene]), generator()).proposals[0]


def taking_for_background(network: Spformer, logit: float) -> Spformer:
    """The network in evaluation mode, all regions background with this logit."""
    last = network.regions.semantic[-1]
    assert isinstance(last, torch.nn.Linear)
    last.bias.data[-1] = logit
    return network.eval()


def fit(network: Spformer, scene: TrainingScene, steps: int) -> list[float]:
    network.train()
    batch = collate([scene])
    assert batch.labels is not None
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    draw, losses = generator(), []
    for _ in range(steps):
        loss = objective(network(batch, draw), batch.labels, "kl", Weights())["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def intersection_over_union(a: Tensor, b: Tensor) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("queries", ["seeded", "learnt"])
def test_learns_two_balls(queries: str) -> None:
    scene = toy_room(2, points=60, floor=100)
    network = small(queries=queries, learnt_queries=6, layers=1)
    losses = fit(network, scene, 40)
    assert losses[-1] < 0.3 * losses[0]
    network.eval()
    found = proposals_of(network, replace(scene, labels=None))
    is_object = found.class_logit.softmax(dim=1)[:, -1] < 0.5
    masks = found.mask_logit[is_object] > 0
    kinds = found.class_logit[is_object].argmax(dim=1)
    assert scene.labels is not None
    for truth, kind in zip(scene.labels.mask, scene.labels.class_index, strict=True):
        overlap = [intersection_over_union(mask, truth) for mask in masks]
        best = max(range(len(overlap)), key=overlap.__getitem__)
        assert overlap[best] > 0.9
        assert kinds[best] == kind


def test_training_seeds_have_to_become_the_owner_of_their_region() -> None:
    scene = toy_room(5)
    assert scene.labels is not None
    seed, target = labelled_seeds(scene.labels, 2, 16, generator())
    assert torch.equal(scene.labels.owner[seed], target)
    assert len(seed) == len(seed.unique())
    assert torch.bincount(target + 1).tolist() == [16, 2, 2, 2, 2, 2]
    found = proposals_of(small().train(), scene).target
    assert found is not None
    assert torch.bincount(found + 1).tolist() == [16, 2, 2, 2, 2, 2]


def test_seeds_are_as_many_as_there_are_regions() -> None:
    scene = toy_room(2, floor=30)
    assert scene.labels is not None
    seed, _ = labelled_seeds(scene.labels, 1000, 1000, generator())
    assert sorted(seed.tolist()) == list(range(scene.regions))


def test_ignored_regions_are_no_seeds() -> None:
    scene = toy_room(3)
    assert scene.labels is not None
    ignored = relabelled(scene, ignore=(scene.labels.owner == 1) | (torch.arange(scene.regions) % 2 == 0))
    assert ignored.labels is not None
    seed, target = labelled_seeds(ignored.labels, 2, 16, generator())
    assert not ignored.labels.ignore[seed].any()
    assert 1 not in target


def test_seeds_are_drawn_from_the_generator_alone() -> None:
    scene = toy_room(3)
    assert scene.labels is not None
    first, again, other = (labelled_seeds(scene.labels, 2, 16, generator(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_testing_seeds_start_surest_and_spread() -> None:
    vote = torch.tensor([[0.0, 0, 0], [0.1, 0, 0], [5, 0, 0], [9, 0, 0], [20, 0, 0]])
    foreground = torch.tensor([0.8, 0.9, 0.7, 0.6, 0.4])
    assert spread_seeds(vote, foreground, 3).tolist() == [1, 3, 2]
    assert spread_seeds(vote, foreground, 10).tolist() == [1, 3, 2, 0]
    assert spread_seeds(vote, torch.zeros(5), 10).tolist() == []


def test_testing_seeds_are_at_most_as_many_as_asked_for() -> None:
    network = taking_for_background(small(test_seeds=5), -100.0)
    assert len(proposals_of(network, toy_room(3)).mask_logit) == 5


def test_scenes_in_which_nothing_looks_like_an_object_have_no_proposals() -> None:
    network = taking_for_background(small(), 100.0)
    assert len(proposals_of(network, toy_room(3)).mask_logit) == 0


def test_learnt_queries_are_matched_by_the_loss() -> None:
    found = proposals_of(small(queries="learnt", learnt_queries=7).train(), toy_room(3))
    assert found.target is None
    assert len(found.mask_logit) == 7


def test_every_layer_enters_the_loss() -> None:
    assert len(small()(collate([toy_room(2)]), generator()).earlier) == 2


def test_attention_sees_what_is_visible_or_everything() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2)
    query, context = torch.randn(2, 8), torch.randn(3, 8)
    query_vote, context_vote = torch.randn(2, 3), torch.randn(3, 3)
    visible = torch.tensor([[True, False, True], [False, False, False]])
    seen = attention(query, query_vote, context, context_vote, visible)
    part = attention(query[:1], query_vote[:1], context[[0, 2]], context_vote[[0, 2]])
    torch.testing.assert_close(seen[:1], part)
    torch.testing.assert_close(seen[1:], attention(query[1:], query_vote[1:], context, context_vote))


def test_width_is_a_multiple_of_heads() -> None:
    with pytest.raises(ValueError, match="width 10 of spformer is no multiple of its 4 heads"):
        Spformer(CLASSES, width=10)


def test_numbers_that_are_too_small_are_told() -> None:
    with pytest.raises(ValueError, match="width of spformer is 0, and has to be 1 at least"):
        Spformer(CLASSES, width=0)
    with pytest.raises(ValueError, match="layers of spformer is -1, and has to be 0 at least"):
        Spformer(CLASSES, layers=-1)
