from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.inference.predict import predict
from stages.training.batch import Batch, TrainingScene, collate
from stages.training.heads import RegionOpinion
from stages.training.losses.objective import Weights, objective
from stages.training.network import Proposals
from stages.training.networks.pointgroup import MOST_PROPOSALS, Pointgroup, overlapped_objects
from tests.stages.training.toy_rooms import CLASSES, labels_of, relabelled, toy_room

SMALL: dict[str, Any] = {"voxel_size": 0.1, "widths": (8, 16, 16), "width": 32, "least_points": 20}


class KnowingHeads(nn.Module):
    """Says what it is told of every region."""

    def __init__(self, kind: Tensor, vote: Tensor) -> None:
        super().__init__()
        self.kind, self.vote = kind, vote

    def forward(self, feature: Tensor, position: Tensor) -> RegionOpinion:  # noqa: ARG002
        logit = 20 * nn.functional.one_hot(self.kind, CLASSES + 1).float()
        return RegionOpinion(logit + 0 * feature.sum(), self.vote)


def network_that_knows(kind: Tensor, vote: Tensor, **options: Any) -> Pointgroup:
    torch.manual_seed(0)
    network = Pointgroup(CLASSES, **{**SMALL, **options})
    network.regions = KnowingHeads(kind, vote)  # type: ignore[assignment]
    return network


def truth(scene: TrainingScene) -> tuple[Tensor, Tensor]:
    """Class and vote of every region, as labelled."""
    assert scene.labels is not None
    owner = scene.labels.owner
    kind = torch.where(owner >= 0, scene.labels.class_index[owner], CLASSES)
    return kind, torch.where(owner[:, None] >= 0, scene.labels.center[owner], torch.zeros(3))


def run(network: Pointgroup, batch: Batch) -> tuple[Proposals, ...]:
    return network(batch, torch.Generator()).proposals


def pair_of_balls() -> TrainingScene:
    """Two balls of one class, cut into one, that touch."""
    scene = toy_room(2)
    assert scene.labels is not None
    first, second = scene.labels.center
    shift = torch.where((scene.labels.owner == 1)[scene.superpoint][:, None], first - second, torch.zeros(3))
    beside = torch.tensor([0.5, 0.0, 0.0])
    xyz = scene.xyz + shift + torch.where(shift.any(dim=1, keepdim=True), beside, torch.zeros(3))
    moved = TrainingScene(scene.scene, xyz, scene.color, scene.superpoint, scene.regions, scene.labels)
    return relabelled(moved, center=torch.stack([first, first + beside]), class_index=torch.tensor([1, 1]))


def test_knowing_every_region_is_knowing_every_object() -> None:
    scenes = [toy_room(3, seed=1), toy_room(4, seed=2)]
    kind, vote = (torch.cat(values) for values in zip(*map(truth, scenes), strict=True))
    for proposals, scene in zip(run(network_that_knows(kind, vote), collate(scenes)), scenes, strict=True):
        assert scene.labels is not None
        assert proposals.target is not None
        assert sorted(proposals.target.tolist()) == list(range(len(scene.labels)))
        assert torch.equal(proposals.mask_logit > 0, scene.labels.mask[proposals.target])


def test_votes_part_what_touches() -> None:
    scene = pair_of_balls()
    kind, vote = truth(scene)
    apart, together = (
        run(network_that_knows(kind, vote, reach=reach, least_points=100), collate([scene]))[0].target
        for reach in (0.01, 0.2)
    )
    assert apart is not None
    assert together is not None
    assert sorted(apart.tolist()) == [0, 1]
    assert len(together) == 3


def test_touch_joins_what_votes_part() -> None:
    scene = toy_room(2)
    kind, _ = truth(scene)
    far = 5.0 * torch.arange(3 * scene.regions).reshape(-1, 3)
    (proposals,) = run(network_that_knows(kind, far, reach=0.3, least_points=100), collate([scene]))
    assert proposals.target is not None
    assert sorted(proposals.target.tolist()) == [0, 1]


