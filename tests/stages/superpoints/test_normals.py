"""Normals: closed forms, numpy as the reference of the compiled eigenvectors, and the sign towards the room."""

import numpy as np
import pytest

from stages.structures import Boxes, Scene
from stages.superpoints.floor import floor_points
from stages.superpoints.neighbors import nearest_neighbors
from stages.superpoints.normals import given_normals, mesh_normals, point_normals, smooth_normals
from stages.superpoints.orientation import orient

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [np.nan, 0, 0]], np.float32)
FACES = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4]], np.int32)


def scan(**fields: np.ndarray) -> Scene:
    return Scene("scan", SQUARE, Boxes.empty(), normals=fields.get("normals"), faces=fields.get("faces"))


def sphere(count: int, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Points on the unit sphere and the directions in which they lie."""
    generator = np.random.default_rng(0)
    direction = generator.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return (direction * (1 + generator.normal(0, noise, (count, 1)))).astype(np.float32), direction


def test_normals_of_a_plane_are_exact() -> None:
    xy = np.random.default_rng(1).random((200, 2))
    xyz = np.c_[xy, 0.5 * xy[:, 0]].astype(np.float32)
    expected = np.array([-0.5, 0, 1]) / np.sqrt(1.25)
    neighbors = nearest_neighbors(xyz, 16)
    np.testing.assert_allclose(np.abs(point_normals(xyz, neighbors, 16) @ expected), 1.0, atol=1e-6)
    np.testing.assert_allclose(np.abs(smooth_normals(xyz, neighbors, np.arange(200)) @ expected), 1.0, atol=1e-6)


def test_normals_of_a_sphere_are_its_radii() -> None:
    xyz, direction = sphere(4000)
    normals = point_normals(xyz, nearest_neighbors(xyz, 16), 16)
    assert np.abs(np.einsum("ij,ij->i", normals, direction)).min() > 0.99


def test_smooth_normals_bear_more_noise() -> None:
    xyz, direction = sphere(4000, noise=0.02)
    neighbors = nearest_neighbors(xyz, 16)
    rough = np.abs(np.einsum("ij,ij->i", point_normals(xyz, neighbors, 16), direction))
    smooth = np.abs(np.einsum("ij,ij->i", smooth_normals(xyz, neighbors, np.arange(4000)), direction))
    assert 1 - smooth.mean() < (1 - rough.mean()) / 2


@pytest.mark.parametrize("shape", ["cloud", "tiny", "far", "sheet"])
def test_normals_are_numpys_eigenvectors(shape: str) -> None:
    generator = np.random.default_rng(2)
    xyz = generator.normal(size=(300, 3)) * (1e-6 if shape == "tiny" else 1) * ([1, 1, 1e-4] if shape == "sheet" else 1)
    xyz += 1000.0 if shape == "far" else 0.0
    neighbors = nearest_neighbors(xyz, 12)
    patch = np.concatenate([xyz[:, None], xyz[neighbors[:, :10]]], axis=1)
    patch -= patch.mean(axis=1, keepdims=True)
    expected = np.linalg.eigh(patch.transpose(0, 2, 1) @ patch)[1][:, :, 0]
    normals = point_normals(xyz, neighbors, 10)
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", normals, expected)), 1.0, atol=1e-9)
    every = np.c_[np.arange(300), neighbors]
    patch = xyz[every[every].reshape(300, -1)]
    patch -= patch.mean(axis=1, keepdims=True)
    expected = np.linalg.eigh(patch.transpose(0, 2, 1) @ patch)[1][:, :, 0]
    smooth = smooth_normals(xyz, neighbors, np.arange(300))
    np.testing.assert_allclose(np.abs(np.einsum("ij,ij->i", smooth, expected)), 1.0, atol=1e-9)


def test_normals_of_degenerate_neighbourhoods_are_unit_and_at_right_angles_to_them() -> None:
    place = np.ones((20, 3), np.float32)
    np.testing.assert_allclose(np.linalg.norm(point_normals(place, nearest_neighbors(place, 16), 16), axis=1), 1.0)
    direction = np.array([1, 2, -3]) / np.sqrt(14)
    line = np.arange(30)[:, None] * 0.1 * direction
    normals = point_normals(line, nearest_neighbors(line, 16), 16)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
    np.testing.assert_allclose(normals @ direction, 0.0, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2])
def test_no_plane_through_two_points(count: int) -> None:
    xyz = np.arange(3 * count, dtype=np.float32).reshape(count, 3)
    assert (point_normals(xyz, nearest_neighbors(xyz, 16), 16) == np.zeros((count, 3))).all()
    assert (smooth_normals(xyz, nearest_neighbors(xyz, 16), np.arange(count)) == np.zeros((count, 3))).all()


def test_mesh_normals_of_a_corner_weigh_faces_by_area() -> None:
    xyz = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)  # areas 1/2 along z and 1 along x
    np.testing.assert_allclose(mesh_normals(xyz, faces)[0], np.array([2, 0, 1]) / np.sqrt(5))


def test_given_normals_are_the_scans_before_the_meshs() -> None:
    sideways = np.tile(np.array([1, 0, 0], np.float32), (5, 1))
    np.testing.assert_array_equal(given_normals(scan(normals=sideways, faces=FACES)), [[1, 0, 0]] * 4 + [[0, 0, 0]])
    np.testing.assert_array_equal(given_normals(scan(faces=FACES)), [[0, 0, 1]] * 4 + [[0, 0, 0]])
    assert given_normals(scan()) is None


def test_normals_turn_to_the_room() -> None:
    generator = np.random.default_rng(0)
    floor = np.c_[generator.uniform(-1, 1, (200, 2)), np.zeros(200)].astype(np.float32)
    signs = generator.choice([-1.0, 1.0], 200)
    oriented = orient(floor, signs[:, None] * [0, 0, 1.0], generator.integers(0, 200, (200, 16)).astype(np.int32))
    assert (oriented[:, 2] == 1).all()


def test_normals_that_oppose_their_neighbours_turn_in_rounds_over_all_points_at_once() -> None:
    generator = np.random.default_rng(1)
    xyz = generator.random((400, 3)).astype(np.float32)
    normals = generator.normal(size=(400, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    neighbors = nearest_neighbors(xyz, 16)
    eye = [np.median(xyz[:, 0]), np.median(xyz[:, 1]), np.percentile(xyz[:, 2], 1) + 1.4]
    expected = np.where(((eye - xyz) * normals).sum(axis=1) < 0, -1.0, 1.0)[:, None] * normals
    rounds = 0
    while rounds < 10 and (opposes := (expected[neighbors[:, :11]].sum(axis=1) * expected).sum(axis=1) < 0).any():
        expected[opposes] *= -1
        rounds += 1
    assert rounds > 1
    np.testing.assert_array_equal(orient(xyz, normals, neighbors), expected)


def test_floor_is_flat_and_at_floor_height() -> None:
    generator = np.random.default_rng(3)
    floor = np.c_[generator.random((2000, 2)) * 2, generator.normal(0, 0.004, 2000)]
    wall = np.c_[generator.random((2000, 1)) * 2, np.full(2000, 2.0), generator.random((2000, 1)) * 2]
    table = np.c_[generator.random((500, 2)), np.full(500, 0.7)]
    xyz = np.concatenate([floor, wall, table]).astype(np.float32)
    neighbors = nearest_neighbors(xyz, 16)
    found = floor_points(xyz, point_normals(xyz, neighbors, 16), neighbors)
    assert found[:2000].mean() > 0.95
    assert found[2000:4000][wall[:, 2] > 0.2].sum() == found[4000:].sum() == 0
    assert found[2000:4000].mean() < 0.03
    assert not floor_points(xyz, np.tile([1.0, 0, 0], (4500, 1)), neighbors).any()
