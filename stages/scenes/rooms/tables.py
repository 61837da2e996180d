"""Tables and desks."""

from __future__ import annotations

import numpy as np

from stages.scenes.rooms.pieces import DESK, TABLE, Piece, piece
from stages.scenes.rooms.seating import legs
from stages.scenes.rooms.shapes import block, cuboid, cylinder
from stages.scenes.rooms.style import Style


def table(style: Style, width: float, depth: float, height: float) -> Piece:
    """A rectangular top on four legs, its back at y = 0; low ones may have a shelf."""
    half = width / 2
    top, frame = style.wood(), style.wood() if style.rng.random() < 0.6 else style.metal()
    parts = [cuboid((-half, 0.0, height - 0.04), (half, depth, height), top)]
    parts += legs(width, depth, height - 0.04, style.rng.uniform(0.04, 0.07), frame)
    if height > 0.6:
        for y in (0.05, depth - 0.05):
            parts.append(cuboid((-half + 0.05, y - 0.01, height - 0.11), (half - 0.05, y + 0.01, height - 0.04), frame))
    elif style.rng.random() < 0.5:
        parts.append(cuboid((-half + 0.04, 0.04, 0.12), (half - 0.04, depth - 0.04, 0.14), top))
    return piece(TABLE, parts)


def round_table(style: Style, diameter: float, height: float) -> Piece:
    """A round top on a column with a foot, centred at (0, diameter / 2)."""
    y, radius, frame = diameter / 2, diameter / 2, style.furniture()
    column = min(0.06, radius / 5)
    return piece(
        TABLE,
        [
            cylinder((0.0, y, height - 0.035), radius, 0.035, style.furniture()),
            cylinder((0.0, y, 0.03), column, height - 0.065, frame),
            cylinder((0.0, y, 0.0), radius * 0.55, 0.04, frame, top_radius=column),
        ],
    )


def desk(style: Style, width: float, depth: float, height: float, wing: float = 0.0) -> Piece:
    """A desk with a drawer unit or a side panel at each end; one end reaches forward by ``wing`` metres (an L)."""
    rng, half = style.rng, width / 2
    top, body = style.furniture(), style.furniture()
    parts = [cuboid((-half, 0.0, height - 0.035), (half, depth, height), top)]
    side = 1 if rng.random() < 0.5 else -1
    if rng.random() < 0.65:
        drawers = side * (half - 0.22)
        parts.append(block((drawers, depth / 2, 0.05), (0.4, depth - 0.06, height - 0.09), body))
        for z in np.linspace(0.07, height - 0.27, 3):
            parts.append(cuboid((drawers - 0.19, depth - 0.03, z), (drawers + 0.19, depth - 0.012, z + 0.19), body))
            parts.append(block((drawers, depth - 0.005, z + 0.1), (0.12, 0.02, 0.015), style.metal()))
    else:
        parts.append(block((side * (half - 0.02), depth / 2, 0.0), (0.035, depth - 0.04, height - 0.035), body))
    parts.append(block((-side * (half - 0.02), depth / 2, 0.0), (0.035, depth - 0.04, height - 0.035), body))
    parts.append(cuboid((-half + 0.03, 0.04, 0.3), (half - 0.03, 0.055, height - 0.035), body))
    if wing > 0:
        near, far = sorted((side * half, side * (half - 0.55)))
        parts.append(cuboid((near, depth, height - 0.035), (far, depth + wing, height), top))
        parts.append(
            cuboid((near + 0.02, depth + wing - 0.06, 0.0), (far - 0.02, depth + wing - 0.02, height - 0.035), body)
        )
    return piece(DESK, parts)
