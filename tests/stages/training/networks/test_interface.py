"""What every network promises, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stages.training.batch import TrainingScene, collate
from stages.training.losses.objective import Weights, objective
from stages.training.network import Network, Prediction, Proposals
from stages.training.networks.load import build_network
from stages.training.networks.pointgroup import Pointgroup
from stages.training.networks.spformer import Spformer
from tests.stages.training.toy_rooms import CLASSES, one_region, relabelled, toy_room

SMALL: dict[str, Any] = {"voxel_size": 0.1, "widths": (8, 8, 8)}
EXAMPLES = Path(__file__).parents[4] / "examples"


def example(classes: int, **options: Any) -> Network:
    return build_network("./own_network.py:RegionMlp", classes, options, EXAMPLES)


NETWORKS: dict[str, tuple[Callable[..., Network], dict[str, Any]]] = {
    "spformer-seeded": (Spformer, {**SMALL, "width": 16, "layers": 2}),
    "spformer-learnt": (Spformer, {**SMALL, "width": 16, "layers": 2, "queries": "learnt", "learnt_queries": 12}),
    "pointgroup": (Pointgroup, {**SMALL, "width": 16, "least_points": 20}),
    "example": (example, {"width": 16}),
}

every_network = pytest.mark.parametrize("name", NETWORKS)


def new_network(name: str) -> Network:
    """The same parameters every time."""
    kind, options = NETWORKS[name]
    torch.manual_seed(0)
    return kind(CLASSES, **options)


def trained_network(name: str) -> Network:
    """A network that has an idea of what is an object, so that it has proposals in evaluation mode."""
    network = new_network(name)
    network.load_state_dict(trained_parameters(name, 25))
    return network


@cache
def trained_parameters(name: str, steps: int) -> dict[str, Tensor]:
    network = new_network(name).train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        loss_of(network, [toy_room(3, seed=step)])["total"].backward()
        optimizer.step()
    return network.state_dict()


def predict(network: Network, scenes: Sequence[TrainingScene], seed: int = 0) -> Prediction:
    return network(collate(scenes), torch.Generator().manual_seed(seed))


def loss_of(network: Network, scenes: Sequence[TrainingScene]) -> dict[str, Tensor]:
    batch = collate(scenes)
    assert batch.labels is not None
    return objective(network(batch, torch.Generator().manual_seed(0)), batch.labels, "kl", Weights())


def unlabelled(scene: TrainingScene) -> TrainingScene:
    return replace(scene, labels=None)


def assert_sound(prediction: Prediction, scenes: Sequence[TrainingScene]) -> None:
    for layer in (prediction.proposals, *prediction.earlier):
        assert len(layer) == len(scenes)
        for proposals, scene in zip(layer, scenes, strict=True):
            assert_sound_proposals(proposals, scene)
    assert [len(feature) for feature in prediction.region_feature] == [scene.regions for scene in scenes]
    assert all(feature.dtype == torch.float32 and feature.isfinite().all() for feature in prediction.region_feature)
    assert all(loss.isfinite() for loss in prediction.losses.values())


def assert_sound_proposals(proposals: Proposals, scene: TrainingScene) -> None:
    count = len(proposals.mask_logit)
    for values in (proposals.mask_logit, proposals.mean, proposals.log_variance):
        assert values.shape == (count, scene.regions)
        assert values.dtype == torch.float32
        assert values.isfinite().all()
    assert ((proposals.mean >= 0) & (proposals.mean <= 1)).all()
    assert proposals.class_logit.shape == (count, CLASSES + 1)
    assert proposals.score_logit.shape == (count,)
    if proposals.target is not None:
        assert scene.labels is not None
        assert proposals.target.shape == (count,)
        assert ((proposals.target >= -1) & (proposals.target < len(scene.labels))).all()


def assert_same(one: Prediction, other: Prediction, tolerance: float = 0.0) -> None:
    """Proposals and features; layers that enter the loss alone are left out."""
    for mine, yours in zip(one.proposals, other.proposals, strict=True):
        for field in fields(Proposals):
            if (values := getattr(mine, field.name)) is not None:
                torch.testing.assert_close(getattr(yours, field.name), values, atol=tolerance, rtol=tolerance)
    for feature, other_feature in zip(one.region_feature, other.region_feature, strict=True):
        torch.testing.assert_close(other_feature, feature, atol=tolerance, rtol=tolerance)


@every_network
@pytest.mark.parametrize("training", [True, False])
def test_predictions_are_sound_in_both_modes(name: str, training: bool) -> None:
    scenes = [toy_room(2, seed=1), toy_room(3, seed=2)]
    network = new_network(name).train(training)
    labelled, bare = predict(network, scenes), predict(network, [unlabelled(scene) for scene in scenes])
    assert_sound(labelled, scenes)
    assert_sound(bare, scenes)
    assert not bare.losses
    assert all(proposals.target is None for proposals in bare.proposals)


@every_network
def test_gradients_reach_every_parameter(name: str) -> None:
    network = trained_network(name)
    network.zero_grad()
    loss_of(network, [toy_room(3, seed=1)])["total"].backward()
    still = [key for key, one in network.named_parameters() if one.grad is None or not one.grad.abs().sum() > 0]
    assert not still


@every_network
def test_loss_falls(name: str) -> None:
    scene = [toy_room(3)]
    before, after = (loss_of(net.train(), scene)["total"].item() for net in (new_network(name), trained_network(name)))
    assert after < 0.75 * before


@every_network
def test_evaluation_of_a_scene_does_not_depend_on_its_batch(name: str) -> None:
    network = trained_network(name).eval()
    scenes = [unlabelled(toy_room(count, seed=count)) for count in (2, 3, 4)]
    together = predict(network, scenes)
    for number, scene in enumerate(scenes):
        alone = predict(network, [scene])
        part = replace(
            together,
            proposals=together.proposals[number : number + 1],
            region_feature=together.region_feature[number : number + 1],
        )
        assert len(alone.proposals[0].mask_logit)
        assert_same(alone, part, tolerance=1e-4)


@every_network
def test_order_of_points_does_not_matter(name: str) -> None:
    network = trained_network(name).eval()
    scene = unlabelled(toy_room(3))
    order = torch.randperm(len(scene.xyz), generator=torch.Generator().manual_seed(1))
    shuffled = replace(scene, xyz=scene.xyz[order], color=scene.color[order], superpoint=scene.superpoint[order])
    assert_same(predict(network, [scene]), predict(network, [shuffled]), tolerance=1e-4)


@every_network
def test_masks_move_with_the_scene(name: str) -> None:
    """By whole voxels: other moves change which points share a voxel."""
    network = trained_network(name).eval()
    scene = unlabelled(toy_room(3))
    moved = replace(scene, xyz=scene.xyz + torch.tensor([12.8, -25.6, 6.4]))
    assert_same(predict(network, [scene]), predict(network, [moved]), tolerance=2e-3)


@every_network
def test_repeats_with_the_same_generator(name: str) -> None:
    scenes = [toy_room(3, seed=1), toy_room(4, seed=2)]
    first, second = (predict(new_network(name).train(), scenes, seed=5) for _ in range(2))
    assert_same(first, second)
    for key, loss in first.losses.items():
        assert torch.equal(loss, second.losses[key])


@every_network
def test_training_repeats_bit_by_bit(name: str) -> None:
    first, second = (trained_parameters.__wrapped__(name, 3) for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_network
def test_ignored_regions_enter_no_loss_of_the_network(name: str) -> None:
    network = new_network(name).train()
    scene = toy_room(3)
    assert scene.labels is not None
    ignore = scene.labels.owner == 2
    without = relabelled(scene, ignore=ignore)
    other = relabelled(
        scene,
        ignore=ignore,
        center=torch.tensor([[1.0], [1.0], [7.0]]) * scene.labels.center,
        class_index=torch.tensor([0, 1, 0]),
    )
    assert predict(network, [without]).losses
    for key, loss in predict(network, [without]).losses.items():
        assert torch.equal(loss, predict(network, [other]).losses[key])
        assert not torch.equal(loss, predict(network, [scene]).losses[key])


def odd_scenes() -> dict[str, TrainingScene]:
    plain, crowded = toy_room(2), toy_room(200, points=20, floor=400)
    assert plain.labels is not None
    everything = torch.ones_like(plain.labels.ignore)
    return {
        "no objects": toy_room(0),
        "200 objects": crowded,
        "one region": one_region(),
        "no background": toy_room(2, floor=0),
        "objects without class": relabelled(plain, class_index=torch.tensor([-1, -1])),
        "nothing but ignored regions": relabelled(plain, ignore=everything),
        "no colour": replace(plain, color=torch.zeros_like(plain.color)),
    }


@every_network
@pytest.mark.parametrize("odd", odd_scenes())
def test_odd_scenes_train_and_predict(name: str, odd: str) -> None:
    scene = odd_scenes()[odd]
    network = new_network(name).train()
    for scenes in ([scene], [scene, toy_room(2)]):
        assert_sound(predict(network, scenes), scenes)
        network.zero_grad()
        total = loss_of(network, scenes)["total"]
        total.backward()
        assert total.isfinite()
        assert all(one.grad is None or one.grad.isfinite().all() for one in network.parameters())
    network.eval()
    assert_sound(predict(network, [scene, toy_room(2)]), [scene, toy_room(2)])
    assert_sound(predict(network, [unlabelled(scene)]), [scene])
