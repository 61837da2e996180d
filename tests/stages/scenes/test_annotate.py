"""From scans to scenes: boxes of instances, classes, offset, noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.scenes.annotate import assemble, offset_of
from stages.scenes.classes import SCANNET18
from stages.scenes.config import BoxNoise, SourceConfig
from stages.scenes.scan import GivenBoxes, Scan
from stages.structures import Scene

NYU40 = tuple(SCANNET18.values())


def _scan(points: int = 400, offset: float = 0.0, **fields: object) -> Scan:
    """Four instances (ids 3, 4, 8, 20) of a chair, a wall, a table and a small desk, and points of none."""
    rng = np.random.default_rng(0)
    instance = rng.choice([-1, 3, 4, 8], points).astype(np.int64)
    instance[:7] = 20
    semantic = np.select([instance == 3, instance == 4, instance == 8, instance == 20], [5, 1, 7, 14], 0)
    xyz = rng.normal(size=(points, 3)) + instance[:, None] + offset
    known = {"instance": instance, "semantic": semantic.astype(np.int32), "class_ids": NYU40}
    return Scan(scene="room", file=Path("room.npz"), xyz=xyz, **(known | fields))  # type: ignore[arg-type]


def _scene(scan: Scan, config: SourceConfig | None = None, seed: int = 0) -> Scene:
    scene, findings = assemble(scan, config or SourceConfig(), seed)
    assert scene is not None, findings
    return scene


def _given(corners: list[list[float]], classes: list[int], instances: list[int]) -> GivenBoxes:
    return GivenBoxes(np.array(corners, float), np.array(classes, np.int32), np.array(instances, np.int64))


def test_boxes_are_the_corners_of_annotated_instances() -> None:
    scan = _scan()
    scene = _scene(scan)
    assert scene.boxes.instance.tolist() == [0, 2]  # not the wall (no class), not the desk (7 points)
    assert scene.boxes.class_index.tolist() == [2, 4]
    for corners, given in zip(scene.boxes.corners, [3, 8], strict=True):
        points = scan.xyz[scan.instance == given].astype(np.float32)
        assert np.array_equal(corners, np.concatenate([points.min(axis=0), points.max(axis=0)]))


def test_instances_keep_their_class_whether_boxed_or_not() -> None:
    scene = _scene(_scan())
    assert scene.instance_class is not None
    assert scene.instance is not None
    assert scene.instance_class.tolist() == [2, -1, 4, 10]
    assert set(np.unique(scene.instance)) == {-1, 0, 1, 2, 3}


def test_minimum_instance_points() -> None:
    assert _scene(_scan(), SourceConfig(minimum_instance_points=7)).boxes.class_index.tolist() == [2, 4, 10]
    assert _scene(_scan(), SourceConfig(minimum_instance_points=8)).boxes.class_index.tolist() == [2, 4]


def test_points_that_are_not_finite_shape_no_box_and_keep_their_place() -> None:
    scan = _scan()
    bad = np.flatnonzero(scan.instance == 3)[:5]
    xyz = scan.xyz.copy()
    xyz[bad, [0, 1, 2, 0, 1]] = [np.nan, np.inf, -np.inf, np.nan, 1e300]
    scene = _scene(replace(scan, xyz=xyz))
    others = np.setdiff1d(np.flatnonzero(scan.instance == 3), bad)
    assert np.array_equal(scene.boxes.corners[0, :3], scan.xyz[others].min(axis=0).astype(np.float32))
    assert np.flatnonzero(~scene.finite).tolist() == sorted(bad)
    enough = np.count_nonzero(scan.instance == 3) - 5
    assert 0 in _scene(replace(scan, xyz=xyz), SourceConfig(minimum_instance_points=enough)).boxes.instance
    assert 0 not in _scene(replace(scan, xyz=xyz), SourceConfig(minimum_instance_points=enough + 1)).boxes.instance


def test_order_of_points_changes_no_box() -> None:
    scan = _scan()
    assert scan.instance is not None
    assert scan.semantic is not None
    order = np.random.default_rng(4).permutation(len(scan.xyz))
    shuffled = replace(scan, xyz=scan.xyz[order], instance=scan.instance[order], semantic=scan.semantic[order])
    noisy = SourceConfig(noise=BoxNoise(corner=0.1, drop=0.3))
    for config in (SourceConfig(), noisy):
        first, second = _scene(scan, config, seed=8), _scene(shuffled, config, seed=8)
        assert np.array_equal(first.boxes.corners, second.boxes.corners)
        assert np.array_equal(first.boxes.instance, second.boxes.instance)
        assert np.array_equal(first.xyz[order], second.xyz)


def test_without_semantic_every_instance_is_annotated_without_class() -> None:
    scene = _scene(_scan(semantic=None))
    assert scene.boxes.instance.tolist() == [0, 1, 2]
    assert scene.boxes.class_index.tolist() == [-1, -1, -1]
    assert scene.instance_class is not None
    assert scene.instance_class.tolist() == [-1] * 4


def test_boxed_classes_restrict_the_annotation() -> None:
    scene = _scene(_scan(boxed_classes=(4,)))
    assert scene.boxes.class_index.tolist() == [4]
    assert scene.instance_class is not None
    assert scene.instance_class.tolist() == [-1, -1, 4, -1]


def test_given_boxes_come_first_unless_told_otherwise() -> None:
    scan = _scan(boxes=_given([[0, 0, 0, 9, 9, 9]], [1], [-1]))
    assert len(_scene(scan).boxes) == 1
    assert len(_scene(scan, SourceConfig(boxes_from="given")).boxes) == 1
    assert len(_scene(scan, SourceConfig(boxes_from="instances")).boxes) == 2
    assert len(_scene(_scan(), SourceConfig(boxes_from="given")).boxes) == 0


def test_given_boxes_are_linked_to_their_instances() -> None:
    corners = [[0.0, 0, 0, 9, 9, 9]] * 4
    scan = _scan(boxes=_given(corners, [-1, 0, -1, -1], [8, 3, -1, 77]))
    scene, findings = assemble(scan, SourceConfig(), 0)
    assert scene is not None
    assert scene.boxes.instance.tolist() == [2, 0, -1, -1]
    assert scene.boxes.class_index.tolist() == [4, 0, -1, -1]  # its own class before that of the instance
    assert any("77" in finding.message for finding in findings)


@pytest.mark.parametrize("offset", [0.0, 900.0, 5e5, -5e6])
def test_a_corner_on_a_point_stays_on_it(offset: float) -> None:
    scan = _scan(offset=offset)
    corner = scan.xyz[[5, 9]]
    boxes = _given([[*corner.min(axis=0), *corner.max(axis=0)]], [0], [-1])
    scene = _scene(replace(scan, boxes=boxes))
    pair = scene.xyz[[5, 9]]
    assert np.array_equal(scene.boxes.corners[0], np.concatenate([pair.min(axis=0), pair.max(axis=0)]))
    assert scene.xyz.astype(np.float64) + scene.offset == pytest.approx(scan.xyz, abs=4e-5 if offset == 900 else 3e-6)


def test_offset_is_zero_near_the_origin_else_whole_metres_below_all_points() -> None:
    assert offset_of(np.array([[1000.0, -1000, 3]])).tolist() == [0, 0, 0]
    assert offset_of(np.array([[1000.5, -7.2, 3], [1200.0, 2.0, 8.9]])).tolist() == [1000, -8, 3]
    assert offset_of(np.array([[np.inf, 0, 0], [2.0, np.nan, 1], [5.0, 5, 5]])).tolist() == [0, 0, 0]


def test_noise_leaves_links_and_classes_with_their_boxes() -> None:
    corners = [[k, 0.0, 0, k + 1, 1, 1] for k in range(40)]
    scan = _scan(boxes=_given(corners, list(np.arange(40) % 18), [-1] * 40))
    scene = _scene(scan, SourceConfig(noise=BoxNoise(drop=0.5)), seed=2)
    kept = scene.boxes.corners[:, 0].astype(int)
    assert 5 < len(kept) < 35
    assert np.array_equal(scene.boxes.class_index, kept % 18)
    assert not np.array_equal(kept, _scene(scan, SourceConfig(noise=BoxNoise(drop=0.5)), seed=3).boxes.corners[:, 0])


def test_superpoints_become_contiguous() -> None:
    segment = np.random.default_rng(3).choice([900, 17, 33], 400)
    scene = _scene(_scan(superpoint=segment))
    assert scene.given_superpoint is not None
    assert np.array_equal(scene.given_superpoint, np.searchsorted([17, 33, 900], segment))


def test_an_error_gives_no_scene() -> None:
    scan = _scan(boxes=_given([[0, 0, 0, 1, -1, 1]], [0], [-1]))
    scene, findings = assemble(scan, SourceConfig(), 0)
    assert scene is None
    assert [finding.severity for finding in findings if "max < min" in finding.message] == ["error"]
    assert assemble(scan, SourceConfig(boxes_from="instances"), 0)[0] is not None  # the boxes are not used


def test_counts_of_nothing() -> None:
    scene = _scene(_scan(instance=np.full(400, -1)))
    assert len(scene.boxes) == 0
    assert scene.instance_class is not None
    assert scene.instance_class.shape == (0,)
