"""Pointcept on ScanNet: a folder a scene, an array a file."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from stages.export.base import Format, Written, npy_bytes
from stages.export.classes import WALL, refuse_s3dis, scannet_ids
from stages.export.formats.softgroup import train_classes
from stages.export.parts import beside, class_at_points, colors, frame_facts, left_out, near_xyz, object_at_points
from stages.export.scene import LabelledScene

NOTHING = -1


class Pointcept(Format):
    """``{train,val,test}/<scene>/<array>.npy``, as ``ScanNetDataset`` reads them; link the folder to ``data/scannet``.

    coord: float32 [M, 3], raw frame, metres. color: uint8 [M, 3]. normal: float32 [M, 3], raw frame. segment20: int64
    train ids 0..19, 0 (wall) for background, -1 to be ignored. instance: int64 object, -1 none. Test folders lack
    the last two. What its reader does not know and leaves alone lies beside them: superpoint (int64), probability,
    mean, variance, uncertainty (float32) and source (uint8), of each point. There is no segment200: ScanNet's 200
    classes do not follow from the 20.
    """

    name = "pointcept"
    version = 1
    reader = "Pointcept (ScanNet)"
    needs_split: ClassVar[bool] = True
    needs_normals: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, self.name)
        coord, shift = near_xyz(labelled)
        arrays = {"coord": coord, "color": colors(labelled), "normal": labelled.raw_normal()}
        if labelled.split != "test":
            arrays |= segments(labelled)
        arrays |= {"superpoint": labelled.superpoint(), **beside(labelled)}
        folder = f"{labelled.split}/{labelled.name}"
        files = {f"{folder}/{name}.npy": npy_bytes(values) for name, values in arrays.items()}
        return Written(files | left_out(labelled), {**frame_facts(labelled, shift), "classes": train_classes(labelled)})


def segments(labelled: LabelledScene) -> dict[str, np.ndarray]:
    """segment20 and instance of each kept point."""
    train = scannet_ids(labelled.labels.class_names).train_of_class
    semantic = class_at_points(labelled, train, background=WALL, ignored=NOTHING)
    return {"segment20": semantic, "instance": object_at_points(labelled)}
