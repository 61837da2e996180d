"""Small scans of the user's own in .npz files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.stages.scenery import two_objects

NYU40 = np.array([0, 7, 3])
"""no instance, table, cabinet"""


def small_scan(seed: int = 0) -> dict[str, Any]:
    """The arrays of a sound scan: a table and a cupboard on a floor, with boxes that overlap."""
    scene = two_objects(seed, points=500)
    assert scene.instance is not None
    return {
        "xyz": scene.xyz,
        "rgb": scene.rgb,
        "normals": np.tile(np.array([0, 0, 1], np.float32), (len(scene), 1)),
        "instance": scene.instance,
        "semantic": NYU40[scene.instance + 1],
        "boxes": scene.boxes.corners,
        "box_class": scene.boxes.class_index,
        "box_instance": scene.boxes.instance,
    }


def save_scan(file: Path, seed: int = 0, **changes: Any) -> None:
    """Writes ``small_scan`` with some arrays changed; None leaves one out."""
    arrays = small_scan(seed) | changes
    np.savez(file, **{key: values for key, values in arrays.items() if values is not None})
