"""Painted triangle meshes of simple solids: the material that furniture is made of.

Local frames: z up, metres. A piece of furniture is centred at x = 0, stands on z = 0 with its back at y = 0 and looks
towards +y; a wall is the plane y = 0 of the frame of whatever hangs on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.typing import Float64, Int64

Vector = Sequence[float] | Float64[np.ndarray, " 3"]
Paint = Float64[np.ndarray, " 7"]
"""r, g, b in [0, 1]; wave vector x, y, z of the grain in cycles per metre; contrast of the grain"""

_CUBOID_FACES = {
    "-x": (0, 4, 6, 2),
    "+x": (1, 3, 7, 5),
    "-y": (0, 1, 5, 4),
    "+y": (2, 6, 7, 3),
    "-z": (0, 2, 3, 1),
    "+z": (4, 5, 7, 6),
}


@dataclass(frozen=True, eq=False)
class Mesh:
    """Painted triangles; both sides of a triangle count as surface."""

    triangles: Float64[np.ndarray, "T 3 3"]
    """metres: triangle, corner, coordinate"""
    paint: Float64[np.ndarray, "T 7"]

    def __len__(self) -> int:
        return len(self.triangles)

    def placed(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Mesh:
        """This mesh turned about the z axis by ``yaw`` (radians, counter-clockwise) and then moved (metres)."""
        cosine, sine = np.cos(yaw), np.sin(yaw)
        turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        paint = self.paint.copy()
        paint[:, 3:6] = paint[:, 3:6] @ turn
        return Mesh(self.triangles @ turn + np.array([x, y, z]), paint)


def join(meshes: Iterable[Mesh]) -> Mesh:
    """One mesh of at least one mesh; raises ValueError where there is none."""
    parts = list(meshes)
    return Mesh(np.concatenate([part.triangles for part in parts]), np.concatenate([part.paint for part in parts]))


def _painted(corners: Float64[np.ndarray, "V 3"], triangles: Int64[np.ndarray, "T 3"], paint: Paint) -> Mesh:
    return Mesh(corners[triangles], np.tile(paint, (len(triangles), 1)))


def cuboid(low: Vector, high: Vector, paint: Paint, without: Sequence[str] = ()) -> Mesh:
    """Axis-aligned box from its two corners, ``without`` the named faces (``-x``, ``+x``, ``-y``, ...)."""
    bounds = (low, high)
    corners = np.array([[bounds[i & 1][0], bounds[i >> 1 & 1][1], bounds[i >> 2][2]] for i in range(8)], np.float64)
    quads = [quad for name, quad in _CUBOID_FACES.items() if name not in without]
    return _painted(corners, np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]), paint)


def block(place: Vector, size: Vector, paint: Paint) -> Mesh:
    """Box of a size whose lower face is centred at ``place``."""
    (x, y, z), (width, depth, height) = place, size
    return cuboid((x - width / 2, y - depth / 2, z), (x + width / 2, y + depth / 2, z + height), paint)


def cylinder(place: Vector, radius: float, height: float, paint: Paint, *, top_radius: float | None = None) -> Mesh:
    """Upright cylinder or, with ``top_radius``, frustum of 16 sides, whose lower cap is centred at ``place``."""
    sides = 16
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    base, up = np.asarray(place, np.float64), np.array([0.0, 0.0, height])
    top = base + up + ring * (radius if top_radius is None else top_radius)
    corners = np.concatenate([base + ring * radius, top, [base, base + up]])
    here = np.arange(sides)
    after = (here + 1) % sides
    low, high = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    faces = [(here, after, after + sides), (here, after + sides, here + sides), (here, low, after)]
    faces.append((here + sides, after + sides, high))
    return _painted(corners, np.concatenate([np.stack(face, axis=1) for face in faces]), paint)


def _grid_triangles(rows: int, columns: int) -> Int64[np.ndarray, "T 3"]:
    """Two triangles for each cell of a grid of rows x columns vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    upper = np.stack([corner, corner + 1, corner + columns + 1], axis=1)
    lower = np.stack([corner, corner + columns + 1, corner + columns], axis=1)
    return np.concatenate([upper, lower])


def cushion(place: Vector, size: Vector, paint: Paint, *, roundness: float = 0.4) -> Mesh:
    """Superellipsoid above ``place``, which its lowest point touches; 1 is an ellipsoid, towards 0 it becomes a box."""
    latitude = np.linspace(-np.pi / 2, np.pi / 2, 8)[:, None]
    longitude = np.linspace(-np.pi, np.pi, 17)[None, :]

    def power(wave: Float64[np.ndarray, " rows columns"]) -> Float64[np.ndarray, " rows columns"]:
        signed: Float64[np.ndarray, " rows columns"] = np.copysign(np.abs(wave) ** roundness, wave)
        return signed

    across = power(np.cos(latitude))
    unit = np.stack(np.broadcast_arrays(
        across * power(np.cos(longitude)), across * power(np.sin(longitude)), power(np.sin(latitude))
    ), axis=-1)  # fmt: skip
    half = np.asarray(size, np.float64) / 2
    corners = unit.reshape(-1, 3) * half + np.asarray(place) + np.array([0.0, 0.0, half[2]])
    return _painted(corners, _grid_triangles(8, 17), paint)


def drape(width: float, height: float, folds: int, depth: float, paint: Paint) -> Mesh:
    """Hanging cloth of a width, centred at x = 0, whose ``folds`` swing between y = 0 and y = ``depth``."""
    across = np.linspace(0.0, 1.0, 6 * folds + 1)
    swing = depth / 2 * (1 + np.sin(2 * np.pi * folds * across))
    line = np.stack([(across - 0.5) * width, swing, np.zeros_like(across)], axis=1)
    corners = np.concatenate([line, line + np.array([0.0, 0.0, height])])
    return _painted(corners, _grid_triangles(2, len(line)), paint)


def wall(width: float, height: float, holes: Sequence[tuple[float, float, float, float]], paint: Paint) -> Mesh:
    """Rectangle x in [0, width], z in [0, height] of the plane y = 0, with rectangular holes.

    Args:
        width: metres.
        height: metres.
        holes: (low x, low z, high x, high z) of each, inside the rectangle, disjoint in x.
        paint: of the wall.
    """
    pieces, start = [], 0.0
    for low_x, low_z, high_x, high_z in sorted(holes):
        pieces += [(start, 0.0, low_x, height), (low_x, 0.0, high_x, low_z), (low_x, high_z, high_x, height)]
        start = high_x
    pieces.append((start, 0.0, width, height))
    return join(
        cuboid((x, 0.0, z), (far, 0.0, top), paint, ("-x", "+x", "+y", "-z", "+z"))
        for x, z, far, top in pieces
        if far > x and top > z
    )
