"""Pointcept on S3DIS: a folder a room, an array a file."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from stages.export.base import Format, Written, npy_bytes
from stages.export.formats.s3dis import room_of, s3dis_at_points, s3dis_classes
from stages.export.parts import beside, colors, frame_facts, left_out, near_xyz, object_at_points
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13

NOTHING = -1


class PointceptS3dis(Format):
    """``Area_k/<room>/<array>.npy``, as ``S3DISDataset`` reads them; link the folder to ``data/s3dis``.

    coord: float32 [M, 3], raw frame, metres. color: uint8 [M, 3]. normal: float32 [M, 3], raw frame. segment: int16
    [M, 1], the 13 classes with table 7, chair 8, sofa 9, bookcase 10, -1 background and to be ignored. instance: int16
    [M, 1] object, -1 none. What its reader leaves alone lies beside them: superpoint (int64), probability, mean,
    variance, uncertainty (float32) and source (uint8), of each point.
    """

    name = "pointcept-s3dis"
    version = 1
    reader = "Pointcept (S3DIS)"
    needs_normals: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one room."""
        area, room = room_of(labelled)
        coord, shift = near_xyz(labelled)
        arrays = {
            "coord": coord,
            "color": colors(labelled),
            "normal": labelled.raw_normal(),
            "segment": s3dis_at_points(labelled, S3DIS13, nothing=NOTHING).astype(np.int16)[:, None],
            "instance": object_at_points(labelled).astype(np.int16)[:, None],
            "superpoint": labelled.superpoint(),
            **beside(labelled),
        }
        files = {f"{area}/{room}/{name}.npy": npy_bytes(values) for name, values in arrays.items()}
        return Written(files | left_out(labelled), {**frame_facts(labelled, shift), "classes": s3dis_classes(S3DIS13)})
