"""Pseudo-labels for tests of the evaluation: built from an owner of each region."""

import numpy as np

from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Boxes, Scene


def labels_of(
    scene: Scene,
    superpoint: np.ndarray,
    owner: np.ndarray,
    confidence: float = 1.0,
    contested: np.ndarray | None = None,
) -> PseudoLabels:
    """Labels that give region s to box ``owner[s]`` (-1 background) with probability ``confidence``."""
    objects, regions = len(scene.boxes), len(owner)
    mask = np.arange(objects)[:, None] == owner
    probability = (mask * confidence).astype(np.float32)
    nothing = np.full((objects, regions), np.nan, np.float32)
    return PseudoLabels(
        scene=scene.scene,
        superpoint=superpoint.astype(np.int32),
        mask=mask,
        mean=probability,
        variance=np.zeros_like(probability),
        probability=probability,
        latent_mean=nothing,
        latent_variance=nothing,
        source=np.where(owner < 0, 0, 1).astype(np.uint8),
        contested=np.zeros(regions, np.uint8) if contested is None else contested.astype(np.uint8),
        ignore=np.zeros(regions, bool),
        uncertainty=np.full(regions, 1.0 - confidence, np.float32),
        boxes=scene.boxes,
        class_names=scene.class_names,
        frame=scene.frame,
        offset=np.zeros(3),
        link="none",
        superpoint_method="given",
        superpoint_parameters={},
    )


def tight_boxes(xyz: np.ndarray, instance: np.ndarray, class_index: np.ndarray) -> Boxes:
    """The box around each instance that has a class."""
    boxed = np.flatnonzero(class_index >= 0)
    corners = [np.r_[xyz[instance == each].min(0), xyz[instance == each].max(0)] for each in boxed]
    return Boxes(
        np.array(corners, np.float32).reshape(-1, 6), class_index[boxed].astype(np.int32), boxed.astype(np.int32)
    )


def row_of_cubes(cubes: int = 3, points: int = 200, name: str = "row") -> tuple[Scene, np.ndarray]:
    """Cubes of unit size 2 m apart on a floor, and a partition into halves of cubes (and of the floor)."""
    generator = np.random.default_rng(cubes)
    cloud = [generator.random((points, 3)) + np.array([2 * cube, 0, 0.1]) for cube in range(cubes)]
    floor = generator.random((points, 3)) * [2 * cubes, 1, 0]
    xyz = np.concatenate([*cloud, floor]).astype(np.float32)
    instance = np.repeat([*range(cubes), -1], points).astype(np.int32)
    half = np.tile(np.arange(points) >= points // 2, cubes + 1)
    superpoint = (2 * np.where(instance < 0, cubes, instance) + half).astype(np.int32)
    class_index = (np.arange(cubes) % 2).astype(np.int32)
    scene = Scene(
        scene=name,
        xyz=xyz,
        boxes=tight_boxes(xyz, instance, class_index),
        instance=instance,
        instance_class=class_index,
        class_names=("chair", "table"),
    )
    return scene, superpoint
