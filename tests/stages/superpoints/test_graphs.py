from dataclasses import replace

import numpy as np
import pytest

from stages.structures import Boxes, Scene
from stages.superpoints.graph import mesh_edges, mesh_graph, neighbor_graph
from stages.superpoints.neighbors import CELL, nearest_neighbors, spatial_order
from stages.superpoints.region_graph import region_graph
from stages.superpoints.split import count_pairs, in_box, points_in_boxes, same_boxes
from stages.superpoints.weights import color_weights, edge_distances, normal_weights


def test_nearest_neighbors_equal_brute_force() -> None:
    xyz = np.random.default_rng(0).random((80, 3)).astype(np.float32)
    distance = np.linalg.norm(xyz[:, None].astype(float) - xyz[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (nearest_neighbors(xyz, 7) == np.argsort(distance, axis=1)[:, :7]).all()


def test_a_point_never_is_its_own_neighbour_even_among_duplicates() -> None:
    neighbors = nearest_neighbors(np.zeros((6, 3), np.float32), 3)
    assert neighbors.shape == (6, 3)
    assert (neighbors != np.arange(6)[:, None]).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_points_than_neighbours(count: int) -> None:
    xyz = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    neighbors = nearest_neighbors(xyz, 9)
    assert neighbors.shape == (count, count - 1)
    assert len(neighbor_graph(xyz, neighbors, 9).edges) == count * (count - 1) // 2


def test_spatial_order_is_mortons() -> None:
    generator = np.random.default_rng(4)
    cell = generator.permutation(np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), axis=-1).reshape(-1, 3))
    inside = generator.uniform(0.1, 0.9, cell.shape) * cell.any(axis=1, keepdims=True)
    xyz = ((cell + inside) * CELL).astype(np.float32)
    key = sum(((cell[:, axis] >> bit) & 1) << (3 * bit + axis) for bit in range(3) for axis in range(3))
    assert (spatial_order(xyz) == np.argsort(key)).all()
    assert spatial_order(xyz[:0]).shape == (0,)
    far = np.array(
        [[0, 0, 0], [3e5, 0, 0], [1e5, 0, 0], [1e-3, 0, 0]], np.float32
    )  # beyond the last cell: kept together
    assert spatial_order(far).tolist() == [0, 3, 1, 2]


def test_edges_are_unique_and_undirected_and_know_their_directions() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [3, 0, 0]], np.float32)
    graph = neighbor_graph(xyz, np.array([[1, 2], [0, 2], [1, 0]], np.int32), 1)
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.directions.tolist() == [2, 1]
    assert graph.length.tolist() == [1, 2]


def test_neighbor_graph_equals_sets() -> None:
    xyz = np.random.default_rng(3).random((300, 3)).astype(np.float32)
    neighbors = nearest_neighbors(xyz, 8)
    graph = neighbor_graph(xyz, neighbors, 5)
    directed = [(point, other) for point in range(300) for other in neighbors[point, :5].tolist()]
    expected = {(min(pair), max(pair)): 0 for pair in directed}
    for pair in directed:
        expected[min(pair), max(pair)] += 1
    found = dict(zip(map(tuple, graph.edges.tolist()), graph.directions.tolist(), strict=True))
    assert len(found) == len(graph.edges)
    assert found == expected


def test_mesh_edges_are_unique_and_numbered_by_the_chosen_points() -> None:
    faces = np.array([[0, 1, 2], [2, 1, 3]], np.int32)
    assert mesh_edges(faces, 4).tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    scene = Scene("scan", np.eye(4, 3, dtype=np.float32), Boxes.empty(), faces=faces)
    graph = mesh_graph(scene, np.array([3, 1, 2]))
    assert graph.edges.tolist() == [[1, 2], [1, 0], [2, 0]]
    assert graph.directions.tolist() == [2, 2, 2]
    np.testing.assert_allclose(graph.length, [np.sqrt(2), 1, 1])
    assert mesh_graph(scene, np.array([0, 3])).edges.shape == (0, 2)
    with pytest.raises(ValueError, match="no faces"):
        mesh_graph(replace(scene, faces=None), np.array([0]))


