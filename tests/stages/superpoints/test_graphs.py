import numpy as np
import pytest

from stages.superpoints.neighbors import edge_lengths, mesh_edges, nearest_neighbors, undirected_edges
from stages.superpoints.normals import mesh_normals, point_normals
from stages.superpoints.region_graph import region_graph
from stages.superpoints.split import in_box, same_boxes
from stages.superpoints.weights import color_weights, normal_weights


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
    assert nearest_neighbors(xyz, 9).shape == (count, count - 1)
    assert point_normals(xyz, nearest_neighbors(xyz, 9)).shape == (count, 3)


def test_edges_are_unique_and_undirected() -> None:
    assert undirected_edges(np.array([[1], [0], [1]], np.int32)).tolist() == [[0, 1], [1, 2]]
    assert mesh_edges(np.array([[0, 1, 2], [2, 1, 3]], np.int32), 4).tolist() == [
        [0, 1],
        [0, 2],
        [1, 2],
        [1, 3],
        [2, 3],
    ]


def test_faces_beyond_the_points_are_refused() -> None:
    with pytest.raises(ValueError, match="only 3"):
        mesh_edges(np.array([[0, 1, 3]], np.int32), 3)


def test_normals_of_a_plane_are_exact() -> None:
    generator = np.random.default_rng(1)
    xy = generator.random((200, 2))
    xyz = np.c_[xy, 0.5 * xy[:, 0]].astype(np.float32)
    expected = np.array([-0.5, 0, 1]) / np.sqrt(1.25)
    normals = point_normals(xyz, nearest_neighbors(xyz, 16))
    np.testing.assert_allclose(np.abs(normals @ expected), 1.0, atol=1e-6)


def test_mesh_normals_of_a_corner_weigh_faces_by_area() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)  # areas 1/2 along z and 1 along x
    np.testing.assert_allclose(mesh_normals(xyz, faces)[0], np.array([2, 0, 1]) / np.sqrt(5))


def test_weights() -> None:
    edges = np.array([[0, 1], [0, 2]], np.int32)
    normals = np.array([[0, 0, 1.0], [0, 0, -1], [1, 0, 0]])
    np.testing.assert_allclose(normal_weights(normals, edges), [0, 1])
    rgb = np.array([[0, 0, 0], [255, 255, 255], [0, 0, 0]], np.uint8)
    np.testing.assert_allclose(color_weights(rgb, edges), [1, 0])
    np.testing.assert_allclose(edge_lengths(np.array([[0, 0, 0], [3, 4, 0], [0, 0, 1]], np.float32), edges), [5, 1])


def test_region_graph_counts_contacts_both_ways() -> None:
    superpoint = np.array([0, 0, 1, 2, -1], np.int32)
    edges = np.array([[0, 1], [0, 2], [1, 2], [2, 3], [3, 4]], np.int32)
    indptr, neighbor, contacts = region_graph(superpoint, edges, 3)
    assert (indptr.tolist(), neighbor.tolist(), contacts.tolist()) == ([0, 1, 3, 4], [1, 0, 2, 1], [2, 2, 1, 1])


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


def test_boxes_are_closed_and_grown_by_the_margin() -> None:
    box = np.array([0, 0, 0, 1, 1, 1], np.float32)
    xyz = np.array([[1, 1, 1], [1.01, 0.5, 0.5], [1.03, 0.5, 0.5]], np.float32)
    assert in_box(xyz, box, 0.0).tolist() == [True, False, False]
    assert in_box(xyz, box, 0.02).tolist() == [True, True, False]
