from pathlib import Path

import numpy as np
import pytest

from stages.evaluation.boxes import extents
from stages.evaluation.label_quality import (
    LabelAP,
    instances_of_boxes,
    label_ap,
    majority_of_regions,
    oracle_iou,
    smallest_box_of_points,
)
from stages.evaluation.overlap import points_in_instances
from stages.groups import majority
from stages.scenes.classes import SCANNET18, class_of_semantic


def test_label_ap_by_hand() -> None:
    # exactly .5 passes no threshold but .25; .72 passes five of nine, 1 all
    found = label_ap(np.array([0.5, 0.72, 1.0, np.nan]))
    assert found.objects == 3
    assert found.ap == pytest.approx((0 + 5 + 9) / 27)
    assert (found.ap50, found.ap25, found.ap90) == (2 / 3, 1.0, 1 / 3)
    assert found.mean_iou == pytest.approx(2.22 / 3)
    assert label_ap(np.ones(7)) == LabelAP(7, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_label_ap_of_nothing_is_undefined() -> None:
    found = label_ap(np.array([np.nan]))
    assert found.objects == 0
    assert np.isnan(found.ap)


CORNERS = np.array([[0, 0, 0, 1, 1, 1], [2, 0, 0, 3, 1, 1], [2.2, 0, 0, 3, 1, 1], [np.nan] * 6], np.float32)
COUNTS = np.array([True, True, False, True])


def test_a_named_instance_is_taken_and_an_unnamed_one_found_by_its_box() -> None:
    boxes = np.array([[2, 0, 0, 3, 1, 1], [2.2, 0, 0, 3, 1, 1], [9, 9, 9, 10, 10, 10], [0, 0, 0, 1, 1, 1]], np.float32)
    instance, found = instances_of_boxes(np.array([0, -1, -1, 3], np.int32), boxes, CORNERS, COUNTS)
    # the second box is that of instance 2, which does not count; the last one names an instance without points
    assert instance.tolist() == [0, 1, -1, -1]
    assert found.tolist() == [False, True, False, False]


def test_no_instances() -> None:
    nothing = np.zeros((0, 6), np.float32)
    instance, found = instances_of_boxes(np.array([-1], np.int32), CORNERS[:1], nothing, np.zeros(0, bool))
    assert (instance.tolist(), found.tolist()) == ([-1], [False])


def test_smallest_box_by_hand() -> None:
    boxes = np.array([[0, 0, 0, 4, 4, 4], [1, 1, 1, 2, 2, 2], [1, 1, 1, 3, 2, 2]], np.float32)
    xyz = np.array([[1.5] * 3, [2.5, 1.5, 1.5], [3.5] * 3, [5, 0, 0], [2, 2, 2], [np.nan, 1, 1]], np.float32)
    assert smallest_box_of_points(xyz, boxes).tolist() == [1, 2, 0, -1, 1, -1]
    assert smallest_box_of_points(xyz, boxes[:0]).tolist() == [-1] * 6


def test_smallest_box_by_brute_force() -> None:
    generator = np.random.default_rng(3)
    low = generator.random((8, 3))
    boxes = np.concatenate([low, low + 0.1 + 0.6 * generator.random((8, 3))], axis=1).astype(np.float32)
    xyz = (2 * generator.random((3000, 3))).astype(np.float32)
    inside = np.all((xyz[:, None] >= boxes[:, :3]) & (xyz[:, None] <= boxes[:, 3:]), axis=2)
    volume = np.where(inside, (boxes[:, 3:] - boxes[:, :3]).prod(axis=1), np.inf)
    expected = np.where(inside.any(axis=1), volume.argmin(axis=1), -1)
    np.testing.assert_array_equal(smallest_box_of_points(xyz, boxes, margin=0.0), expected)


def test_majority_and_purity_by_hand() -> None:
    superpoint = np.array([0, 0, 0, 1, 1, 2, 2, -1], np.int32)
    instance = np.array([0, 0, 1, -1, 0, 1, 0, 1], np.int32)
    # region 1 is tied between instance 0 and none, region 2 between 0 and 1: the lower column wins, none being last
    majority, pure = majority_of_regions(points_in_instances(superpoint, instance, 4, 2))
    assert majority.tolist() == [0, 0, 0, 2]
    assert pure == 2 + 1 + 1


def test_oracle_by_hand() -> None:
    superpoint = np.array([0, 0, 0, 1, 1, 1, -1], np.int32)
    instance = np.array([0, 0, 1, 1, 1, -1, 1], np.int32)
    counts = points_in_instances(superpoint, instance, 2, 2)
    # region 0 goes to instance 0 (2 of 3), region 1 to instance 1, which has 4 points
    np.testing.assert_allclose(oracle_iou(counts, np.array([0, 1, -1], np.int32)), [2 / 3, 2 / 5, np.nan])


def test_oracle_of_single_points_is_perfect() -> None:
    instance = np.random.default_rng(0).integers(-1, 4, 300).astype(np.int32)
    counts = points_in_instances(np.arange(300, dtype=np.int32), instance, 300, 4)
    assert oracle_iou(counts, np.arange(4, dtype=np.int32)).tolist() == [1.0] * 4
    assert majority_of_regions(counts)[1] == 300


@pytest.mark.real
@pytest.mark.parametrize(("margin", "expected"), [(0.005, 0.545), (0.0001, 0.598)])
def test_the_trivial_rule_on_real_scans(real_scans: Path, margin: float, expected: float) -> None:
    """Label AP of the rule over all objects of the twelve subsampled scans; .545 was measured by another program."""
    overlaps = []
    for path in sorted(real_scans.glob("scene*_??.npz")):
        scan = np.load(path, allow_pickle=False)
        xyz, instance = scan["xyz"], scan["instance"].astype(np.int32)
        classes = majority(instance, scan["semantic"].astype(np.int32), int(instance.max()) + 1)
        classes = class_of_semantic(classes, tuple(SCANNET18.values()))
        size = np.bincount(instance[instance >= 0])
        objects = np.flatnonzero((classes >= 0) & (size >= 30))
        corners = extents(xyz, instance, len(size))[objects]
        owner = smallest_box_of_points(xyz, corners, margin)
        for row, each in enumerate(objects):
            mine, its = owner == row, instance == each
            overlaps.append((mine & its).sum() / (mine | its).sum())
    assert len(overlaps) == 222
    assert label_ap(np.array(overlaps)).ap == pytest.approx(expected, abs=5e-4)
