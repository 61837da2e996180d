from dataclasses import replace

import numpy as np
import pytest

from stages.posteriors.evidence.combine import Kind, evidence_against
from stages.posteriors.evidence.facing import facing, orient
from stages.posteriors.evidence.floor import floor_evidence
from stages.posteriors.evidence.lab import to_lab
from stages.posteriors.evidence.straddling import straddling
from stages.posteriors.membership import region_sizes
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects


def test_lab_of_known_colours() -> None:
    rgb = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    expected = [[100.0, 0.0, 0.0], [0.0, 0.0, 0.0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]  # CIE 15:2004, D65
    np.testing.assert_allclose(to_lab(rgb), expected, atol=0.05)


def test_straddling_by_hand() -> None:
    xyz = np.array([[0.5, 0.5, 0.5], [0.6, 0.5, 0.5], [3, 0, 0], [0.7, 0.5, 0.5]], np.float32)
    box = np.array([[0, 0, 0, 1, 1, 1]], np.float32)
    one, other = np.array([0, 0, 0, 1], np.int32), np.array([0, 1, 1, 2], np.int32)
    region = np.array([0, 0, 1, 2], np.int32)
    found = straddling(xyz, [one, other], region, np.array([2, 1, 1]), box)
    # region 0: shares 1/3, 1/3 and 0, 1/2; region 1: 1/3 and 1/2; region 2: nothing outside
    np.testing.assert_allclose(found, [[(1 / 3 + 0.25) / 2, (1 / 3 + 0.5) / 2, 0]])


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


def test_normals_turn_to_the_room() -> None:
    generator = np.random.default_rng(0)
    floor = np.c_[generator.uniform(-1, 1, (200, 2)), np.zeros(200)].astype(np.float32)
    signs = generator.choice([-1.0, 1.0], 200)
    oriented = orient(floor, signs[:, None] * [0, 0, 1.0], generator.integers(0, 200, (200, 16)).astype(np.int32))
    assert (oriented[:, 2] == 1).all()


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
    superpoint = partition_scene(scene, "points", PARAMETERS).superpoint
    size = region_sizes(superpoint, int(superpoint.max()) + 1)
    score = evidence_against(scene, superpoint, size, kinds, 0.0001)
    share = np.bincount(superpoint, scene.instance < 0) / size
    on_table = np.bincount(superpoint, scene.instance == 0) / size
    assert (score >= 0).all()
    assert score[0, share > 0.9].mean() > score[0, on_table > 0.9].mean() + 0.5


def test_scans_without_colour_and_without_enough_points() -> None:
    scene = replace(two_objects(), rgb=None)
    superpoint = partition_scene(scene, "points", PARAMETERS).superpoint
    size = region_sizes(superpoint, int(superpoint.max()) + 1)
    straddles: tuple[Kind] = ("straddling",)
    score = evidence_against(scene, superpoint, size, straddles, 0.0)
    assert np.isfinite(score).all()
    few = replace(scene, xyz=scene.xyz[:5], instance=None)
    assert (evidence_against(few, np.zeros(5, np.int32), np.array([5]), ("straddling", "floor"), 0.0) == 0).all()
