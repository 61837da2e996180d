from dataclasses import replace

import numpy as np
import pytest

from stages.posteriors.evidence.combine import Kind, evidence_against
from stages.posteriors.evidence.facing import facing
from stages.posteriors.evidence.floor import floor_evidence
from stages.posteriors.evidence.straddling import straddling
from stages.posteriors.membership import region_sizes
from stages.structures import Boxes
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects

ALL: tuple[Kind, ...] = ("straddling", "floor", "facing")


def test_straddling_by_hand() -> None:
    xyz = np.array([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5], [3, 0, 0], [0.7, 0.5, 0.5]], np.float32)
    box = np.array([[0, 0, 0, 1, 1, 1]], np.float32)
    one, other = np.array([0, 0, 0, 1], np.int32), np.array([0, 1, 1, 2], np.int32)
    region = np.array([0, 0, 1, 2], np.int32)
    found = straddling(xyz, np.stack([one, other]), region, np.array([2, 1, 1]), box, 0.0)
    # region 0: shares 1/3, 1/3 and 0, 1/2; region 1: 1/3 and 1/2; region 2: nothing outside
    np.testing.assert_allclose(found, [[(1 / 3 + 0.25) / 2, (1 / 3 + 0.5) / 2, 0]])


def test_a_box_with_uncertain_faces_is_grown_before_its_surroundings_count() -> None:
    xyz = np.array([[0.5, 0.5, 0.5], [1.05, 0.5, 0.5], [1.2, 0.5, 0.5]], np.float32)
    box = np.array([[0, 0, 0, 1, 1, 1]], np.float32)
    together, region = np.zeros((1, 3), np.int32), np.zeros(3, np.int32)
    shares = [straddling(xyz, together, region, np.array([3]), box, deviation)[0, 0] for deviation in (0.0, 0.04, 0.2)]
    np.testing.assert_allclose(shares, [2 / 3, 1 / 3, 0])


def test_facing_is_one_sided() -> None:
    box = np.array([[0, 0, 0, 2, 2, 2]], np.float32)
    xyz = np.array([[1, 0, 1], [1, 2, 1], [1, 2, 1]], np.float32)
    towards = np.array([[0, -1.0, 0], [0, -1, 0], [0, 1, 0]])
    region = np.arange(3, dtype=np.int32)
    # near face seen from outside, far face seen from inside, far face seen from behind
    np.testing.assert_allclose(facing(xyz, towards, region, 3, box), [[0, 0.7, 0]])


def test_thin_boxes_have_no_far_side() -> None:
    box = np.array([[0, 0, 0, 2, 0.2, 2]], np.float32)
    assert facing(np.array([[1, 0.2, 1]], np.float32), np.array([[0, -1.0, 0]]), np.zeros(1, np.int32), 1, box) == 0


def test_a_rug_is_not_floor() -> None:
    xyz = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0.01], [2.5, 0.5, 0], [2.5, 0.5, 1]], np.float32)
    on_floor = np.array([True, True, True, False])
    boxes = np.array([[0, 0, 0, 1, 1, 0.1], [2, 0, 0, 3, 1, 1]], np.float32)
    region = np.array([0, 0, 1, 2], np.int32)
    found = floor_evidence(xyz, on_floor, region, np.array([2, 1, 1]), boxes, 0.0)
    np.testing.assert_allclose(found, [[0, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize("kinds", [("straddling",), ("floor",), ("straddling", "floor", "facing")])
def test_floor_under_the_table_speaks_against_it(kinds: tuple[Kind, ...]) -> None:
    scene = two_objects()
    assert scene.instance is not None
    superpoints = partition_scene(scene, "points", PARAMETERS)
    size = region_sizes(superpoints.superpoint, len(superpoints))
    score = evidence_against(scene, superpoints, size, kinds, 0.0001, 0.0)
    share = np.bincount(superpoints.superpoint, scene.instance < 0) / size
    on_table = np.bincount(superpoints.superpoint, scene.instance == 0) / size
    assert (score >= 0).all()
    assert score[0, share > 0.9].mean() > score[0, on_table > 0.9].mean() + 0.5


def test_points_that_are_not_finite_change_nothing() -> None:
    scene = two_objects(points=800)
    broken = np.full((3, 3), np.nan, np.float32)
    broken[1] = [0.6, np.inf, 0.7]
    assert scene.rgb is not None
    more = replace(
        scene, xyz=np.concatenate([broken, scene.xyz]), rgb=np.pad(scene.rgb, ((3, 0), (0, 0))), instance=None
    )
    scores = []
    for scan in (scene, more):
        superpoints = partition_scene(scan, "points", PARAMETERS)
        size = region_sizes(superpoints.superpoint, len(superpoints))
        scores.append(evidence_against(scan, superpoints, size, ALL, 0.0001, 0.0))
    assert scores[0].any()
    np.testing.assert_array_equal(scores[0], scores[1])


def test_scans_without_colour_without_boxes_and_without_enough_points() -> None:
    scene = replace(two_objects(), rgb=None)
    superpoints = partition_scene(scene, "points", PARAMETERS)
    size = region_sizes(superpoints.superpoint, len(superpoints))
    assert np.isfinite(evidence_against(scene, superpoints, size, ALL, 0.0, 0.0)).all()
    unboxed = replace(scene, boxes=Boxes.empty())
    assert evidence_against(unboxed, superpoints, size, ALL, 0.0, 0.0).shape == (0, len(size))
    few = replace(scene, xyz=scene.xyz[:5], instance=None)
    assert (evidence_against(few, partition_scene(few, "points", PARAMETERS), np.array([5]), ALL, 0.0, 0.0) == 0).all()
