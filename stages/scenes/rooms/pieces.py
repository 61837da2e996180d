"""A piece: one thing in a room, with its NYU40 class."""

from __future__ import annotations

from collections.abc import Iterable
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
