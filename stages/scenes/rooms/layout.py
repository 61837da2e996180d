"""Where things stand: along walls or anywhere, so that no two groups of furniture claim the same space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stages.scenes.rooms import fixtures, groups
from stages.scenes.rooms.groups import Group
from stages.scenes.rooms.pieces import DOOR, FLOOR, WALL, WINDOW, Piece
from stages.scenes.rooms.shapes import cuboid, wall
from stages.scenes.rooms.style import Style
from stages.typing import Float64

_WALL_GAP = 0.003
_TRIES = 40

Maker = Callable[[Style], Group]

_ROOM_KINDS: tuple[tuple[tuple[Maker, ...], tuple[Maker, ...]], ...] = (
    (
        (groups.bed_group, groups.cabinet_group, groups.desk_group),
        (groups.sofa_group, groups.cabinet_group, groups.reading_group, groups.loose_group, groups.media_group),
    ),
    (
        (groups.sofa_group, groups.media_group, groups.dining_group),
        (groups.sofa_group, groups.dining_group, groups.shelf_group, groups.cabinet_group, groups.loose_group),
    ),
    (
        (groups.desk_group, groups.dining_group, groups.shelf_group),
        (groups.desk_group, groups.cabinet_group, groups.sofa_group, groups.loose_group, groups.dining_group),
    ),
    (
        (groups.kitchen_group, groups.dining_group, groups.cabinet_group),
        (groups.cabinet_group, groups.dining_group, groups.loose_group, groups.sofa_group),
    ),
    (
        (groups.kitchen_group, groups.bed_group, groups.sofa_group, groups.desk_group),
        (groups.cabinet_group, groups.shelf_group, groups.dining_group, groups.sofa_group, groups.loose_group),
    ),
)
"""bedroom, living room, office, kitchen, studio: what each starts with, and what else it may hold"""


@dataclass(frozen=True, eq=False)
class Claim:
    """An upright cuboid of space, turned about z, that one group occupies."""

    center: Float64[np.ndarray, " 2"]
    half: Float64[np.ndarray, " 2"]
    yaw: float
    low: float
    high: float

    def axes(self) -> Float64[np.ndarray, "2 2"]:
        """Its two directions in the floor plane, as rows."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cosine, sine], [-sine, cosine]])

    def reach(self, directions: Float64[np.ndarray, "A 2"]) -> Float64[np.ndarray, " A"]:
        """Half of its extent along each direction, in metres."""
        along: Float64[np.ndarray, " A"] = np.abs(directions @ self.axes().T) @ self.half
        return along

    def meets(self, other: Claim) -> bool:
        """Whether the two share space (separating axes in the plane, intervals in height)."""
        if self.low >= other.high or other.low >= self.high:
            return False
        directions = np.concatenate([self.axes(), other.axes()])
        distance = np.abs(directions @ (other.center - self.center))
        return bool((distance < self.reach(directions) + other.reach(directions)).all())


