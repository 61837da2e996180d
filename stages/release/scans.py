"""A scan as a file of our own folder format, for releases whose license allows that."""

from __future__ import annotations

import numpy as np

from stages.scenes.classes import SCANNET18
from stages.structures import Scene
from stages.typing import Int32


def scan_arrays(scene: Scene) -> dict[str, np.ndarray]:
    """The arrays of ``scans/<scene>.npz``, as the reader of folders takes them.

    Coordinates are those of the scene's frame, metres, float64 where float32 would lose millimetres. Reading them again
    gives the same scene (far ones to a nanometre), and the same labels.
    """
    arrays: dict[str, np.ndarray] = {"xyz": _absolute(scene.xyz, scene)}
    for name in ("rgb", "normals", "faces", "instance"):
        if getattr(scene, name) is not None:
            arrays[name] = getattr(scene, name)
    if scene.given_superpoint is not None:
        arrays["superpoint"] = scene.given_superpoint
    if (semantic := _semantic(scene)) is not None:
        arrays["semantic"] = semantic
    arrays["boxes"] = _absolute(scene.boxes.corners.reshape(-1, 3), scene).reshape(-1, 6)
    arrays |= {"box_class": scene.boxes.class_index, "box_instance": scene.boxes.instance}
    if scene.background_boxes is not None:
        arrays["background_boxes"] = _absolute(scene.background_boxes.reshape(-1, 3), scene).reshape(-1, 6)
    return arrays


def _absolute(xyz: np.ndarray, scene: Scene) -> np.ndarray:
    return xyz if not scene.offset.any() else xyz.astype(np.float64) + scene.offset


def _semantic(scene: Scene) -> Int32[np.ndarray, " N"] | None:
    """Semantic ids as the reader takes them by default: NYU40 under ScanNet's 18 classes, else the place of the class.

    A source may number its classes in another way; what counts is the class of each instance.
    """
    if scene.class_names == tuple(SCANNET18) or scene.instance is None or scene.instance_class is None:
        return scene.semantic
    return np.append(scene.instance_class, np.int32(-1))[scene.instance]
