"""Arrangements: furniture that stands together, such as a desk with its chair and what is on it.

A group has its footprint x in [-width / 2, width / 2], y in [0, depth]; groups for walls have their back at y = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.scenes.rooms import seating, storage, tables, things
from stages.scenes.rooms.pieces import CLUTTER, Piece, united
from stages.scenes.rooms.shapes import cuboid
from stages.scenes.rooms.style import Style


@dataclass(frozen=True, eq=False)
class Group:
    """Pieces and the cuboid that they claim; ``free`` groups may stand anywhere, others have their back to a wall."""

    pieces: list[Piece]
    width: float
    depth: float
    height: float
    low: float = 0.0
    free: bool = False


def _on_top(style: Style, width: float, depth: float, height: float, count: int) -> list[Piece]:
    """Small things on a top of the given size."""
    rng = style.rng
    return [
        things.tabletop(style).placed(
            rng.uniform(-0.4, 0.4) * width, rng.uniform(0.25, 0.75) * depth, height, rng.uniform(0.0, 6)
        )
        for _ in range(count)
    ]


def _on_floor(style: Style, width: float, depth: float, count: int) -> list[Piece]:
    """Clutter on the floor under something of the given size."""
    rng = style.rng
    return [
        things.floor_clutter(style).placed(
            rng.uniform(-0.4, 0.4) * width, rng.uniform(0.25, 0.75) * depth, yaw=rng.uniform(0.0, 6)
        )
        for _ in range(count)
    ]


def _seated(style: Style, chair: Piece, x: float, y: float, yaw: float) -> Piece:
    """A chair whose seat has its middle at (x, y): most look along ``yaw``, one in four anywhere."""
    rng = style.rng
    turn = yaw + rng.normal(0.0, 0.35) if rng.random() < 0.75 else rng.uniform(0.0, 2 * np.pi)
    return chair.placed(y=-0.26).placed(x, y, yaw=float(turn))


def _decoration(style: Style, width: float, depth: float, height: float) -> list[Piece]:
    """Perhaps a lamp, a plant or a carton on a cabinet, and some clutter."""
    rng = style.rng
    pieces = _on_top(style, width, depth, height, int(rng.integers(1, 5)))
    if rng.random() < 0.6:
        make: Callable[[Style], Piece] = (things.table_lamp, things.plant, things.carton)[int(rng.integers(3))]
        pieces.append(make(style).placed(rng.uniform(-0.2, 0.2) * width, depth / 2, height))
    return pieces


def desk_group(style: Style) -> Group:
    """A desk with a chair tucked under it, monitors, clutter, and a bin or bag below."""
    rng = style.rng
    width, depth, height = rng.uniform(1.1, 1.8), rng.uniform(0.6, 0.8), rng.uniform(0.72, 0.77)
    wing = rng.uniform(0.5, 0.9) if rng.random() < 0.35 else 0.0
    pieces = [tables.desk(style, width, depth, height, wing)]
    count = int(rng.choice([0, 1, 1, 2]))
    size = rng.uniform(0.42, 0.58)
    for i in range(count):
        x = (i - (count - 1) / 2) * (size + 0.05)
        pieces.append(things.monitor(style, size).placed(x, 0.1, height, rng.normal(0.0, 0.12)))
    if count:
        keys = cuboid((-0.21, depth - 0.25, height), (0.21, depth - 0.1, height + 0.02), style.dark())
        pieces.append(Piece(CLUTTER, keys))
    pieces += _on_top(style, width, depth, height, int(rng.integers(3, 8)))
    make = seating.office_chair if rng.random() < 0.7 else seating.kitchen_chair
    pieces.append(_seated(style, make(style), rng.normal(0.0, 0.1), depth + rng.uniform(-0.25, 0.2), np.pi))
    pieces += _on_floor(style, width * 0.7, depth, int(rng.integers(1, 5)))
    if rng.random() < 0.65:
        low = things.bin_(style) if rng.random() < 0.6 else things.bag(style)
        pieces.append(low.placed(rng.choice([-0.3, 0.3]) * width, 0.35))
    if rng.random() < 0.2:
        pieces.append(things.table_lamp(style).placed(rng.choice([-0.42, 0.42]) * width, 0.2, height))
    return Group(pieces, width, depth + max(0.35, wing), 1.3)


def _seats(width: float, depth: float, is_round: bool, turn: float) -> list[tuple[float, float, float]]:
    """Where the edge of a table (y from 0) can be sat at: x, y, yaw of somebody who looks at its middle."""
    if is_round:
        angles = np.arange(4) * np.pi / 2 + turn
        rim = width / 2
        return [(rim * np.cos(a), rim + rim * np.sin(a), a + np.pi / 2) for a in angles.tolist()]
    count = max(1, int(width / 0.6))
    along = [(i + 0.5) * width / count - width / 2 for i in range(count)]
    ends = [(-width / 2, depth / 2, -np.pi / 2), (width / 2, depth / 2, np.pi / 2)]
    return [seat for x in along for seat in ((x, 0.0, 0.0), (x, depth, np.pi))] + ends


def dining_group(style: Style) -> Group:
    """A table with chairs of one kind around it, most of them pushed under it, and clutter below."""
    rng, margin = style.rng, 0.25
    height, is_round = rng.uniform(0.71, 0.77), rng.random() < 0.3
    width = rng.uniform(0.9, 1.4) if is_round else rng.uniform(1.2, 2.2)
    depth = width if is_round else rng.uniform(0.8, 1.1)
    top = tables.round_table(style, width, height) if is_round else tables.table(style, width, depth, height)
    pieces = [top.placed(0.0, margin)]
    chair = seating.kitchen_chair(style)
    for x, y, yaw in _seats(width, depth, is_round, rng.uniform(0.0, 1.5)):
        if rng.random() < 0.5:
            out = rng.uniform(-0.2, 0.15)
            pieces.append(_seated(style, chair, x + np.sin(yaw) * out, margin + y - np.cos(yaw) * out, yaw))
    scattered = _on_top(style, width * 0.7, depth, height, int(rng.integers(4, 10)))
    scattered += _on_floor(style, width * 0.7, depth, int(rng.integers(1, 5)))
    pieces += [thing.placed(0.0, margin) for thing in scattered]
    return Group(pieces, width + 2 * margin, depth + 2 * margin, 1.0, free=True)


def sofa_group(style: Style) -> Group:
    """A sofa, straight or L-shaped, with cushions, a coffee table before it and perhaps a rug."""
    rng = style.rng
    width, depth = rng.uniform(1.6, 2.6), rng.uniform(0.8, 1.0)
    chaise = rng.uniform(0.6, 1.0) if width > 1.8 and rng.random() < 0.6 else 0.0
    pieces = [seating.sofa(style, width, depth, chaise)]
    for x in np.linspace(-0.35, 0.35, 4)[rng.random(4) < 0.7] * width:
        pieces.append(seating.loose_cushion(style).placed(float(x), 0.3, 0.42, rng.normal(0.0, 0.4)))
    if rng.random() < 0.5:
        x, yaw = rng.uniform(-0.3, 0.3) * width, rng.uniform(0.0, 3)
        pieces.append(things.blanket(style, 0.8, 0.6).placed(x, depth * 0.6, 0.41, yaw))
    if rng.random() < 0.3:
        pieces.append(things.bag(style).placed(rng.uniform(-0.3, 0.3) * width, depth * 0.6, 0.42, rng.uniform(0.0, 6)))
    height, reach = rng.uniform(0.32, 0.45), depth
    if rng.random() < 0.8:
        size = rng.uniform(0.6, 1.0)
        low = (
            tables.round_table(style, size * 0.8, height)
            if rng.random() < 0.3
            else tables.table(style, size, 0.5, height)
        )
        x, y = -0.375 if chaise else rng.normal(0.0, 0.1), depth + rng.uniform(0.0, 0.2)
        pieces.append(low.placed(x, y, yaw=rng.normal(0.0, 0.2)))
        scattered = _on_top(style, size * 0.6, 0.5, height, int(rng.integers(1, 5)))
        scattered += _on_floor(style, size, 0.5, int(rng.integers(1, 4)))
        pieces += [thing.placed(x, y) for thing in scattered]
        reach = depth + 0.6
    if rng.random() < 0.5:
        rug = cuboid((-width / 2, depth - 0.1, 0.0), (width / 2, depth + 0.85, 0.012), style.fabric())
        pieces.append(Piece(CLUTTER, rug))
    return Group(pieces, width, max(reach, depth + chaise), 1.0)


def bed_group(style: Style) -> Group:
    """A bed with a nightstand or two that touch it, and lamps."""
    rng = style.rng
    width, length = float(rng.choice([1.05, 1.5, 1.8])), rng.uniform(1.95, 2.1)
    pieces = seating.bed(style, width, length)
    stand_width, stand_height = rng.uniform(0.38, 0.5), rng.uniform(0.45, 0.6)
    stand = storage.cabinet(style, stand_width, 0.4, stand_height)
    for side in (-1, 1):
        if rng.random() < 0.75:
            x = side * (width / 2 + stand_width / 2 + rng.uniform(-0.01, 0.03))
            pieces.append(stand.placed(x, 0.02))
            if rng.random() < 0.6:
                pieces.append(things.table_lamp(style).placed(x, 0.2, stand_height))
            pieces += [thing.placed(x) for thing in _on_top(style, 0.2, 0.4, stand_height, int(rng.integers(0, 2)))]
    for _ in range(rng.integers(0, 3)):
        pieces.append(seating.loose_cushion(style).placed(rng.normal(0.0, 0.2), 0.5, 0.48, rng.normal(0.0, 0.4)))
    for _ in range(rng.integers(0, 4)):
        lying = things.bag(style) if rng.random() < 0.5 else things.carton(style, 0.4)
        pieces.append(lying.placed(rng.normal(0.0, 0.25), rng.uniform(0.8, 1.7), 0.5, rng.uniform(0.0, 6)))
    if rng.random() < 0.7:
        x, y = rng.uniform(-0.2, 0.2) * width, rng.uniform(0.9, 1.5)
        pieces.append(things.blanket(style, width, 0.9).placed(x, y, 0.5, rng.uniform(-0.5, 0.5)))
    return Group(pieces, width + 2 * stand_width, length, 1.15)


def shelf_group(style: Style) -> Group:
    """A bookshelf or two of the same kind side by side."""
    rng = style.rng
    width, depth, height = rng.uniform(0.7, 1.2), rng.uniform(0.26, 0.38), rng.uniform(0.9, 2.1)
    pieces = storage.bookshelf(style, width, depth, height)
    if height < 1.3:
        pieces += _decoration(style, width, depth, height)
    return Group(pieces, width, depth, max(height, 1.3))


def cabinet_group(style: Style) -> Group:
    """One to three cabinets in a row, often one instance; low ones carry things and may have another one above them."""
    rng = style.rng
    count, each = int(rng.choice([1, 2, 2, 3])), rng.uniform(0.5, 0.9)
    low = rng.random() < 0.6
    depth, even = rng.uniform(0.4, 0.6), rng.random() < 0.4
    heights = rng.uniform(0.7, 1.1, count) if low else rng.uniform(1.2, 2.0, count)
    heights = np.full(count, heights[0]) if even else heights
    cabinets, on_top = [], []
    for i, height in enumerate(heights.tolist()):
        x = (i - (count - 1) / 2) * each
        cabinets.append(
            storage.cabinet(style, each, depth * (1.0 if even else rng.uniform(0.6, 1.0)), height).placed(x)
        )
        if height < 1.2:
            on_top += [thing.placed(x) for thing in _decoration(style, each, depth, height)]
    if low and rng.random() < 0.5:
        hanging = storage.cabinet(style, count * each, rng.uniform(0.25, 0.35), rng.uniform(0.35, 0.55))
        cabinets.append(hanging.placed(z=1.35))
    pieces = [*(united(cabinets) if rng.random() < 0.75 else cabinets), *on_top]
    return Group(pieces, count * each, depth + 0.03, 1.9 if low else float(heights.max()))


def kitchen_group(style: Style) -> Group:
    """A counter with sink, base and wall cabinets, and a refrigerator at one end."""
    rng = style.rng
    width = rng.uniform(1.2, 2.4)
    pieces = storage.kitchen_line(style, width)
    pieces += _on_top(style, width, 0.5, 0.9, int(rng.integers(3, 8)))
    if rng.random() < 0.4:
        pieces.append(things.carton(style, 0.35).placed(-0.4 * width, 0.3, 0.9))
    extra = 0.0
    if rng.random() < 0.75:
        extra = 0.78
        pieces = [part.placed(-extra / 2) for part in pieces]
        pieces.append(storage.refrigerator(style).placed((width + 0.02) / 2))
    return Group(pieces, width + extra, 0.72, 2.2)


def media_group(style: Style) -> Group:
    """A low cabinet with a television on it."""
    rng = style.rng
    width, height = rng.uniform(1.1, 1.8), rng.uniform(0.4, 0.6)
    pieces = [storage.cabinet(style, width, 0.45, height)]
    pieces.append(things.monitor(style, rng.uniform(0.7, 0.9) * min(width, 1.3)).placed(0.0, 0.12, height))
    if rng.random() < 0.4:
        pieces.append(things.carton(style, 0.3).placed(0.42 * width, 0.22, height))
    return Group(pieces, width, 0.5, 1.4)


def reading_group(style: Style) -> Group:
    """An armchair with a side table or a lamp close by, anywhere in the room."""
    rng = style.rng
    pieces = [seating.armchair(style).placed(-0.2)]
    if rng.random() < 0.5:
        pieces.append(seating.loose_cushion(style).placed(-0.2, 0.3, 0.42, rng.normal(0.0, 0.2)))
    if rng.random() < 0.7:
        pieces.append(tables.round_table(style, rng.uniform(0.4, 0.5), rng.uniform(0.45, 0.6)).placed(0.42, 0.3))
    else:
        pieces.append(things.floor_lamp(style).placed(0.42, 0.15))
    return Group(pieces, 1.3, 0.9, 1.8, free=True)


def loose_group(style: Style) -> Group:
    """One or two things on the floor among clutter: cartons, bags, bins, plants, a spare chair."""
    rng = style.rng
    makers = (things.carton, things.bag, things.bin_, things.plant)
    pieces = [makers[int(rng.integers(len(makers)))](style).placed(0.0, 0.25, yaw=rng.uniform(0.0, 6))]
    pieces += _on_floor(style, 0.6, 0.6, int(rng.integers(1, 4)))
    if rng.random() < 0.4:
        pieces.append(_seated(style, seating.kitchen_chair(style), 0.1, 0.25, 0.0))
    return Group(pieces, 0.6, 0.6, 1.0, free=True)
