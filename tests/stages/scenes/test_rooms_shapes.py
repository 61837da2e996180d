from __future__ import annotations

import numpy as np
import pytest

from stages.scenes.rooms.scanner import unit_normals
from stages.scenes.rooms.shapes import Mesh, block, cuboid, cushion, cylinder, drape, wall

PAINT = np.array([0.2, 0.4, 0.6, 1.0, 2.0, 3.0, 0.1])


def area(mesh: Mesh) -> float:
    first, second = mesh.triangles[:, 1] - mesh.triangles[:, 0], mesh.triangles[:, 2] - mesh.triangles[:, 0]
    return float(np.linalg.norm(np.cross(first, second), axis=1).sum() / 2)


def volume(mesh: Mesh) -> float:
    """By the divergence theorem: positive only if the surface is closed and all its normals point outwards."""
    return float(np.linalg.det(mesh.triangles).sum() / 6)


def test_cuboid_is_closed_and_has_its_area_and_volume() -> None:
    box = cuboid((1.0, 2.0, 3.0), (2.0, 4.0, 6.0), PAINT)
    assert area(box) == pytest.approx(2 * (1 * 2 + 2 * 3 + 1 * 3))
    assert volume(box) == pytest.approx(6)
    np.testing.assert_array_equal(box.triangles.min(axis=(0, 1)), [1, 2, 3])
    np.testing.assert_array_equal(box.triangles.max(axis=(0, 1)), [2, 4, 6])


@pytest.mark.parametrize(
    ("face", "axis", "value"), [("-x", 0, 0), ("+x", 0, 1), ("-y", 1, 0), ("+y", 1, 1), ("-z", 2, 0), ("+z", 2, 1)]
)
def test_cuboid_without_a_face(face: str, axis: int, value: int) -> None:
    box = cuboid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), PAINT, (face,))
    assert len(box) == 10
    assert not (box.triangles[:, :, axis] == value).all(axis=1).any()


def test_block_stands_on_its_place() -> None:
    box = block((1.0, 2.0, 3.0), (2.0, 4.0, 5.0), PAINT)
    np.testing.assert_allclose(box.triangles.min(axis=(0, 1)), [0, 0, 3])
    np.testing.assert_allclose(box.triangles.max(axis=(0, 1)), [2, 4, 8])


def test_cylinder_and_frustum_are_closed_prisms_of_16_sides() -> None:
    section = 8 * np.sin(np.pi / 8)  # of a regular 16-gon in the unit circle
    assert volume(cylinder((0.5, 0.0, 1.0), 2.0, 3.0, PAINT)) == pytest.approx(section * 4 * 3)
    assert volume(cylinder((0.5, 0.0, 1.0), 2.0, 3.0, PAINT, top_radius=1.0)) == pytest.approx(section * (4 + 2 + 1))


def test_cushion_fills_its_size_and_is_rounder_than_a_box() -> None:
    soft = cushion((1.0, 1.0, 0.5), (2.0, 1.0, 0.6), PAINT, roundness=0.4)
    np.testing.assert_allclose(soft.triangles.max(axis=(0, 1))[2], 1.1)
    np.testing.assert_allclose(soft.triangles.min(axis=(0, 1))[2], 0.5)
    assert (soft.triangles.min(axis=(0, 1)) >= [0, 0.5, 0.5]).all()
    box = 2.0 * 1.0 * 0.6
    assert 0.6 * box < volume(soft) < box
    assert volume(cushion((0.0, 0.0, 0.0), (2.0, 2.0, 2.0), PAINT, roundness=1.0)) == pytest.approx(
        4 * np.pi / 3, rel=0.1
    )


def test_wall_has_its_holes() -> None:
    plaster = wall(5.0, 2.5, [(3.0, 0.9, 4.0, 2.0), (0.5, 0.0, 1.4, 2.0)], PAINT)
    assert area(plaster) == pytest.approx(5 * 2.5 - 1.0 * 1.1 - 0.9 * 2.0)
    np.testing.assert_array_equal(plaster.triangles[..., 1], 0)
    center = plaster.triangles.mean(axis=1)
    assert not ((center[:, 0] > 3) & (center[:, 0] < 4) & (center[:, 2] > 0.9) & (center[:, 2] < 2)).any()


def test_drape_is_longer_than_its_width() -> None:
    cloth = drape(1.0, 2.0, 4, 0.1, PAINT)
    assert area(cloth) > 1.2 * 2.0
    np.testing.assert_allclose(np.ptp(cloth.triangles.reshape(-1, 3), axis=0)[[0, 2]], [1, 2])
    assert cloth.triangles[..., 1].min() >= 0
    assert cloth.triangles[..., 1].max() <= 0.1


def test_placing_turns_geometry_and_grain_alike() -> None:
    placed = cuboid((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), PAINT).placed(10.0, 20.0, 30.0, np.pi / 2)
    np.testing.assert_allclose(placed.triangles.min(axis=(0, 1)), [8, 20, 30])
    np.testing.assert_allclose(placed.triangles.max(axis=(0, 1)), [10, 21, 33])
    np.testing.assert_allclose(placed.paint[0], [0.2, 0.4, 0.6, -2.0, 1.0, 3.0, 0.1])
    assert volume(placed) == pytest.approx(6)


def test_unit_normals_of_a_triangle_without_area_are_zero() -> None:
    flat = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 0], [1, 0, 0], [2, 0, 0]]])
    np.testing.assert_allclose(unit_normals(flat), [[0, 0, 1], [0, 0, 0]])
