"""A piece: one thing in a room, with its NYU40 class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.scenes.rooms.shapes import Mesh, join

CLUTTER, WALL, FLOOR, CABINET, BED, CHAIR, SOFA, TABLE, DOOR, WINDOW, BOOKSHELF, PICTURE, COUNTER = range(13)
DESK, CURTAIN, REFRIGERATOR, SINK, OTHER = 14, 16, 24, 34, 39
"""NYU40 ids; 0 stands for things that nobody annotated"""


@dataclass(frozen=True, eq=False)
class Piece:
    """One thing: an instance if its class is one of ScanNet's 18, else background (wall, floor) or clutter."""

    semantic: int
    """NYU40 id, 0 for clutter"""
    mesh: Mesh

    def placed(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Piece:
        """This piece turned about z (radians) and then moved (metres)."""
        return Piece(self.semantic, self.mesh.placed(x, y, z, yaw))


def piece(semantic: int, meshes: Iterable[Mesh]) -> Piece:
    """A piece of at least one mesh."""
    return Piece(semantic, join(meshes))


def united(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of one class as a single one: annotators often take a row of cabinets for one thing."""
    return [piece(pieces[0].semantic, (part.mesh for part in pieces))]
