"""What hangs on a wall or is let into it: doors, windows with curtains, pictures."""

from __future__ import annotations

from dataclasses import dataclass

from stages.scenes.rooms import openings
from stages.scenes.rooms.groups import Group
from stages.scenes.rooms.style import Style


@dataclass(frozen=True, eq=False)
class Opening:
    """A group and the rectangle that it cuts out of its wall, relative to the group's middle."""

    group: Group
    width: float
    low: float
    high: float


def door_opening(style: Style, room_height: float) -> Opening:
    """A door; its group keeps the floor before it free."""
    width, height = style.rng.uniform(0.85, 1.05), min(style.rng.uniform(1.95, 2.1), room_height - 0.1)
    return Opening(Group([openings.door(style, width, height)], width + 0.1, 0.95, height), width, 0.0, height)


def window_opening(style: Style, room_height: float) -> Opening:
    """A window, with curtains in one case of three."""
    rng = style.rng
    width, low = rng.uniform(0.8, 1.9), rng.uniform(0.8, 1.0)
    high = min(low + rng.uniform(1.0, 1.3), room_height - 0.25)
    pieces, bottom = [openings.window(style, width, low, high)], low
    if rng.random() < 1 / 3:
        bottom = float(rng.choice([0.05, low - 0.15]))
        pieces += openings.curtains(style, width, high + 0.12, bottom)
    return Opening(Group(pieces, width + 0.25, 0.2, high + 0.15 - bottom, low=bottom), width, low, high)


def picture_group(style: Style) -> Group:
    """A picture at eye level."""
    rng = style.rng
    width, height, low = rng.uniform(0.3, 1.0), rng.uniform(0.3, 0.7), rng.uniform(1.25, 1.5)
    return Group([openings.picture(style, width, height).placed(z=low)], width + 0.05, 0.05, height, low=low)
