"""Small rooms of coloured balls on a floor, with labels, for tests of whatever trains on them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from stages.training.batch import RegionLabels, TrainingScene

CLASSES = 3
SIDE = 0.3
"""of a region, metres"""


def toy_room(objects: int = 2, *, seed: int = 0, points: int = 150, floor: int = 600) -> TrainingScene:
    """Balls of 0.25 m in rows 1 m apart, coloured by their class, k % 3, above ``floor`` points of grey floor."""
    rng = np.random.default_rng(seed)
    columns = max(int(np.ceil(np.sqrt(objects))), 2)
    middle = np.array([[k % columns + 0.5, k // columns + 0.5, 0.4] for k in range(objects)]).reshape(-1, 3)
    direction = rng.normal(size=(objects, points, 3))
    ball = middle[:, None] + 0.25 * direction / np.linalg.norm(direction, axis=2, keepdims=True)
    ground = np.column_stack([rng.uniform(0, columns, (floor, 2)), rng.normal(0, 0.005, floor)])
    xyz = np.concatenate([ball.reshape(-1, 3), ground]).astype(np.float32)
    instance = np.concatenate([np.repeat(np.arange(objects), points), np.full(floor, -1)])
    color = np.full((len(xyz), 3), -0.5, np.float32)
    color[instance >= 0] = 2 * np.eye(3, dtype=np.float32)[instance[instance >= 0] % CLASSES] - 1
    color += rng.normal(0, 0.1, color.shape).astype(np.float32)
    cell = np.column_stack([instance, np.floor(xyz / SIDE)])
    _, first, superpoint = np.unique(cell, axis=0, return_index=True, return_inverse=True)
    owner = torch.from_numpy(instance[first])
    return TrainingScene(
        scene=f"toy{seed}",
        xyz=torch.from_numpy(xyz),
        color=torch.from_numpy(color),
        superpoint=torch.from_numpy(superpoint.ravel()),
        regions=len(first),
        labels=labels_of(owner, torch.from_numpy(middle.astype(np.float32))),
    )


def labels_of(owner: torch.Tensor, center: torch.Tensor) -> RegionLabels:
    """Certain labels; every third region of an object is contested, with a mean of 0.8 and a variance of 0.05."""
    objects = len(center)
    mask = owner[None] == torch.arange(objects)[:, None]
    contested = (owner >= 0) & (torch.arange(len(owner)) % 3 == 0)
    unsure = mask & contested
    return RegionLabels(
        mask=mask,
        mean=torch.where(unsure, 0.8, mask.float()),
        variance=torch.where(contested, 0.05, 0.0).expand(objects, -1).contiguous(),
        determined=~contested,
        ignore=torch.zeros(len(owner), dtype=torch.bool),
        class_index=torch.arange(objects) % CLASSES,
        center=center,
    )


def relabelled(scene: TrainingScene, **changes: torch.Tensor) -> TrainingScene:
    """The scene with some fields of its labels replaced."""
    if scene.labels is None:
        raise ValueError(f"scene {scene.scene} has no labels")
    return replace(scene, labels=replace(scene.labels, **changes))


def one_region() -> TrainingScene:
    """A single ball that is a single region."""
    scene = toy_room(1, floor=0)
    owner = torch.zeros(1, dtype=torch.int64)
    center = torch.tensor([[0.5, 0.5, 0.4]])
    return replace(scene, superpoint=torch.zeros_like(scene.superpoint), regions=1, labels=labels_of(owner, center))