def test_faces_beyond_the_points_are_refused() -> None:
    with pytest.raises(ValueError, match="only 3"):
        mesh_edges(np.array([[0, 1, 3]], np.int32), 3)


def test_weights() -> None:
    edges = np.array([[0, 1], [0, 2]], np.int32)
    normals = np.array([[0, 0, 1.0], [0, 0, -1], [1, 0, 0]])
    np.testing.assert_allclose(normal_weights(normals, edges), [0, 1])
    rgb = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 0]], np.uint8)
    np.testing.assert_allclose(color_weights(rgb, edges), [1, 0])
    np.testing.assert_allclose(edge_distances(np.array([[0, 0, 0], [3, 4, 0], [0, 0, 1]], np.float32), edges), [5, 1])


def test_region_graph_adds_up_both_ways() -> None:
    superpoint = np.array([0, 0, 1, 2, -1], np.int32)
    edges = np.array([[0, 1], [0, 2], [1, 2], [2, 3], [3, 4]], np.int32)
    graph = region_graph(superpoint, edges, np.array([1, 0.5, 0.25, 0.0, 1]), 3)
    assert (graph.indptr.tolist(), graph.neighbor.tolist()) == ([0, 1, 3, 4], [1, 0, 2, 1])
    assert graph.contacts.tolist() == [2, 2, 1, 1]
    np.testing.assert_allclose(graph.affinity, [0.751, 0.751, 0.001, 0.001], rtol=1e-6)
    assert region_graph(superpoint[:0], edges[:0], np.zeros(0), 0).indptr.tolist() == [0]


def test_edges_within_the_same_boxes() -> None:
    generator = np.random.default_rng(2)
    xyz = generator.random((100, 3)).astype(np.float32)
    low = generator.random((20, 3)).astype(np.float32) * 0.7
    corners = np.c_[low, low + 0.3]
    edges = generator.integers(0, 100, (500, 2)).astype(np.int32)
    member = np.stack([in_box(xyz, box, 0.01) for box in corners])
    expected = (member[:, edges[:, 0]] == member[:, edges[:, 1]]).all(axis=0)
    assert (same_boxes(xyz, corners, edges, 0.01) == expected).all()
    assert 0.05 < expected.mean() < 0.95
    assert (same_boxes(xyz, corners[::-1].copy(), edges, 0.01) == expected).all()


def test_points_in_boxes_are_those_of_each_box() -> None:
    generator = np.random.default_rng(5)
    xyz = generator.random((200, 3)).astype(np.float32)
    xyz[[7, 8, 9]] = [[np.nan, 0.5, 0.5], [0.5, np.inf, 0.5], [0.5, 0.5, -np.inf]]
    low = generator.random((15, 3)).astype(np.float32) * 0.7
    corners = np.c_[low, low + 0.4]
    corners[3] = [5, 5, 5, 6, 6, 6]
    corners[4, :3] = xyz[20] + np.float32(0.01)  # on the face, once the box has grown
    box, point = points_in_boxes(xyz, corners, 0.01)
    found = np.zeros((15, 200), np.int64)
    np.add.at(found, (box, point), 1)
    assert (found == np.stack([in_box(xyz, corner, 0.01) for corner in corners])).all()
    assert (np.diff(box) >= 0).all()
    assert len(points_in_boxes(xyz, corners[:0], 0.01)[0]) == len(points_in_boxes(xyz[:0], corners, 0.01)[0]) == 0


def test_pairs_are_counted_and_points_of_no_region_left_out() -> None:
    row, column = np.array([0, 0, 1, 1, 1], np.int32), np.array([1, 1, 0, -1, 2], np.int32)
    assert count_pairs(row, column, 2, 3).tolist() == [[0, 2, 0], [1, 0, 1]]


def test_boxes_are_closed_and_grown_by_the_margin() -> None:
    box = np.array([0, 0, 0, 1, 1, 1], np.float32)
    xyz = np.array([[1, 1, 1], [1.01, 0.5, 0.5], [1.03, 0.5, 0.5]], np.float32)
    assert in_box(xyz, box, 0.0).tolist() == [True, False, False]
    assert in_box(xyz, box, 0.02).tolist() == [True, True, False]
