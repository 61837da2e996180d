"""What belongs to walls: doors, windows, curtains, pictures."""

from __future__ import annotations

import numpy as np

from stages.scenes.rooms.pieces import CURTAIN, DOOR, PICTURE, WINDOW, Piece, piece
from stages.scenes.rooms.shapes import Mesh, Paint, block, cuboid, cylinder, drape
from stages.scenes.rooms.style import Style


def _frame(width: float, low: float, high: float, paint: Paint, *, sill: bool) -> list[Mesh]:
    """A frame around an opening, from 9 cm behind the wall to 2 cm before it."""
    half, thickness = width / 2, 0.05
    sides = [cuboid((x, -0.09, low), (x + thickness, 0.02, high), paint) for x in (-half, half - thickness)]
    beams = [high - thickness, *([low] if sill else [])]
    return sides + [cuboid((-half, -0.09, z), (half, 0.02, z + thickness), paint) for z in beams]


def door(style: Style, width: float, height: float) -> Piece:
    """A frame and a leaf: closed, or open into the room, some beyond a right angle."""
    rng, paint = style.rng, style.furniture()
    leaf_width = width - 0.1
    leaf = [cuboid((0.0, -0.04, 0.01), (leaf_width, 0.0, height - 0.05), paint)]
    for z in (0.15, height / 2 + 0.1):
        leaf.append(cuboid((0.12, 0.0, z), (leaf_width - 0.12, 0.008, z + height * 0.35), paint))
    for y in (-0.09, 0.01):
        leaf.append(cuboid((leaf_width - 0.14, y, 1.0), (leaf_width - 0.03, y + 0.04, 1.025), style.metal()))
    turn = rng.uniform(0.3, 1.9) if rng.random() < 0.5 else 0.0
    swung = [part.placed(-leaf_width / 2, 0.0, yaw=turn) for part in leaf]
    return piece(DOOR, [*_frame(width, 0.0, height, style.furniture(), sill=False), *swung])


def window(style: Style, width: float, low: float, high: float) -> Piece:
    """Frame, mullions and panes in a recess of the wall, with a sill."""
    paint = style.white()
    panes = max(1, round(width / 0.7))
    parts = [*_frame(width, low, high, paint, sill=True)]
    parts.append(cuboid((-width / 2, -0.06, low), (width / 2, -0.055, high), style.glass()))
    for i in range(1, panes):
        parts.append(block((-width / 2 + i * width / panes, -0.05, low), (0.05, 0.05, high - low), paint))
    parts.append(cuboid((-width / 2 - 0.1, 0.0, low - 0.03), (width / 2 + 0.1, 0.12, low), paint))
    return piece(WINDOW, parts)


def curtains(style: Style, width: float, top: float, bottom: float) -> list[Piece]:
    """A rod over a window of a width, held at the wall, with a drape at one or both ends, partly drawn."""
    rng, cloth, metal = style.rng, style.fabric(), style.metal()
    ends = (-1, 1) if rng.random() < 0.7 else (1,)
    pieces = []
    for end in ends:
        span = width * rng.uniform(0.3, 0.5)
        hanging = drape(span, top - bottom, max(3, round(span / 0.12)), 0.09, cloth)
        x, reach, high = end * (width / 2 + 0.1 - span / 2), width / len(ends) + 0.1, top - bottom
        inner, outer = sorted((end * (span / 2 - reach), end * span / 2))
        rod = cuboid((inner, 0.03, high), (outer, 0.05, high + 0.02), metal)
        bracket = cuboid((end * span / 2 - 0.01, -0.06, high), (end * span / 2 + 0.01, 0.05, high + 0.02), metal)
        pieces.append(piece(CURTAIN, [hanging, rod, bracket]).placed(x, 0.06, bottom))
    return pieces


def picture(style: Style, width: float, height: float) -> Piece:
    """A framed picture, or a round clock or mirror, its lower edge at z = 0."""
    rng, half, frame = style.rng, width / 2, style.furniture()
    if rng.random() < 0.15:
        disk = cylinder((0.0, 0.0, 0.0), half, 0.03, style.white())
        upright = disk.triangles[:, :, [0, 2, 1]] + np.array([0.0, 0.005, half])
        return Piece(PICTURE, Mesh(upright, disk.paint))
    parts = [cuboid((-half, 0.005, 0.0), (half, 0.02, height), style.bright())]
    edge = 0.03
    for low_x, low_z, high_x, high_z in (
        (-half, 0.0, half, edge),
        (-half, height - edge, half, height),
        (-half, 0.0, edge - half, height),
        (half - edge, 0.0, half, height),
    ):
        parts.append(cuboid((low_x, 0.005, low_z), (high_x, 0.03, high_z), frame))
    return piece(PICTURE, parts)
