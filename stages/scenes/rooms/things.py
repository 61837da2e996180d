"""Small things: monitors, lamps, bins, boxes, bags, plants; annotated as other furniture or clutter."""

from __future__ import annotations

import numpy as np

from stages.scenes.rooms.pieces import CLUTTER, OTHER, Piece, piece
from stages.scenes.rooms.shapes import Mesh, block, cuboid, cushion, cylinder, join
from stages.scenes.rooms.style import Style


def monitor(style: Style, width: float) -> Piece:
    """A flat screen on a foot, its back at y = 0, looking towards +y; clutter, as lamps are: none of the 18 classes."""
    dark, height = style.dark(), width * 0.6
    screen = cuboid((-width / 2, 0.05, 0.1), (width / 2, 0.09, 0.1 + height), dark)
    pane = cuboid((-width / 2 + 0.02, 0.09, 0.12), (width / 2 - 0.02, 0.092, 0.08 + height), style.glass())
    return piece(
        CLUTTER,
        [
            block((0.0, 0.08, 0.0), (width * 0.4, 0.16, 0.015), dark),
            block((0.0, 0.04, 0.0), (0.05, 0.02, 0.3), dark),
            screen,
            pane,
        ],
    )


def table_lamp(style: Style) -> Piece:
    """A foot, a stem and a shade, about 0.45 m tall, centred at the origin."""
    height, metal = style.rng.uniform(0.35, 0.55), style.metal()
    shade = cylinder((0.0, 0.0, height - 0.2), style.rng.uniform(0.11, 0.16), 0.2, style.white(), top_radius=0.08)
    return piece(
        CLUTTER,
        [cylinder((0.0, 0.0, 0.0), 0.08, 0.02, metal), cylinder((0.0, 0.0, 0.0), 0.012, height - 0.1, metal), shade],
    )


def floor_lamp(style: Style) -> Piece:
    """A lamp of 1.4 to 1.8 m, centred at the origin."""
    height, metal = style.rng.uniform(1.4, 1.8), style.metal()
    shade = cylinder((0.0, 0.0, height - 0.28), 0.22, 0.28, style.white(), top_radius=0.15)
    return piece(
        CLUTTER,
        [cylinder((0.0, 0.0, 0.0), 0.15, 0.025, metal), cylinder((0.0, 0.0, 0.0), 0.015, height - 0.1, metal), shade],
    )


def bin_(style: Style) -> Piece:
    """A waste bin without lid, centred at the origin."""
    height = style.rng.uniform(0.28, 0.45)
    low, high = style.rng.uniform(0.1, 0.13), style.rng.uniform(0.13, 0.17)
    paint = style.dark() if style.rng.random() < 0.6 else style.metal()
    body = cylinder((0.0, 0.0, 0.0), low, height, paint, top_radius=high)
    inside = cylinder((0.0, 0.0, 0.02), low - 0.01, height - 0.019, style.white(), top_radius=high - 0.01)
    return piece(OTHER, [body, inside])


def plant(style: Style) -> Piece:
    """A pot with round leaves, centred at the origin; one in two is annotated."""
    rng = style.rng
    pot = cylinder((0.0, 0.0, 0.0), 0.12, 0.26, style.bright(), top_radius=0.16)
    leaves = []
    for _ in range(rng.integers(7, 12)):
        angle, reach, z = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.02, 0.2), rng.uniform(0.26, 0.85)
        green = np.array([rng.uniform(0.12, 0.3), rng.uniform(0.35, 0.55), rng.uniform(0.1, 0.2), 9.0, 9.0, 5.0, 0.15])
        size = rng.uniform(0.1, 0.22, 3) * np.array([1, 1, 0.8])
        leaves.append(cushion((reach * np.cos(angle), reach * np.sin(angle), z), size, green, roundness=1.0))
    return piece(OTHER if rng.random() < 0.5 else CLUTTER, [pot, *leaves])


def carton(style: Style, largest: float = 0.5) -> Piece:
    """A box or a stack of two, slightly turned, centred at the origin; one in four is annotated."""
    rng = style.rng
    size = rng.uniform(0.4, 1.0, 3) * largest
    boxes = [
        block((0.0, 0.0, 0.0), size, style.wood() if rng.random() < 0.6 else style.bright()).placed(
            yaw=rng.uniform(0.0, 3)
        )
    ]
    if rng.random() < 0.3:
        upper = block((0.0, 0.0, 0.0), size * rng.uniform(0.6, 0.9), style.bright())
        boxes.append(upper.placed(z=float(size[2]), yaw=rng.uniform(0.0, 3)))
    return Piece(OTHER if rng.random() < 0.25 else CLUTTER, join(boxes))


