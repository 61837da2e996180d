"""Crops of large scenes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stages.training.crop import crop
from tests.stages.training.toy_rooms import toy_room


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_small_scene_stays_as_it_is() -> None:
    scene = toy_room(2)
    assert crop(scene, len(scene.xyz), generator()) is scene


@pytest.mark.parametrize("points", [1, 50, 400, 899])
def test_a_crop_has_as_many_points_as_asked_for_in_their_order(points: int) -> None:
    scene = toy_room(2)
    scene = replace(scene, color=torch.arange(len(scene.xyz)).float()[:, None].expand(-1, 3))
    part = crop(scene, points, generator())
    assert len(part.xyz) == len(part.superpoint) == points
    place = part.color[:, 0].long()
    assert (place.diff() > 0).all()
    assert torch.equal(part.xyz, scene.xyz[place])


def test_a_crop_is_round_from_above() -> None:
    scene = toy_room(4)
    part = crop(scene, 500, generator(3))
    centers = scene.xyz[:, :2]
    distance = torch.cdist(part.xyz[:, :2].double(), centers.double())
    inside = (distance == 0).any(dim=0)
    around = torch.cdist(centers.double(), centers.double())
    # some point is nearer to all points of the crop than to any other
    radius = torch.where(inside, around, -1.0).amax(dim=1)
    outside = torch.where(inside, torch.inf, around).amin(dim=1)
    assert bool(((radius <= outside) & inside).any())


def test_regions_are_numbered_anew_with_their_labels() -> None:
    scene = toy_room(4)
    assert scene.labels is not None
    coded = replace(scene, labels=replace(scene.labels, mean=torch.arange(scene.regions).float().expand(4, -1)))
    part = crop(replace(coded, color=coded.superpoint.float()[:, None].expand(-1, 3)), 300, generator(1))
    assert part.labels is not None
    assert 0 < part.regions < scene.regions
    assert part.superpoint.unique().tolist() == list(range(part.regions))
    old = part.labels.mean[0].long()
    assert torch.equal(old[part.superpoint].float(), part.color[:, 0])
    assert torch.equal(part.labels.determined, scene.labels.determined[old])
    owners = scene.labels.owner[old]
    present = owners[owners >= 0].unique()
    assert torch.equal(part.labels.mask, scene.labels.mask[present][:, old])
    assert torch.equal(part.labels.center, scene.labels.center[present])
    assert part.labels.mask.any(dim=1).all()


def test_objects_out_of_sight_vanish() -> None:
    scene = toy_room(4)
    counts = {len(labels) for seed in range(10) if (labels := crop(scene, 100, generator(seed)).labels) is not None}
    assert min(counts) < 4


def test_a_scene_without_labels() -> None:
    assert crop(replace(toy_room(2), labels=None), 100, generator()).labels is None


def test_the_generator_alone_decides() -> None:
    scene = toy_room(4)
    same = [crop(scene, 200, generator(7)).xyz for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], crop(scene, 200, generator(8)).xyz)


def test_no_points_are_refused() -> None:
    with pytest.raises(ValueError, match="crop of 0 points"):
        crop(toy_room(2), 0, generator())
