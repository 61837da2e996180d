"""From where a picture looks at a scene, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.typing import Bool, Float32, Float64, Int32

_FACES_AWAY = -0.15
"""cosine between normal and direction of the eye from which on a surface shows its back: walls seen from their side,
which noise turns a little, are kept"""
_ON_THE_WALL = 0.7
"""share of points that face away from which on an object, such as a door or a picture, goes with its wall"""


@dataclass(frozen=True)
class Camera:
    """Looks at the middle of the scene from far away, so that parallel lines stay parallel."""

    azimuth: float
    """degrees in the plane of the floor, from the x axis toward the y axis, of where the eye is"""
    elevation: float
    """degrees above the floor, -90 to 90"""

    @property
    def axes(self) -> Float64[np.ndarray, "3 3"]:
        """Rows: to the right in the picture, upward in the picture, toward the eye; unit vectors."""
        azimuth, elevation = np.radians(self.azimuth), np.radians(self.elevation)
        right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
        flat = np.cos(elevation)
        toward = np.array([np.cos(azimuth) * flat, np.sin(azimuth) * flat, np.sin(elevation)])
        return np.stack([right, np.cross(toward, right), toward])


CAMERAS: dict[str, Camera] = {
    "corner": Camera(215.0, 42.0),
    "top": Camera(270.0, 90.0),
    "front": Camera(270.0, 0.0),
    "side": Camera(0.0, 0.0),
}


def camera_of(text: str) -> Camera | None:
    """The camera of a name in CAMERAS or of ``azimuth,elevation`` in degrees; None for anything else."""
    if text in CAMERAS:
        return CAMERAS[text]
    try:
        azimuth, elevation = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return Camera(azimuth, elevation) if np.isfinite(azimuth) and -90 <= elevation <= 90 else None


def in_the_way(
    normal: Float32[np.ndarray, "n 3"], owner: Int32[np.ndarray, " n"], camera: Camera, objects: int
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " K"]]:
    """Points of walls and ceilings between the eye and the room, and the objects that go with them.

    ``normal`` points into the room (zeros where not known), ``owner`` is -1 for background. Such a wall shows its back;
    so does what hangs on it.
    """
    away = normal.astype(np.float64) @ camera.axes[2] < _FACES_AWAY
    owned = owner >= 0
    points = np.bincount(owner[owned], minlength=objects)
    gone = np.bincount(owner[owned & away], minlength=objects) > _ON_THE_WALL * np.maximum(points, 1)
    hidden = np.where(owned, gone[owner], away) if objects else away
    return hidden, gone
