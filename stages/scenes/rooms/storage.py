"""Cabinets, bookshelves, refrigerators, and kitchen counters with their sinks."""

from __future__ import annotations

import numpy as np

from stages.scenes.rooms.pieces import (
    BOOKSHELF,
    CABINET,
    CLUTTER,
    COUNTER,
    OTHER,
    REFRIGERATOR,
    SINK,
    Piece,
    piece,
    united,
)
from stages.scenes.rooms.shapes import Mesh, Paint, block, cuboid, cylinder
from stages.scenes.rooms.style import Style


def _fronts(style: Style, width: float, depth: float, low: float, high: float) -> list[Mesh]:
    """Doors or drawers with gaps and handles before a carcass of the given depth."""
    rng, paint, metal = style.rng, style.furniture(), style.metal()
    drawers = high - low < 1.2 and rng.random() < 0.4
    rows = max(2, round((high - low) / 0.25)) if drawers else 1
    columns = max(1, round(width / (0.8 if drawers else 0.45)))
    step, rise = width / columns, (high - low) / rows
    parts = []
    for i in range(columns * rows):
        x, z = -width / 2 + (i % columns) * step, low + (i // columns) * rise
        parts.append(cuboid((x + 0.006, depth, z + 0.006), (x + step - 0.006, depth + 0.018, z + rise - 0.006), paint))
        grip = (0.14, 0.02, 0.015) if drawers else (0.015, 0.02, 0.14)
        middle = x + step / 2 if drawers else x + step * (0.12 if i % 2 else 0.88)
        parts.append(block((middle, depth + 0.03, z + rise * 0.55), grip, metal))
    return parts


def cabinet(style: Style, width: float, depth: float, height: float) -> Piece:
    """A closed cabinet, chest of drawers or wardrobe on a plinth."""
    half, body = width / 2, style.furniture()
    front = depth - 0.04
    parts = [cuboid((-half, 0.0, 0.06), (half, front, height), body)]
    parts.append(cuboid((-half + 0.03, 0.02, 0.0), (half - 0.03, front - 0.04, 0.06), style.dark()))
    return piece(CABINET, [*parts, *_fronts(style, width, front, 0.06, height)])


def _books(style: Style, width: float, depth: float, low: float, room: float) -> list[Mesh]:
    """A row of books that stand on height ``low``, at most ``room`` metres tall."""
    rng, books = style.rng, list[Mesh]()
    x = -width / 2 + rng.uniform(0.0, 0.1)
    end = width / 2 * rng.uniform(0.2, 1.0)
    while x < end - 0.08:
        thickness = rng.uniform(0.02, 0.06)
        high = rng.uniform(0.55, 0.92) * room
        far = depth * rng.uniform(0.6, 0.95)
        books.append(cuboid((x, 0.03, low), (x + thickness, far, low + high), style.bright(), ("-y", "-z")))
        x += thickness + (0.0 if rng.random() < 0.85 else rng.uniform(0.02, 0.12))
    return books


def bookshelf(style: Style, width: float, depth: float, height: float) -> list[Piece]:
    """Sides, boards and perhaps a back; boxes on it are clutter or annotated as other furniture.

    Its books belong to it or are clutter: annotators do either.
    """
    rng, half, paint, board = style.rng, width / 2, style.furniture(), 0.022
    levels = max(2, round(height / 0.36))
    parts = [cuboid((x, 0.0, 0.0), (x + board, depth, height), paint) for x in (-half, half - board)]
    if rng.random() < 0.5:
        parts.append(cuboid((-half, 0.0, 0.0), (half, 0.008, height), paint))
    heights = np.linspace(0.05, height - board, levels + 1)
    parts += [cuboid((-half, 0.0, z), (half, depth - 0.005, z + board), paint) for z in heights]
    pieces, books = [piece(BOOKSHELF, parts)], []
    inner, gap = width - 2 * board, heights[1] - heights[0] - board
    for z in heights[:-1] + board:
        kind = rng.random()
        if kind < 0.65:
            books += _books(style, inner, depth, float(z), float(gap))
        elif kind < 0.85:
            size = (rng.uniform(0.2, 0.4), depth * 0.85, gap * rng.uniform(0.4, 0.85))
            thing = block((rng.uniform(-0.2, 0.2) * inner, depth / 2, float(z)), size, style.bright())
            pieces.append(Piece(OTHER if rng.random() < 0.3 else CLUTTER, thing))
    owner = BOOKSHELF if rng.random() < 0.5 else CLUTTER
    if books and owner == BOOKSHELF:
        pieces[0] = piece(BOOKSHELF, [*parts, *books])
    elif books:
        pieces.append(piece(CLUTTER, books))
    return pieces


def refrigerator(style: Style) -> Piece:
    """Two doors with a gap and handles, about 0.65 x 0.65 x 1.75 m."""
    rng = style.rng
    width, depth, height = rng.uniform(0.55, 0.75), rng.uniform(0.6, 0.7), rng.uniform(1.5, 1.85)
    body, metal, split = style.white() if rng.random() < 0.6 else style.metal(), style.metal(), height * 0.65
    half = width / 2
    parts = [cuboid((-half, 0.0, 0.03), (half, depth - 0.07, height), body)]
    for low, high in ((0.05, split - 0.006), (split + 0.006, height)):
        parts.append(cuboid((-half, depth - 0.065, low), (half, depth, high), body))
        parts.append(block((half - 0.06, depth + 0.02, low + 0.1), (0.02, 0.03, min(0.4, high - low - 0.2)), metal))
    return piece(REFRIGERATOR, parts)


def _worktop(
    width: float, depth: float, height: float, hole: tuple[float, float, float, float], paint: Paint
) -> list[Mesh]:
    """A slab with a rectangular hole (low x, low y, high x, high y)."""
    half, low = width / 2, height - 0.04
    x, y, far_x, far_y = hole
    plates = ((-half, 0.0, x, depth), (far_x, 0.0, half, depth), (x, 0.0, far_x, y), (x, far_y, far_x, depth))
    return [cuboid((a, b, low), (c, d, height), paint) for a, b, c, d in plates]


def _sink(style: Style, hole: tuple[float, float, float, float], height: float) -> Piece:
    """Basin with a rim in a hole of a worktop, and a tap behind it."""
    x, y, far_x, far_y = hole
    enamel, metal, middle = style.metal() if style.rng.random() < 0.6 else style.white(), style.metal(), (x + far_x) / 2
    bottom, rim = height - 0.18, 0.025
    parts = [cuboid((x, y, bottom), (far_x, far_y, height), enamel, ("+z",))]
    edges = [(x - rim, y - rim, far_x + rim, y), (x - rim, far_y, far_x + rim, far_y + rim)]
    edges += [(x - rim, y, x, far_y), (far_x, y, far_x + rim, far_y)]
    parts += [cuboid((a, b, height), (c, d, height + 0.008), enamel) for a, b, c, d in edges]
    parts.append(cylinder((middle, y - 0.05, height), 0.018, 0.24, metal))
    parts.append(cuboid((middle - 0.012, y - 0.05, height + 0.21), (middle + 0.012, y + 0.12, height + 0.235), metal))
    return piece(SINK, parts)


def kitchen_line(style: Style, width: float) -> list[Piece]:
    """A counter with a sink in it, base cabinets below it, and wall cabinets above, perhaps as one instance."""
    rng, depth, height = style.rng, 0.62, 0.9
    center = rng.uniform(-0.25, 0.25) * width
    hole = (center - 0.25, 0.14, center + 0.25, 0.5)
    body, half = style.furniture(), width / 2
    counter = piece(COUNTER, _worktop(width, depth, height, hole, style.furniture()))
    splash = cuboid((-half, 0.0, height), (half, 0.015, height + 0.1), counter.mesh.paint[0])
    pieces = [piece(COUNTER, [counter.mesh, splash]), _sink(style, hole, height)]
    count, cabinets = 1 if width < 1.4 else 2, []
    for i in range(count):
        each, x = width / count, -half + (i + 0.5) * width / count
        shell = cuboid((-each / 2, 0.0, 0.08), (each / 2, 0.57, height - 0.04), body, ("+z", "-z"))
        cabinets.append(piece(CABINET, [shell, *_fronts(style, each, 0.57, 0.08, height - 0.045)]).placed(x))
    if rng.random() < 0.75:
        high = rng.uniform(0.55, 0.8)
        shell = cuboid((-half, 0.0, 0.0), (half, 0.33, high), body)
        cabinets.append(piece(CABINET, [shell, *_fronts(style, width, 0.33, 0.0, high)]).placed(z=1.42))
    return [*pieces, *(united(cabinets) if rng.random() < 0.5 else cabinets)]
