"""SoftGroup on S3DIS: one tuple a room."""

from __future__ import annotations

import numpy as np

from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.classes import S3DIS_SOFTGROUP
from stages.export.formats.s3dis import room_of, s3dis_at_points, s3dis_classes
from stages.export.parts import beside, colors, frame_facts, left_out, near_xyz, object_at_points, without_objects
from stages.export.scene import LabelledScene, color_from_minus_one

NOTHING = -100
FIRST_OBJECT = 1
ROOM_TYPES = (
    "conferenceRoom", "copyRoom", "hallway", "office", "pantry", "WC", "auditorium", "storage", "lounge", "lobby",
    "openspace",
)  # fmt: skip
"""SoftGroup's order of S3DIS's kinds of rooms"""


class SoftGroupS3dis(Format):
    """``preprocess/<Area_k_room>_inst_nostuff.pth``: (coords, colors, sem, inst, room_label, scene).

    Link ``preprocess`` to ``dataset/s3dis/preprocess``. coords: float32 [M, 3], raw frame, metres. colors: float32 in
    [-1, 1]. sem: int64 in SoftGroup's order of the 13 classes (chair 7, table 8, bookcase 9, sofa 10), -100 background
    and to be ignored. inst: int64 object + 1, -100 none. room_label: int64 [1], the kind of room, -1 for another one;
    its reader leaves that and the name aside.
    """

    name = "softgroup-s3dis"
    version = 1
    reader = "SoftGroup (S3DIS)"

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one room."""
        _, room = room_of(labelled)
        xyz, shift = near_xyz(labelled)
        semantic = s3dis_at_points(labelled, S3DIS_SOFTGROUP, nothing=NOTHING)
        owner = object_at_points(labelled)
        points = (
            xyz,
            color_from_minus_one(colors(labelled)),
            semantic,
            np.where(owner >= 0, owner + FIRST_OBJECT, NOTHING),
            np.array([_room_label(room)]),
            labelled.name,
        )
        files = {
            f"preprocess/{labelled.name}_inst_nostuff.pth": torch_bytes(points),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **left_out(labelled),
        }
        facts = {**frame_facts(labelled, shift), "classes": s3dis_classes(S3DIS_SOFTGROUP)}
        return Written(files, facts, without_objects(labelled))


def _room_label(room: str) -> int:
    kind = room.split("_", maxsplit=1)[0]
    return ROOM_TYPES.index(kind) if kind in ROOM_TYPES else -1
