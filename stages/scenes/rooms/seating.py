"""Chairs, armchairs, sofas, beds, and what lies on them."""

from __future__ import annotations

import numpy as np

from stages.scenes.rooms.pieces import BED, CHAIR, CLUTTER, OTHER, SOFA, Piece, piece
from stages.scenes.rooms.shapes import Mesh, Paint, block, cuboid, cushion, cylinder
from stages.scenes.rooms.style import Style


def legs(width: float, depth: float, height: float, thickness: float, paint: Paint) -> list[Mesh]:
    """Four legs at the corners of a footprint centred at x = 0 with its back at y = 0."""
    inset = thickness / 2
    return [
        block((x, y, 0.0), (thickness, thickness, height), paint)
        for x in (inset - width / 2, width / 2 - inset)
        for y in (inset, depth - inset)
    ]


def kitchen_chair(style: Style) -> Piece:
    """Four legs, a seat, two posts and a back with slats or a panel."""
    rng = style.rng
    width, depth, seat, top = (
        rng.uniform(0.40, 0.48),
        rng.uniform(0.42, 0.5),
        rng.uniform(0.43, 0.48),
        rng.uniform(0.8, 1),
    )
    frame, soft = style.wood(), style.fabric() if rng.random() < 0.5 else style.wood()
    parts = [*legs(width, depth, seat - 0.02, 0.04, frame)]
    parts.append(cushion((0.0, depth / 2, seat - 0.03), (width, depth, 0.06), soft, roundness=0.25))
    half = width / 2
    parts += [cuboid((x, 0.0, seat), (x + 0.035, 0.035, top), frame) for x in (-half, half - 0.035)]
    if rng.random() < 0.5:
        parts.append(cuboid((-half, 0.005, seat + 0.15), (half, 0.03, top), soft))
    else:
        rails = np.linspace(seat + 0.12, top - 0.07, 3)
        parts += [cuboid((-half, 0.008, z), (half, 0.028, z + 0.07), frame) for z in rails]
    return piece(CHAIR, parts)


def office_chair(style: Style) -> Piece:
    """A star of five feet, a column, a rounded seat and back, most with arms."""
    rng = style.rng
    dark, soft = style.dark(), style.fabric()
    width, depth, seat = rng.uniform(0.46, 0.54), rng.uniform(0.46, 0.52), rng.uniform(0.44, 0.52)
    center = depth / 2 + 0.05
    foot = cuboid((-0.025, 0.0, 0.04), (0.025, 0.3, 0.09), dark)
    wheel = cylinder((0.0, 0.28, 0.0), 0.03, 0.06, dark)
    turn = rng.uniform(0.0, 2)
    parts = [part.placed(0.0, center, yaw=turn + i * 2 * np.pi / 5) for i in range(5) for part in (foot, wheel)]
    parts.append(cylinder((0.0, center, 0.06), 0.03, seat - 0.06, style.metal()))
    parts.append(cushion((0.0, center, seat - 0.02), (width, depth, 0.1), soft, roundness=0.45))
    parts.append(cuboid((-0.04, 0.0, seat), (0.04, 0.03, seat + 0.25), dark))
    parts.append(cushion((0.0, 0.05, seat + 0.12), (width - 0.04, 0.09, rng.uniform(0.4, 0.6)), soft, roundness=0.45))
    if rng.random() < 0.7:
        for x in (-width / 2, width / 2):
            parts.append(block((x, center, seat), (0.03, 0.05, 0.2), dark))
            parts.append(block((x, center, seat + 0.2), (0.06, 0.26, 0.03), dark))
    return piece(CHAIR, parts)


def _upholstery(style: Style, width: float, depth: float, seats: int, arm: float) -> list[Mesh]:
    """Base, back, arms and seat cushions of a seat against y = 0."""
    rng = style.rng
    cover = style.fabric()
    seat, top, back, half = rng.uniform(0.38, 0.44), rng.uniform(0.72, 0.9), 0.2, width / 2
    parts = [
        cuboid((-half, 0.0, 0.08), (half, depth, seat - 0.12), cover),
        *legs(width, depth, 0.08, 0.06, style.dark()),
    ]
    parts.append(cushion((0.0, back / 2, 0.1), (width, back, top - 0.1), cover, roundness=0.3))
    parts += [
        cushion((x, depth / 2, 0.1), (arm, depth, seat + 0.08), cover, roundness=0.3)
        for x in (arm / 2 - half, half - arm / 2)
    ]
    each = (width - 2 * arm) / seats
    for i in range(seats):
        x = -half + arm + (i + 0.5) * each
        parts.append(
            cushion(
                (x, (depth + back) / 2 - 0.02, seat - 0.14), (each, depth - back + 0.03, 0.17), cover, roundness=0.3
            )
        )
        parts.append(cushion((x, back + 0.05, seat), (each, 0.16, top - seat - 0.05), cover, roundness=0.45))
    return parts


def armchair(style: Style) -> Piece:
    """An upholstered chair with arms, about 0.85 m wide."""
    return piece(CHAIR, _upholstery(style, style.rng.uniform(0.75, 0.95), style.rng.uniform(0.75, 0.9), 1, 0.16))


def sofa(style: Style, width: float, depth: float, chaise: float = 0.0) -> Piece:
    """A sofa; ``chaise`` metres of one seat reach further into the room (an L)."""
    parts = _upholstery(style, width, depth, 2 if width < 1.8 else 3, 0.18)
    if chaise > 0:
        cover = parts[0].paint[0]
        low = width / 2 - 0.75
        parts.append(cuboid((low, depth - 0.02, 0.08), (width / 2, depth + chaise, 0.28), cover))
        parts.append(
            cushion((low + 0.375, depth + chaise / 2 - 0.02, 0.25), (0.75, chaise, 0.17), cover, roundness=0.25)
        )
    return piece(SOFA, parts)


def loose_cushion(style: Style) -> Piece:
    """A throw cushion that leans on a back at y = 0; annotated or not, as people do it."""
    size = style.rng.uniform(0.35, 0.5)
    shape = cushion((0.0, 0.07, 0.0), (size, 0.14, size), style.fabric(), roundness=0.6)
    return Piece(OTHER if style.rng.random() < 0.35 else CLUTTER, shape)


def bed(style: Style, width: float, length: float) -> list[Piece]:
    """Frame with headboard at y = 0, mattress and blanket; pillows apart, which nobody annotated."""
    rng = style.rng
    frame, half, top = style.furniture(), width / 2, rng.uniform(0.42, 0.55)
    parts = [cuboid((-half, 0.0, 0.0), (half, 0.05, rng.uniform(0.8, 1.15)), frame)]
    parts.append(cuboid((-half, 0.05, 0.12), (half, length, top - 0.2), frame))
    parts += legs(width, length, 0.12, 0.08, frame)
    parts.append(
        cushion(
            (0.0, length / 2 + 0.02, top - 0.22), (width - 0.04, length - 0.06, 0.22), style.white(), roundness=0.15
        )
    )
    start = rng.uniform(0.45, 0.7)
    size = (width + 0.05, length - start, 0.34)
    parts.append(
        cushion((rng.normal(0.0, 0.02), (length + start) / 2 + 0.02, top - 0.3), size, style.fabric(), roundness=0.18)
    )
    count = 1 if width < 1.2 else 2
    pillows = [
        cushion(
            ((i - (count - 1) / 2) * width / count, 0.3, top - 0.03), (0.6, 0.4, 0.16), style.white(), roundness=0.7
        )
        for i in range(count)
    ]
    return [piece(BED, parts), *(Piece(CLUTTER, pillow) for pillow in pillows)]