def test_training_without_any_proposal() -> None:
    scene = toy_room(2)
    network = network_that_knows(torch.full((scene.regions,), CLASSES), torch.zeros(scene.regions, 3))
    batch = collate([scene])
    assert batch.labels is not None
    prediction = network(batch, torch.Generator())
    assert prediction.proposals[0].mask_logit.shape == (0, scene.regions)
    losses = objective(prediction, batch.labels, "kl", Weights())
    losses["total"].backward()
    assert all(losses[name] == 0 for name in ("bce", "dice", "class", "score", "uncertainty"))
    assert len(predict(network, batch, torch.Generator())[0].score) == 0


def test_what_is_not_a_number_shows_in_the_loss() -> None:
    scene = toy_room(2)
    kind, vote = truth(scene)
    batch = collate([scene])
    assert batch.labels is not None
    prediction = network_that_knows(kind, vote * torch.nan)(batch, torch.Generator())
    assert prediction.losses["vote"].isnan()


def test_places_and_counts_stay_precise_in_half_precision() -> None:
    scene = toy_room(3)
    kind, vote = truth(scene)
    network, batch = network_that_knows(kind, vote).eval(), collate([scene])
    exact = run(network, batch)[0]
    with torch.autocast("cpu", torch.bfloat16):
        rough = run(network, batch)[0]
    assert exact.target is not None
    assert rough.target is not None
    assert exact.target.tolist() == rough.target.tolist()
    assert rough.mask_logit.dtype == rough.class_logit.dtype == rough.score_logit.dtype == torch.float32
    torch.testing.assert_close(rough.mask_logit, exact.mask_logit, atol=0.1, rtol=0.05)


def test_the_largest_clusters_stay() -> None:
    scene = toy_room(300, points=20, floor=0)
    kind, vote = truth(scene)
    (proposals,) = run(network_that_knows(kind, vote, least_points=1), collate([scene]))
    assert len(proposals.mask_logit) == MOST_PROPOSALS


def test_targets_count_points() -> None:
    labels = labels_of(torch.tensor([0, 0, 1, 1, -1]), torch.zeros(2, 3))
    points = torch.tensor([10, 10, 100, 1, 1000])
    member = torch.tensor(
        [
            [True, True, False, True, False],
            [False, True, True, False, False],
            [False, False, True, True, True],
            [False, False, False, False, True],
            [True, False, True, False, False],
        ]
    )
    assert overlapped_objects(member, points, labels).tolist() == [0, 1, -1, -1, 1]
    assert overlapped_objects(member[:0], points, labels).tolist() == []


def test_ignored_regions_choose_no_target() -> None:
    labels = labels_of(torch.tensor([0, 1, 1, -1]), torch.zeros(2, 3))
    points, member = torch.tensor([10, 30, 30, 200]), torch.tensor([[True, True, False, True]])
    assert overlapped_objects(member, points, labels).tolist() == [-1]
    labels.ignore[[1, 3]] = True
    assert overlapped_objects(member, points, labels).tolist() == [0]


def test_without_objects_nothing_is_a_target() -> None:
    labels = toy_room(0).labels
    assert labels is not None
    regions = len(labels.ignore)
    member = torch.ones(2, regions, dtype=torch.bool)
    assert overlapped_objects(member, torch.ones(regions, dtype=torch.int64), labels).tolist() == [-1, -1]


def test_learns_a_scene() -> None:
    torch.manual_seed(0)
    network, batch = Pointgroup(CLASSES, **SMALL).train(), collate([toy_room(3)])
    assert batch.labels is not None
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        objective(network(batch, torch.Generator()), batch.labels, "kl", Weights())["total"].backward()
        optimizer.step()
    found = predict(network, batch, torch.Generator())[0]
    wanted = batch.labels[0]
    overlap = torch.tensor(found.mask)[:, None] & wanted.mask[None]
    union = torch.tensor(found.mask)[:, None] | wanted.mask[None]
    share = overlap.sum(dim=2) / union.sum(dim=2)
    assert (share.amax(dim=0) > 0.9).all()
    assert found.class_index[share.argmax(dim=0)].tolist() == wanted.class_index.tolist()


@pytest.mark.parametrize("options", [{"reach": 0.0}, {"radii": (0.1, -0.1)}])
def test_distances_have_to_be_positive(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Pointgroup(CLASSES, **options)
