"""Points and boxes to pixels: a z-buffer in numpy, without a screen or a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.report.camera import Camera
from stages.typing import Float32, Float64, UInt8

FINE = 2
"""pixels are drawn so many times finer each way, and averaged in the end"""
_MARGIN = 12
"""pixels around the scene"""
_TALLEST = 1.25
"""height by width, at most"""
_CELL = 8
"""fine pixels: points share an area where they share its cells"""
_LARGEST_SPLAT = 1 / 200
"""radius of discs by the width of the picture, at most: larger ones hide what is small"""
_LINE = 1
"""half the width of lines, in fine pixels"""
_HIDDEN = 0.3
"""how much of a line shines through what stands before it"""
_NEAR = 0.03
"""metres by which a line may lie behind points and still be seen: boxes touch their objects"""
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
_EDGES = [(a, b) for a in range(8) for b in range(a) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a picture shows."""

    xyz: Float32[np.ndarray, "n 3"]
    """finite, metres"""
    color: UInt8[np.ndarray, "n 3"]
    normal: Float32[np.ndarray, "n 3"] | None
    """shades surfaces by where they face; None for points that bring their own light"""
    boxes: Float32[np.ndarray, "K 6"]
    box_color: UInt8[np.ndarray, "K 3"]


def picture(drawing: Drawing, camera: Camera, width: int) -> UInt8[np.ndarray, "H W 3"]:
    """A picture ``width`` pixels wide and as high as the scene needs; white where nothing is.

    Raises ValueError for a drawing without points.
    """
    if not len(drawing.xyz):
        raise ValueError("there is no point to draw")
    canvas = _Canvas.around(drawing, camera, width * FINE)
    image = canvas.points(drawing)
    canvas.lines(image, drawing)
    height, fine_width = image.shape[:2]
    averaged = image.reshape(height // FINE, FINE, fine_width // FINE, FINE, 3).mean(axis=(1, 3))
    return np.round(averaged).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Canvas:
    axes: Float64[np.ndarray, "3 3"]
    scale: float
    """fine pixels a metre"""
    left_top: Float64[np.ndarray, "2"]
    """metres to the right and upward where the picture begins"""
    depth: Float32[np.ndarray, "H W"]
    """of the nearest point toward the eye, -inf for none"""

    @classmethod
    def around(cls, drawing: Drawing, camera: Camera, width: int) -> _Canvas:
        """Large enough for all points and boxes."""
        place = np.concatenate([drawing.xyz, _corners(drawing.boxes).reshape(-1, 3)]) @ camera.axes[:2].T
        low, high = place.min(axis=0), place.max(axis=0)
        extent = np.maximum(high - low, 0.01)
        margin = _MARGIN * FINE
        inner = np.array([width, width * _TALLEST]) - 2 * margin
        scale = float((inner / extent).min())
        height = int(np.ceil((extent[1] * scale + 2 * margin) / FINE)) * FINE
        used = np.array([width, height]) / scale
        left_top = (low + high) / 2 + np.array([-0.5, 0.5]) * used
        return cls(camera.axes, scale, left_top, np.full((height, width), -np.inf, np.float32))

    def project(self, xyz: np.ndarray) -> tuple[Float64[np.ndarray, "n 2"], Float32[np.ndarray, " n"]]:
        """Column and row in fine pixels, and depth toward the eye in metres."""
        seen = xyz.astype(np.float64) @ self.axes.T
        return (seen[:, :2] - self.left_top) * np.array([self.scale, -self.scale]), seen[:, 2].astype(np.float32)

    def points(self, drawing: Drawing) -> Float32[np.ndarray, "H W 3"]:
        """The points as discs, the nearest in front."""
        place, depth = self.project(drawing.xyz)
        pixel = np.floor(place).astype(np.int64)
        order = np.argsort(depth, kind="stable")
        pixel, depth = pixel[order], depth[order]
        nearest, last = (np.full(self.depth.shape, -1, np.int64) for _ in range(2))
        for offset in _disc(_splat(pixel, self.depth.shape[1])):
            self._put(nearest, last, pixel + offset, depth)
        image = np.full((*nearest.shape, 3), 255.0, np.float32)
        drawn = nearest >= 0
        source = order[nearest[drawn]]
        color = drawing.color[source].astype(np.float32)
        if drawing.normal is not None:
            color *= _light(drawing.normal[source], self.axes)[:, None]
        image[drawn] = color * self._edges()[drawn][:, None]
        return image

    def _put(self, nearest: np.ndarray, last: np.ndarray, pixel: np.ndarray, depth: np.ndarray) -> None:
        """One pixel of each disc, where it is nearer than what is there; points come from far to near.

        ``last`` is scratch: of several points in one pixel the last one to be written, the nearest, stays there.
        """
        inside = self._inside(pixel)
        flat = pixel[inside, 1] * nearest.shape[1] + pixel[inside, 0]
        last.ravel()[flat] = inside
        first = (last.ravel()[flat] == inside) & (depth[inside] > self.depth.ravel()[flat])
        self.depth.ravel()[flat[first]] = depth[inside[first]]
        nearest.ravel()[flat[first]] = inside[first]

    def _inside(self, pixel: np.ndarray) -> np.ndarray:
        """Which of the pixels are in the picture."""
        height, width = self.depth.shape
        return np.flatnonzero((pixel >= 0).all(axis=1) & (pixel[:, 0] < width) & (pixel[:, 1] < height))

    def _edges(self) -> Float32[np.ndarray, "H W"]:
        """Darkens what lies behind its neighbours, which draws the outlines of things (eye-dome lighting)."""
        depth = np.maximum(self.depth, np.float32(-1e6))
        behind = np.zeros_like(depth)
        for axis in (0, 1):
            for step in (-FINE, FINE):
                behind += np.clip(np.roll(depth, step, axis) - depth, 0, 0.15)
        return np.exp(-1.6 * behind)

    def lines(self, image: np.ndarray, drawing: Drawing) -> None:
        """Edges of the boxes; faint behind points."""
        front, back = (np.full(self.depth.shape, -1, np.int32) for _ in range(2))
        for index, corners in enumerate(_corners(drawing.boxes)):
            place, depth = self.project(_along_edges(corners, self.scale))
            for offset in _disc(_LINE):
                pixel = np.floor(place).astype(np.int64) + offset
                inside = self._inside(pixel)
                column, row = pixel[inside].T
                seen = depth[inside] >= self.depth[row, column] - _NEAR
                front[row[seen], column[seen]] = index
                back[row[~seen], column[~seen]] = index
        for lines, strength in ((back, _HIDDEN), (front, 1.0)):
            drawn = lines >= 0
            image[drawn] += strength * (drawing.box_color[lines[drawn]] - image[drawn])


def _splat(pixel: np.ndarray, width: int) -> int:
    """Radius of discs that close a surface: from how many points share the area that is drawn on."""
    column, row = (pixel // _CELL).T
    cells = len(np.unique(column * (row.max() + 1) + row))
    spacing = np.sqrt(cells * _CELL**2 / (len(pixel) / 2))  # about half of a room faces away or is hidden
    return int(np.clip(np.round(1.1 * spacing), 1, max(width * _LARGEST_SPLAT, 1)))


def _disc(radius: int) -> list[tuple[int, int]]:
    span = range(-radius, radius + 1)
    return [(x, y) for x in span for y in span if x * x + y * y <= radius * radius + 0.5]


def _light(normal: Float32[np.ndarray, "n 3"], axes: Float64[np.ndarray, "3 3"]) -> Float32[np.ndarray, " n"]:
    """Brightness by where a surface faces, from a light above the eye's left shoulder; 1 without a normal."""
    light = np.array([-0.4, 0.6, 0.7]) @ axes
    facing = np.abs(normal.astype(np.float64) @ (light / np.linalg.norm(light)))
    brightness = np.where((normal == 0).all(axis=1), 1.0, 0.66 + 0.36 * facing)
    return np.minimum(brightness, 1.0).astype(np.float32)


def _corners(boxes: Float32[np.ndarray, "K 6"]) -> Float64[np.ndarray, "K 8 3"]:
    wide = boxes.astype(np.float64)
    return wide[:, None, :3] + _CORNERS * (wide[:, None, 3:] - wide[:, None, :3])


def _along_edges(corners: Float64[np.ndarray, "8 3"], scale: float) -> Float64[np.ndarray, "m 3"]:
    """Points along the twelve edges, one a fine pixel."""
    found = []
    for a, b in _EDGES:
        steps = int(np.linalg.norm(corners[a] - corners[b]) * scale) + 2
        found.append(corners[a] + np.linspace(0, 1, steps)[:, None] * (corners[b] - corners[a]))
    return np.concatenate(found)
