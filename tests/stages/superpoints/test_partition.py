from dataclasses import replace

import numpy as np
import pytest

from stages.structures import Boxes
from stages.superpoints.partition import partition_scene
from stages.superpoints.split import in_box
from tests.stages.scenery import PARAMETERS, quarter_turn, reordered, two_objects


def test_regions_do_not_straddle_boxes_and_cover_all_points() -> None:
    scene = two_objects()
    superpoints = partition_scene(scene, "points", PARAMETERS)
    assert superpoints.superpoint.min() == 0
    assert len(np.unique(superpoints.superpoint)) == len(superpoints) == superpoints.superpoint.max() + 1
    for box in scene.boxes.corners:
        inside = in_box(scene.xyz, box, PARAMETERS.margin)
        share = np.bincount(superpoints.superpoint, inside) / np.bincount(superpoints.superpoint)
        assert set(np.unique(share)) <= {0.0, 1.0}


def test_points_that_are_not_finite_keep_their_place() -> None:
    scene = two_objects()
    xyz = scene.xyz.copy()
    xyz[[0, 100, 5000]] = [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf]]
    superpoint = partition_scene(replace(scene, xyz=xyz), "points", PARAMETERS).superpoint
    assert np.flatnonzero(superpoint < 0).tolist() == [0, 100, 5000]
    assert len(superpoint) == len(scene)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_clouds(count: int) -> None:
    scene = replace(two_objects(), xyz=np.full((count, 3), 1, np.float32), rgb=None, instance=None)
    scene = replace(scene, boxes=Boxes.empty())
    superpoints = partition_scene(scene, "points", PARAMETERS)
    assert len(superpoints.superpoint) == count
    assert len(superpoints) == min(count, 1)


def test_singletons_are_points() -> None:
    superpoints = partition_scene(two_objects(), "singletons", PARAMETERS)
    assert (superpoints.superpoint == np.arange(len(superpoints))).all()
    assert superpoints.parameters == {}


def test_given_partition_is_taken_as_it_is() -> None:
    scene = two_objects()
    given = (np.arange(len(scene)) % 7).astype(np.int32)
    superpoints = partition_scene(replace(scene, given_superpoint=given), "given", PARAMETERS)
    assert (superpoints.superpoint == given).all()


def test_missing_partition_and_missing_mesh_are_named() -> None:
    with pytest.raises(ValueError, match="no partition"):
        partition_scene(two_objects(), "given", PARAMETERS)
    with pytest.raises(ValueError, match="no faces"):
        partition_scene(two_objects(), "mesh", PARAMETERS)


def grid_mesh(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A square sheet folded by a right angle in the middle."""
    u, v = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
    fold = side // 2
    xyz = np.stack([np.minimum(u, fold), v, np.maximum(u - fold, 0)], axis=-1).reshape(-1, 3).astype(np.float32) * 0.05
    corner = (u * side + v)[:-1, :-1].ravel()
    triangles = [
        np.stack([corner, corner + side, corner + 1], 1),
        np.stack([corner + 1, corner + side, corner + side + 1], 1),
    ]
    return xyz, np.concatenate(triangles).astype(np.int32)


def test_a_folded_sheet_falls_into_two_regions_on_its_mesh() -> None:
    xyz, faces = grid_mesh(31)
    scene = replace(two_objects(), xyz=xyz, faces=faces, rgb=None, instance=None, boxes=Boxes.empty())
    superpoints = partition_scene(scene, "mesh", replace(PARAMETERS, minimum_size=40))
    side = xyz[:, 2] > 0.1
    first = set(superpoints.superpoint[xyz[:, 0] < 0.65].tolist())
    second = set(superpoints.superpoint[side].tolist())
    assert len(first) == len(second) == 1
    assert first != second
    assert "neighbors" not in superpoints.parameters


def test_partition_follows_points_and_quarter_turns() -> None:
    scene = two_objects()
    regions = partition_scene(scene, "points", PARAMETERS).superpoint
    shuffle = np.random.default_rng(3).permutation(len(scene))
    shuffled = partition_scene(reordered(scene, shuffle), "points", PARAMETERS).superpoint
    turned = partition_scene(quarter_turn(scene), "points", PARAMETERS).superpoint
    assert disagreement(regions[shuffle], shuffled) < 0.001
    assert disagreement(regions, turned) < 0.001


def disagreement(one: np.ndarray, other: np.ndarray) -> float:
    """Share of points outside the best one-to-one match of regions."""
    pairs, counts = np.unique(np.stack([one, other], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts)
    seen_one, seen_other, matched = set(), set(), 0
    for row in order:
        a, b = pairs[row]
        if a not in seen_one and b not in seen_other:
            seen_one.add(a)
            seen_other.add(b)
            matched += counts[row]
    return 1 - matched / len(one)
