"""Small scenes for tests: two cuboids that stand on a floor, with boxes that overlap or not."""

from dataclasses import replace

import numpy as np

from stages.structures import Boxes, Scene
from stages.superpoints.partition import GraphParameters

PARAMETERS = GraphParameters(
    neighbors=9,
    normal_neighbors=16,
    weight="normals",
    scale=0.003,
    minimum_size=5,
    split_by_boxes=True,
    margin=0.0001,
)


def cuboid(generator: np.random.Generator, low: list[float], high: list[float], count: int) -> np.ndarray:
    """Points on the surface of a cuboid without its underside."""
    low_corner, high_corner = np.array(low), np.array(high)
    points = low_corner + generator.random((count, 3)) * (high_corner - low_corner)
    face = generator.integers(0, 5, count)
    axis, upper = np.array([0, 0, 1, 1, 2])[face], np.array([0, 1, 0, 1, 1])[face]
    points[np.arange(count), axis] = np.where(upper, high_corner[axis], low_corner[axis])
    return points


def two_objects(seed: int = 0, points: int = 3000) -> Scene:
    """A grey floor, a low red table and a tall blue cupboard that reaches into the table's box."""
    generator = np.random.default_rng(seed)
    floor = np.c_[generator.random((points, 2)) * [4, 3], generator.normal(0, 0.002, points)]
    table = np.concatenate(
        [
            cuboid(generator, [0.5, 0.5, 0.7], [2.0, 1.5, 0.75], points // 2),
            cuboid(generator, [0.5, 0.5, 0.0], [0.55, 0.55, 0.7], points // 8),
        ]
    )
    cupboard = cuboid(generator, [1.8, 0.6, 0.8], [2.6, 1.4, 2.0], points)
    xyz = np.concatenate([floor, table, cupboard])
    instance = np.repeat([-1, 0, 1], [len(floor), len(table), len(cupboard)]).astype(np.int32)
    color = np.array([[120, 120, 120], [200, 40, 40], [40, 40, 200]])[instance + 1]
    rgb = np.clip(color + generator.normal(0, 5, color.shape), 0, 255).astype(np.uint8)
    xyz = xyz.astype(np.float32)
    boxes = [np.r_[xyz[instance == k].min(0), xyz[instance == k].max(0)] for k in (0, 1)]
    corners = np.array(boxes, np.float32)
    corners[0, 5] = 1.2  # the table's box holds a lamp that the scan lost, so the cupboard reaches into it
    return Scene(
        scene="two_objects",
        xyz=xyz,
        rgb=rgb,
        instance=instance,
        boxes=Boxes(corners, np.array([4, 0], np.int32), np.array([0, 1], np.int32)),
        instance_class=np.array([4, 0], np.int32),
        class_names=("cabinet", "bed", "chair", "sofa", "table"),
    )


def reordered(scene: Scene, order: np.ndarray) -> Scene:
    """The same scan with its points in another order."""
    return replace(
        scene,
        xyz=scene.xyz[order],
        rgb=None if scene.rgb is None else scene.rgb[order],
        instance=None if scene.instance is None else scene.instance[order],
    )


def quarter_turn(scene: Scene) -> Scene:
    """The same scan after a quarter turn about the vertical axis, boxes included."""
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    low_x, low_y, low_z, high_x, high_y, high_z = scene.boxes.corners.T
    corners = np.stack([-high_y, low_x, low_z, -low_y, high_x, high_z], axis=1)
    return replace(scene, xyz=scene.xyz @ turn.T, boxes=replace(scene.boxes, corners=corners))
