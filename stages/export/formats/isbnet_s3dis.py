"""ISBNet on S3DIS: one tuple of four arrays a room, superpoints beside it."""

from __future__ import annotations

import numpy as np

from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.formats.s3dis import room_of, s3dis_at_points, s3dis_classes
from stages.export.parts import beside, colors, frame_facts, left_out, near_xyz, object_at_points, without_objects
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13

NOTHING = -100


class IsbnetS3dis(Format):
    """``preprocess/<Area_k_room>_inst_nostuff.pth``: (coords, colors, sem, inst); ``superpoints/<Area_k_room>.pth``.

    Link both folders into ``dataset/s3dis``. coords: float32 [M, 3], raw frame, metres. colors: float32, 0..255. sem:
    int32, the 13 classes in the order of ISBNet's preparation (table 7, chair 8, sofa 9, bookcase 10; the names that
    its reader prints beside scores are in another one), -100 background and to be ignored. inst: int32 object, -100
    none. superpoint: numpy int64. ISBNet's own preparation leaves ``.pth`` away, without which its reader finds no room
    (ISBNet, issue 53).
    """

    name = "isbnet-s3dis"
    version = 1
    reader = "ISBNet (S3DIS)"

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one room."""
        room_of(labelled)
        xyz, shift = near_xyz(labelled)
        owner = object_at_points(labelled)
        points = (
            xyz,
            colors(labelled).astype(np.float32),
            s3dis_at_points(labelled, S3DIS13, nothing=NOTHING).astype(np.int32),
            np.where(owner >= 0, owner, NOTHING).astype(np.int32),
        )
        files = {
            f"preprocess/{labelled.name}_inst_nostuff.pth": torch_bytes(points),
            f"superpoints/{labelled.name}.pth": torch_bytes(labelled.superpoint()),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **left_out(labelled),
        }
        facts = {**frame_facts(labelled, shift), "classes": s3dis_classes(S3DIS13)}
        return Written(files, facts, without_objects(labelled))