@dataclass(eq=False)
class Room:
    """A rectangular room, x in [0, width], y in [0, depth], floor at z = 0, and what stands in it so far."""

    width: float
    depth: float
    height: float
    pieces: list[Piece] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def wall_frame(self, side: int) -> tuple[float, float, float, float]:
        """x, y, yaw of the frame of wall 0 to 3 (south, east, north, west) and its length."""
        corner = ((0.0, 0.0), (self.width, 0.0), (self.width, self.depth), (0.0, self.depth))[side]
        return (*corner, side * np.pi / 2, self.depth if side % 2 else self.width)

    def add(self, group: Group, x: float, y: float, yaw: float) -> bool:
        """Places the group with the middle of its back at (x, y) if its space is free and inside the room."""
        forward = np.array([-np.sin(yaw), np.cos(yaw)])
        center = np.array([x, y]) + forward * group.depth / 2
        half = np.array([group.width, group.depth]) / 2
        claim = Claim(center, half, yaw, group.low, group.low + group.height)
        reach = claim.reach(np.eye(2))
        if (center < reach).any() or (center > np.array([self.width, self.depth]) - reach).any():
            return False
        if any(claim.meets(other) for other in self.claims):
            return False
        placed = [part.placed(x, y, 0.0, yaw) for part in group.pieces]
        if not all(self._holds(part) for part in placed):
            return False
        self.claims.append(claim)
        self.pieces += placed
        return True

    def _holds(self, part: Piece) -> bool:
        """Whether no part of a piece reaches through a wall; what is let into one may."""
        corners = part.mesh.triangles[..., :2]
        inside = (corners >= 0).all() and (corners <= np.array([self.width, self.depth])).all()
        return bool(inside) or part.semantic in {DOOR, WINDOW}

    def add_at_wall(
        self, group: Group, rng: np.random.Generator, gap: float = _WALL_GAP, skew: float = 0.0
    ) -> tuple[int, float] | None:
        """Tries places along the walls, corners first; returns the side and the place along it, or None.

        A skew turns the group (radians) and moves it off the wall so far that its back just clears the gap."""
        for attempt in range(_TRIES):
            side = int(rng.integers(4))
            x, y, yaw, length = self.wall_frame(side)
            width = group.width * np.cos(skew) + 2 * group.depth * abs(np.sin(skew))
            slack = length - width - 0.02
            if slack < 0:
                continue
            share = float(rng.integers(2)) if attempt < _TRIES // 4 else rng.random()
            along = 0.01 + width / 2 + share * slack
            place = np.array([x, y]) + along * np.array([np.cos(yaw), np.sin(yaw)])
            off = gap + group.width / 2 * abs(np.sin(skew))
            place += off * np.array([-np.sin(yaw), np.cos(yaw)])
            if self.add(group, place[0], place[1], yaw + skew):
                return side, along
        return None

    def add_free(self, group: Group, rng: np.random.Generator) -> bool:
        """Tries places anywhere, in two of three cases turned by any angle."""
        aligned = rng.random() < 1 / 3
        for _ in range(_TRIES):
            yaw = rng.integers(4) * np.pi / 2 if aligned else rng.uniform(0, 2 * np.pi)
            if self.add(group, rng.uniform(0, self.width), rng.uniform(0, self.depth), float(yaw)):
                return True
        return False


def _add_fixtures(room: Room, style: Style) -> None:
    """Doors and windows, and the walls around them."""
    rng = style.rng
    holes: list[list[tuple[float, float, float, float]]] = [[], [], [], []]
    wanted = [fixtures.door_opening] * int(rng.choice([1, 1, 2])) + [fixtures.window_opening] * int(
        rng.choice([1, 2, 2])
    )
    for make in wanted:
        opening = make(style, room.height)
        found = room.add_at_wall(opening.group, rng, gap=0.0)
        if found is not None:
            side, along = found
            half = opening.width / 2
            holes[side].append((along - half, opening.low, along + half, opening.high))
    paint = style.plaster()
    for side in range(4):
        x, y, yaw, length = room.wall_frame(side)
        room.pieces.append(Piece(WALL, wall(length, room.height, holes[side], paint)).placed(x, y, 0.0, yaw))
    flat = ("-x", "+x", "-y", "+y", "+z")
    room.pieces.append(Piece(FLOOR, cuboid((0.0, 0.0, 0.0), (room.width, room.depth, 1.0), style.flooring(), flat)))


def _stands(room: Room, group: Group, rng: np.random.Generator) -> bool:
    """Adds a group: at a wall, half of them somewhat askew, or, three in ten, anywhere; returns whether it fits."""
    if group.free or rng.random() < 0.3:
        return room.add_free(group, rng)
    skew = rng.normal(0.0, 0.2) if rng.random() < 0.5 else 0.0
    return room.add_at_wall(group, rng, skew=float(skew)) is not None


def furnish(rng: np.random.Generator, minimum_side: float, maximum_side: float, density: float) -> Room:
    """A furnished room.

    Args:
        rng: all choices come from it.
        minimum_side: of the two sides of the floor, metres.
        maximum_side: metres.
        density: groups of furniture per 1.5 m² of floor that are tried; what finds no space is left out.
    """
    style = Style(rng)
    width, depth = rng.uniform(minimum_side, maximum_side, 2)
    room = Room(float(width), float(depth), float(rng.uniform(2.2, 2.5)))
    _add_fixtures(room, style)
    first, extra = _ROOM_KINDS[int(rng.integers(len(_ROOM_KINDS)))]
    count = max(1, round(density * room.width * room.depth / 1.5)) if density > 0 else 0
    for i in range(count):
        make = first[i] if i < len(first) else extra[int(rng.integers(len(extra)))]
        for _ in range(3):  # a smaller or larger one may fit where the first does not
            if _stands(room, make(style), rng):
                break
    for _ in range(int(rng.integers(0, 3)) if density > 0 else 0):
        room.add_at_wall(fixtures.picture_group(style), rng, gap=0.0)
    return room
