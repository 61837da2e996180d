import numpy as np

from stages.posteriors.background import floor_slab, in_any_box, planes
from stages.superpoints.floor import floor_height


def room(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Floor, one wall at 30 degrees and a small cupboard front in the middle of the room: points, normals, kind."""
    direction = np.array([np.cos(np.pi / 6), np.sin(np.pi / 6), 0])
    along = np.array([-direction[1], direction[0], 0])
    floor = np.c_[generator.uniform(-2, 2, (3000, 2)), np.full(3000, 0.05)]
    wall = (
        2 * direction + generator.uniform(-2, 2, (3000, 1)) * along + generator.uniform(0, 2.5, (3000, 1)) * [0, 0, 1]
    )
    front = generator.uniform(-0.1, 0.1, (100, 1)) * along + generator.uniform(0.3, 0.6, (100, 1)) * [0, 0, 1]
    xyz = np.concatenate([floor, wall, front]) + generator.normal(0, 0.003, (6100, 3))
    normals = np.repeat([[0, 0, 1.0], direction, direction], [3000, 3000, 100], axis=0)
    return xyz.astype(np.float32), normals, np.repeat([0, 1, 2], [3000, 3000, 100])


def test_floor_height_is_found_within_half_a_bin() -> None:
    xyz, normals, _ = room(np.random.default_rng(0))
    height = floor_height(xyz, normals)
    assert height is not None
    assert abs(height - 0.05) < 0.012
    assert floor_height(xyz[3000:], normals[3000:]) is None


def test_planes_are_floor_and_wall_but_no_furniture() -> None:
    xyz, normals, kind = room(np.random.default_rng(1))
    found = planes(xyz, normals, 0.1)
    share = np.bincount(kind, found) / np.bincount(kind)
    assert share[0] > 0.99
    assert share[1] > 0.99
    assert share[2] < 0.01


def test_floor_slab_and_given_boxes() -> None:
    xyz = np.array([[0, 0, 1.0], [0, 0, 1.05], [0, 0, 1.2]], np.float32)
    assert floor_slab(xyz, 0.1).tolist() == [True, True, False]
    boxes = np.array([[-1, -1, 1.1, 1, 1, 2], [-1, -1, 0.9, 1, 1, 1.01]], np.float32)
    assert in_any_box(xyz, boxes, 0.0).tolist() == [True, False, True]