def bag(style: Style) -> Piece:
    """A rucksack or a bag, centred at the origin: clutter."""
    rng = style.rng
    size = (rng.uniform(0.28, 0.42), rng.uniform(0.16, 0.28), rng.uniform(0.25, 0.45))
    body = cushion((0.0, 0.0, 0.0), size, style.fabric(), roundness=0.55)
    pocket = cushion((0.0, size[1] / 2, 0.03), (size[0] * 0.7, 0.1, size[2] * 0.5), style.fabric(), roundness=0.5)
    return piece(CLUTTER, [body, pocket])


def blanket(style: Style, width: float, depth: float) -> Piece:
    """A crumpled blanket or coat, at most ``width`` x ``depth`` metres, centred at the origin: clutter."""
    rng = style.rng
    parts, cloth = [], style.fabric()
    for _ in range(3):
        size = (*(rng.uniform(0.5, 0.8, 2) * (width, depth)), rng.uniform(0.05, 0.16))
        place = (rng.uniform(-0.1, 0.1) * width, rng.uniform(-0.1, 0.1) * depth, 0.0)
        parts.append(cushion(place, size, cloth, roundness=0.7))
    return piece(CLUTTER, parts)


def cable(style: Style, length: float) -> Piece:
    """A cable on the floor: links that wander along x from the origin, ``length`` metres in all: clutter."""
    x, y, yaw, step, links, paint = 0.0, 0.0, 0.0, 0.1, list[Mesh](), style.dark()
    for _ in range(round(length / step)):
        links.append(cuboid((0.0, -0.01, 0.0), (step, 0.01, 0.02), paint).placed(x, y, yaw=yaw))
        x, y, yaw = x + step * np.cos(yaw), y + step * np.sin(yaw), yaw + style.rng.normal(0.0, 0.5)
    return piece(CLUTTER, links)


def floor_clutter(style: Style) -> Piece:
    """Something on the floor that nobody annotated: books, shoes, a bag, a box, a cable; centred at the origin."""
    rng = style.rng
    kind = rng.integers(5)
    if kind == 0:
        books = [block((0.0, 0.0, 0.04 * i), (0.2, 0.28, 0.035), style.bright()) for i in range(rng.integers(2, 7))]
        return piece(CLUTTER, [book.placed(yaw=rng.normal(0.0, 0.2)) for book in books])
    if kind == 1:
        leather = style.fabric()
        shoes = [cushion((x, 0.0, 0.0), (0.1, 0.28, 0.11), leather, roundness=0.6) for x in (-0.08, 0.08)]
        return piece(CLUTTER, [shoe.placed(yaw=rng.normal(0.0, 0.3)) for shoe in shoes])
    if kind == 2:
        return bag(style)
    if kind == 3:
        size = rng.uniform(0.15, 0.4, 3)
        return piece(CLUTTER, [block((0.0, 0.0, 0.0), size, style.wood()).placed(yaw=rng.uniform(0.0, 3))])
    return cable(style, rng.uniform(0.5, 1.2))


def tabletop(style: Style) -> Piece:
    """Something small that nobody annotated: a mug, a stack of paper, a laptop, a bowl; centred at the origin."""
    rng = style.rng
    kind = rng.integers(4)
    if kind == 0:
        return piece(CLUTTER, [cylinder((0.0, 0.0, 0.0), 0.04, 0.1, style.bright())])
    if kind == 1:
        sheets = block((0.0, 0.0, 0.0), (0.21, 0.3, rng.uniform(0.02, 0.12)), style.white())
        return piece(CLUTTER, [sheets.placed(yaw=rng.uniform(0.0, 3))])
    if kind == 2:
        base, lid = (
            block((0.0, 0.0, 0.0), (0.33, 0.23, 0.02), style.metal()),
            block((0.0, -0.12, 0.0), (0.33, 0.015, 0.22), style.dark()),
        )
        return piece(CLUTTER, [base, lid])
    return piece(CLUTTER, [cylinder((0.0, 0.0, 0.0), 0.07, 0.08, style.bright(), top_radius=0.14)])
