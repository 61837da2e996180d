"""MMDetection3D and OneFormer3D on S3DIS: plain binary files, and an info file an area."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stages.export.base import Format, SceneFacts, Written, npz_bytes
from stages.export.classes import s3dis_class_of_objects
from stages.export.formats.s3dis import AREAS, area_and_room, room_of, s3dis_at_points, s3dis_classes
from stages.export.parts import beside, colors, left_out, object_at_points, pickle_bytes
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13
from stages.typing import Float64

NOTHING = len(S3DIS13)
FIRST_OBJECT = 1
FURNITURE = ("table", "chair", "sofa", "bookcase", "board")
"""the classes that are detected by their boxes"""


class Mmdet3dS3dis(Format):
    """``{points,semantic_mask,instance_mask,super_points}/<Area_k_room>.bin`` and info files; link the folder to
    ``data/s3dis``.

    points: float32 [M, 6], metres from the least corner of the room in the frame of the boxes, then colour 0..255.
    semantic_mask: int64, the 13 classes with table 7, chair 8, sofa 9, bookcase 10; 13, which is their number, for
    background and points to be ignored. instance_mask: int64 object + 1, 0 none. super_points: int64.
    ``s3dis_infos_Area_k.pkl``, version 1.1 of the info files: names of these files, and of each box of the five classes
    that are detected (table, chair, sofa, bookcase, board: 0..4) its centre and size in the frame of the points.
    """

    name = "mmdet3d-s3dis"
    version = 1
    reader = "MMDetection3D, OneFormer3D (S3DIS)"

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one room."""
        room_of(labelled)
        xyz = labelled.scene.xyz[labelled.kept].astype(np.float64)
        least = xyz.min(axis=0) if len(xyz) else np.zeros(3)
        arrays = {
            "points": np.hstack([(xyz - least).astype(np.float32), colors(labelled).astype(np.float32)]),
            "semantic_mask": s3dis_at_points(labelled, S3DIS13, nothing=NOTHING),
            "instance_mask": object_at_points(labelled) + FIRST_OBJECT,
            "super_points": labelled.superpoint(),
        }
        files = {f"{folder}/{labelled.name}.bin": values.tobytes() for folder, values in arrays.items()}
        files[f"uncertainty/{labelled.name}.npz"] = npz_bytes(**beside(labelled))
        facts = {
            "coords": f"{labelled.scene.frame}, minus shift",
            "shift": (least + labelled.scene.offset).tolist(),
            "classes": s3dis_classes(S3DIS13),
            "instances": instances(labelled, least),
        }
        return Written(files | left_out(labelled), facts)

    @classmethod
    def index_files(cls, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, bytes]]:
        """The info files of all areas; without rooms they are empty, since those of an earlier export would lie."""
        categories = {name: number for number, name in enumerate(FURNITURE)}
        metainfo = {"categories": categories, "dataset": "s3dis", "info_version": "1.1"}
        for area in AREAS:
            here = [one for one in scenes if area_and_room(one.scene)[0] == area]
            data = [info(position, one) for position, one in enumerate(here)]
            yield f"s3dis_infos_{area}.pkl", pickle_bytes({"metainfo": metainfo, "data_list": data})


def instances(labelled: LabelledScene, least: Float64[np.ndarray, " 3"]) -> list[dict[str, Any]]:
    """Box (centre and size, metres) and class of each object of the detected classes."""
    low, high = np.split(labelled.labels.boxes.corners.astype(np.float64), 2, axis=1)
    boxes = np.hstack([(low + high) / 2 - least, high - low]).tolist()
    names = [S3DIS13[number] for number in s3dis_class_of_objects(labelled, S3DIS13)]
    return [
        {"bbox_3d": box, "bbox_label_3d": FURNITURE.index(name)}
        for box, name in zip(boxes, names, strict=True)
        if name in FURNITURE
    ]


def info(position: int, one: SceneFacts) -> Mapping[str, Any]:
    """The entry of a room; files are named as they are in their folders, whose names trainers put before them."""
    file = f"{one.scene}.bin"
    return {
        "sample_idx": position,
        "lidar_points": {"num_pts_feats": 6, "lidar_path": file},
        "pts_semantic_mask_path": file,
        "pts_instance_mask_path": file,
        "super_pts_path": file,
        "instances": one.facts["instances"],
    }
