"""Several scenes put together, and taken apart again."""

from __future__ import annotations

import torch

from stages.training.batch import RegionLabels, TrainingScene, collate


def labels_of(regions: int, objects: int) -> RegionLabels:
    owner = torch.arange(regions) % (objects + 1) - 1
    mask = owner == torch.arange(objects)[:, None]
    return RegionLabels(
        mask=mask,
        mean=mask.float(),
        variance=torch.zeros(objects, regions),
        determined=torch.ones(regions, dtype=torch.bool),
        ignore=torch.zeros(regions, dtype=torch.bool),
        class_index=torch.zeros(objects, dtype=torch.int64),
        center=torch.zeros(objects, 3),
    )


def a_scene(name: str, points: int, regions: int, labels: RegionLabels | None = None) -> TrainingScene:
    generator = torch.Generator().manual_seed(points)
    return TrainingScene(
        scene=name,
        xyz=torch.rand(points, 3, generator=generator),
        color=torch.rand(points, 3, generator=generator),
        superpoint=torch.arange(points) % regions,
        regions=regions,
        labels=labels,
    )


def test_regions_are_numbered_over_all_scenes() -> None:
    first, second = a_scene("first", 4, 3), a_scene("second", 3, 2)
    batch = collate([first, second])
    assert batch.scenes == ("first", "second")
    assert len(batch) == 2
    assert batch.regions == 5
    assert batch.region_bounds == (0, 3, 5)
    assert batch.scene_of_point.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert batch.region_of_point.tolist() == [0, 1, 2, 0, 3, 4, 3]
    assert torch.equal(batch.xyz, torch.cat([first.xyz, second.xyz]))
    assert torch.equal(batch.color[4:], second.color)


def test_values_of_regions_are_split_by_scene() -> None:
    batch = collate([a_scene("first", 4, 3), a_scene("none", 0, 0 + 1), a_scene("second", 3, 2)])
    first, none, second = batch.split(torch.arange(6))
    assert first.tolist() == [0, 1, 2]
    assert none.tolist() == [3]
    assert second.tolist() == [4, 5]


def test_labels_stay_where_all_scenes_have_them() -> None:
    labels = labels_of(3, 2)
    with_labels, without = a_scene("with", 4, 3, labels), a_scene("without", 4, 3)
    assert collate([with_labels, with_labels]).labels == (labels, labels)
    assert collate([with_labels, without]).labels is None


def test_the_owner_of_a_region() -> None:
    assert labels_of(5, 2).owner.tolist() == [-1, 0, 1, -1, 0]
    assert labels_of(3, 0).owner.tolist() == [-1, -1, -1]


def test_a_batch_moves_with_its_labels() -> None:
    batch = collate([a_scene("one", 4, 3, labels_of(3, 2))]).to(torch.device("meta"))
    assert batch.xyz.device.type == batch.region_of_point.device.type == batch.scene_of_point.device.type == "meta"
    assert batch.labels is not None
    assert batch.labels[0].mask.device.type == batch.labels[0].center.device.type == "meta"
