import numpy as np
import pytest

from stages.geometry import (
    box_intersections,
    box_overlaps,
    box_volumes,
    given_normals,
    mesh_edges_among,
    scene_normals,
)
from stages.structures import Boxes, Scene

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [np.nan, 0, 0]], np.float32)
FACES = np.array([[0, 1, 2], [1, 3, 2], [2, 3, 4]], np.int32)
CORNERS = np.array([[0, 0, 0, 2, 1, 1], [1, 0, 0, 3, 1, 1], [2, 0, 0, 2, 1, 1]], np.float32)


def scan(xyz: np.ndarray = SQUARE, **fields: np.ndarray) -> Scene:
    return Scene("scan", xyz, Boxes.empty(), normals=fields.get("normals"), faces=fields.get("faces"))


def test_given_normals_are_the_scans_before_the_meshs() -> None:
    sideways = np.tile(np.array([1, 0, 0], np.float32), (5, 1))
    np.testing.assert_array_equal(given_normals(scan(normals=sideways, faces=FACES)), [[1, 0, 0]] * 4 + [[0, 0, 0]])
    np.testing.assert_array_equal(given_normals(scan(faces=FACES)), [[0, 0, 1]] * 4 + [[0, 0, 0]])
    assert given_normals(scan()) is None


def test_normals_are_fitted_where_none_are_given() -> None:
    np.testing.assert_allclose(np.abs(scene_normals(scan(), 3)), [[0, 0, 1]] * 4 + [[0, 0, 0]], atol=1e-12)
    np.testing.assert_array_equal(scene_normals(scan(faces=FACES), 3), given_normals(scan(faces=FACES)))
    assert (scene_normals(scan(SQUARE[4:]), 3) == 0).all()


def test_edges_are_numbered_by_the_chosen_points() -> None:
    chosen = np.array([1, 2, 3])
    assert mesh_edges_among(scan(faces=FACES), chosen).tolist() == [[0, 1], [0, 2], [1, 2]]
    assert mesh_edges_among(scan(faces=FACES), np.array([0, 3])).shape == (0, 2)
    with pytest.raises(ValueError, match="no faces"):
        mesh_edges_among(scan(), chosen)


def test_boxes_by_hand() -> None:
    np.testing.assert_allclose(box_volumes(CORNERS), [2, 2, 0.02])
    np.testing.assert_allclose(box_volumes(CORNERS, 0.0), [2, 2, 0])
    np.testing.assert_allclose(box_intersections(CORNERS), [[2, 1, 0], [1, 2, 0], [0, 0, 0]])
    expected = [[1.0, 1 / 3, 0.0], [1 / 3, 1.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(box_overlaps(CORNERS), expected)
