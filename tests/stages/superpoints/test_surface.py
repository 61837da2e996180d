"""What the superpoints stage says about the surface: orientation, coarse partitions, floor, affinity, and its store."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.store import commit
from stages.groups import majority
from stages.stores import read_superpoints, superpoints_result
from stages.structures import Boxes, Scene, Superpoints
from stages.superpoints.lab import to_lab
from stages.superpoints.partition import Method, partition_scene
from stages.superpoints.weights import normal_weights
from tests.stages.scenery import PARAMETERS, quarter_turn, reordered, two_objects
from tests.stages.superpoints.test_partition import disagreement, grid_mesh


def brute_affinity(
    scene: Scene, superpoints: Superpoints, directed: list[tuple[int, int]]
) -> dict[tuple[int, int], float]:
    """0.001 + half the sum over directed point pairs between each two regions, by a loop."""
    normal = superpoints.surface.normal.astype(np.float64)
    lab = np.zeros((len(scene), 3)) if scene.rgb is None else to_lab(scene.rgb)
    length = [float(np.linalg.norm(scene.xyz[i].astype(np.float64) - scene.xyz[j])) for i, j in directed]
    median = np.median(length)
    total: dict[tuple[int, int], float] = {}
    for (i, j), distance in zip(directed, length, strict=True):
        u, v = superpoints.superpoint[[i, j]].tolist()
        if u != v:
            cost = (1 - abs(normal[i] @ normal[j])) / 0.03 + ((lab[i] - lab[j]) ** 2).sum() / 72
            value = np.exp(-cost - max(distance / median - 3, 0)) / 2
            for pair in ((u, v), (v, u)):
                total[pair] = total.get(pair, 0.001) + value
    return total


def stored_affinity(superpoints: Superpoints) -> dict[tuple[int, int], float]:
    row = np.repeat(np.arange(len(superpoints)), np.diff(superpoints.indptr))
    return dict(
        zip(zip(row.tolist(), superpoints.neighbor.tolist(), strict=True), superpoints.affinity.tolist(), strict=True)
    )


@pytest.mark.parametrize("colored", [True, False])
def test_affinity_equals_a_loop_over_nearest_neighbours(colored: bool) -> None:
    scene = two_objects(points=300)
    scene = scene if colored else replace(scene, rgb=None)
    superpoints = partition_scene(scene, "points", PARAMETERS)
    distance = np.linalg.norm(scene.xyz[:, None].astype(np.float64) - scene.xyz[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :9]
    directed = [(i, j) for i in range(len(scene)) for j in nearest[i].tolist()]
    expected = brute_affinity(scene, superpoints, directed)
    stored = stored_affinity(superpoints)
    assert stored.keys() == expected.keys()
    for pair, value in expected.items():
        assert stored[pair] == pytest.approx(value, rel=1e-4)
        assert stored[pair] == stored[pair[::-1]]
    assert max(stored.values()) > 1 > 0.01 > min(stored.values()) >= 0.001


def test_affinity_on_a_mesh_takes_each_edge_both_ways() -> None:
    xyz, faces = grid_mesh(9)
    given = (np.arange(81) // 27).astype(np.int32)
    scene = Scene("sheet", xyz, Boxes.empty(), faces=faces, given_superpoint=given)
    superpoints = partition_scene(scene, "given", PARAMETERS)
    undirected = {(min(i, j), max(i, j)) for face in faces.tolist() for i in face for j in face if i != j}
    directed = [*undirected, *((j, i) for i, j in undirected)]
    assert superpoints.contacts.tolist() == [17, 17, 17, 17]
    for pair, value in brute_affinity(scene, superpoints, directed).items():
        assert stored_affinity(superpoints)[pair] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("method", ["given", "mesh", "points", "singletons"])
def test_every_method_tells_the_surface_and_stores_it(method: Method, tmp_path: Path) -> None:
    xyz, faces = grid_mesh(15)
    xyz[40] = np.nan
    scene = Scene("sheet", xyz, Boxes.empty(), faces=faces, given_superpoint=(np.arange(225) // 50).astype(np.int32))
    superpoints = partition_scene(scene, method, PARAMETERS)
    finite = scene.finite
    np.testing.assert_allclose(np.linalg.norm(superpoints.surface.normal, axis=1), finite, atol=1e-6)
    assert ((superpoints.surface.coarse >= 0) == finite).all()
    assert not superpoints.surface.on_floor[~finite].any()
    commit(tmp_path / "superpoints", superpoints_result(superpoints), {"fingerprint": "x"})
    again = read_superpoints(tmp_path / "superpoints")
    for name in ("superpoint", "indptr", "neighbor", "contacts", "affinity"):
        np.testing.assert_array_equal(getattr(again, name), getattr(superpoints, name))
    for name, values in vars(superpoints.surface).items():
        np.testing.assert_array_equal(getattr(again.surface, name), values)


def test_normals_floor_and_coarse_partitions_of_a_room() -> None:
    scene = two_objects()
    assert scene.instance is not None
    surface = partition_scene(scene, "points", PARAMETERS).surface
    floor = scene.instance < 0
    assert (surface.normal[floor, 2] > 0.9).mean() > 0.95
    assert surface.on_floor[floor].mean() > 0.95
    assert surface.on_floor[~floor].mean() < 0.02
    blind = partition_scene(replace(scene, boxes=Boxes.empty()), "points", PARAMETERS).surface
    np.testing.assert_array_equal(surface.coarse, blind.coarse)
    by_color = surface.coarse[1]
    of_segment = majority(by_color, scene.instance, len(np.unique(by_color)))
    assert (of_segment[by_color] == scene.instance).mean() > 0.99
    assert np.bincount(by_color).min() >= 20
    for partition in surface.coarse:
        assert np.unique(partition).tolist() == list(range(partition.max() + 1))


def test_given_normals_are_kept_up_to_sign() -> None:
    scene = two_objects(points=400)
    given = np.random.default_rng(0).normal(size=scene.xyz.shape)
    given = (given / np.linalg.norm(given, axis=1, keepdims=True)).astype(np.float32)
    normal = partition_scene(replace(scene, normals=given), "points", PARAMETERS).surface.normal
    np.testing.assert_array_equal(np.abs(normal), np.abs(given))


@pytest.mark.parametrize("points", [0, 1, 2])
@pytest.mark.parametrize("method", ["points", "singletons"])
def test_tiny_clouds_have_a_surface(points: int, method: Method) -> None:
    scene = Scene("tiny", np.full((points, 3), 2, np.float32), Boxes.empty())
    superpoints = partition_scene(scene, method, PARAMETERS)
    assert superpoints.surface.normal.shape == (points, 3)
    assert superpoints.surface.coarse.shape == (2, points)
    assert superpoints.surface.on_floor.shape == (points,)
    assert superpoints.affinity.shape == superpoints.contacts.shape


def test_the_surface_follows_points_quarter_turns_and_moves() -> None:
    scene = two_objects()
    before = partition_scene(scene, "points", PARAMETERS)
    shuffle = np.random.default_rng(3).permutation(len(scene))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    moved = replace(scene, xyz=scene.xyz + np.array([12.345, -7.89, 3.21], np.float32), boxes=Boxes.empty())
    copies: list[tuple[Scene, np.ndarray, np.ndarray]] = [
        (reordered(scene, shuffle), shuffle, np.eye(3)),
        (quarter_turn(scene), np.arange(len(scene)), turn),
        (moved, np.arange(len(scene)), np.eye(3)),
    ]
    for copy, order, rotation in copies:
        surface = partition_scene(copy, "points", PARAMETERS).surface
        same = np.einsum("ij,ij->i", surface.normal, before.surface.normal[order] @ rotation.T)
        assert (same > 0.999).mean() > 0.999
        assert (surface.on_floor == before.surface.on_floor[order]).mean() > 0.999
        for one, other in zip(surface.coarse, before.surface.coarse, strict=True):
            assert disagreement(one, other[order]) < 0.001


def test_order_of_points_changes_affinity_by_rounding_alone() -> None:
    scene = two_objects(points=1000)
    shuffle = np.random.default_rng(4).permutation(len(scene))
    one = partition_scene(scene, "points", PARAMETERS)
    other = partition_scene(reordered(scene, shuffle), "points", PARAMETERS)
    # regions are numbered by their first point: by the points of the first scan, name those of the second
    name = np.zeros(len(other), np.int64)
    name[other.superpoint] = one.superpoint[shuffle]
    expected, found = stored_affinity(one), stored_affinity(other)
    assert {(int(name[u]), int(name[v])) for u, v in found} == expected.keys()
    for (u, v), value in found.items():
        assert value == pytest.approx(expected[int(name[u]), int(name[v])], rel=1e-5)


def test_weights_of_normals_are_those_of_the_stored_ones() -> None:
    scene = two_objects(points=400)
    superpoints = partition_scene(scene, "singletons", PARAMETERS)
    row = np.repeat(np.arange(len(scene)), np.diff(superpoints.indptr)).astype(np.int32)
    edges = np.stack([row, superpoints.neighbor], axis=1)
    across = normal_weights(superpoints.surface.normal, edges) > 0.5  # at a crease nearly nothing but the least is left
    assert across.any()
    assert superpoints.affinity[across].max() < 0.0011


def test_lab_of_known_colours() -> None:
    rgb = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]], np.uint8)
    expected = [[100.0, 0.0, 0.0], [0.0, 0.0, 0.0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]]  # CIE 15:2004, D65
    np.testing.assert_allclose(to_lab(rgb), expected, atol=0.05)
