from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stages.report.regions import objects_of, regions_of
from stages.report.scene_view import scene_view, truth_owner
from tests.stages.evaluation.labelled import labels_of, row_of_cubes
from tests.stages.report.test_encoding import unpacked

OWNER = np.array([0, 0, 1, -1, 2, 2, -1, -1])


def view_of_cubes(budget: int = 10_000, **changes: Any) -> dict[str, Any]:
    scene, superpoint = row_of_cubes()
    scene = replace(scene, **changes)
    labels = labels_of(scene, superpoint, OWNER, 0.75, contested=np.array([0, 0, 1, 1, 2, 0, 0, 0]))
    regions = regions_of(labels)
    objects = objects_of(labels, regions, np.array([1.0, 0.5, np.nan]))
    return scene_view(scene, labels, regions, objects, labels.boxes.instance, budget)


def test_points_come_back_where_they_were_in_the_order_of_their_regions() -> None:
    scene, superpoint = row_of_cubes()
    view = view_of_cubes()
    arrays = unpacked(view)
    place = np.stack([arrays[axis] for axis in "xyz"], axis=1)
    xyz = np.array(view["low"]) + place * np.array(view["step"])
    assert view["shown"] == view["points"] == len(scene)
    assert arrays["here"].tolist() == np.bincount(superpoint).tolist()
    region = np.repeat(np.arange(8), arrays["here"].astype(int))
    for number in range(8):
        found, there = xyz[region == number], scene.xyz[superpoint == number]
        assert np.allclose(found[np.argsort(found[:, 0])], there[np.argsort(there[:, 0])], atol=2e-4)


def test_regions_carry_their_labels() -> None:
    arrays = unpacked(view_of_cubes())
    assert (arrays["owner"].astype(int) - 1).tolist() == OWNER.tolist()
    assert arrays["contested"].tolist() == [0, 0, 1, 1, 2, 0, 0, 0]
    assert arrays["uncertainty"].tolist() == [64] * 8
    assert arrays["probability"].tolist() == [191, 191, 191, 255, 191, 191, 255, 255]
    assert arrays["size"].tolist() == [100] * 8


def test_thinning_keeps_every_region_and_its_size() -> None:
    view = view_of_cubes(40)
    arrays = unpacked(view)
    assert arrays["here"].min() >= 1
    assert arrays["here"].sum() == view["shown"] == 40
    assert arrays["size"].sum() == view["points"] == 800


def test_objects_have_names_and_figures_without_nan() -> None:
    view = view_of_cubes()
    assert [one["name"] for one in view["objects"]] == ["chair #0", "table #1", "chair #2"]
    assert [one["iou"] for one in view["objects"]] == [1.0, 0.5, None]
    assert [one["points"] for one in view["objects"]] == [200, 100, 200]


def test_truth_and_colors_are_there_where_the_scan_has_them() -> None:
    scene, _ = row_of_cubes()
    assert {"truth", "red"} & set(unpacked(view_of_cubes())) == {"truth"}
    assert "truth" not in unpacked(view_of_cubes(instance=None, instance_class=None))
    rgb = np.full((len(scene), 3), (10, 20, 30), np.uint8)
    arrays = unpacked(view_of_cubes(rgb=rgb))
    assert [set(arrays[name].tolist()) for name in ("red", "green", "blue")] == [{10}, {20}, {30}]


def test_truth_knows_objects_background_and_instances_without_a_box() -> None:
    scene, _ = row_of_cubes()
    owner = truth_owner(scene, np.array([2, -1, 0], np.int32))
    assert owner is not None
    assert scene.instance is not None
    pairs = {(int(i), int(o)) for i, o in zip(scene.instance, owner, strict=True)}
    assert pairs == {(0, 2), (1, -2), (2, 0), (-1, -1)}
    first = truth_owner(scene, np.array([1, 1, 7], np.int32))
    assert first is not None
    assert set(first[scene.instance == 1].tolist()) == {0}


def test_labels_of_another_scan_are_refused() -> None:
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint[:-1], OWNER)
    regions = regions_of(labels)
    with pytest.raises(ValueError, match="800 points, its labels 799"):
        scene_view(scene, labels, regions, [], labels.boxes.instance, 10)


def test_points_without_a_region_are_left_out() -> None:
    scene, superpoint = row_of_cubes()
    xyz = scene.xyz.copy()
    xyz[:5] = np.nan
    superpoint[:5] = -1
    labels = labels_of(replace(scene, xyz=xyz), superpoint, OWNER)
    regions = regions_of(labels)
    view = scene_view(
        replace(scene, xyz=xyz), labels, regions, objects_of(labels, regions, None), labels.boxes.instance, 10_000
    )
    assert view["points"] == view["shown"] == len(scene) - 5
    assert np.isfinite(view["low"]).all()
