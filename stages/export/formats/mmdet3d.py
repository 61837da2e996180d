"""MMDetection3D, OneFormer3D and UniDet3D on ScanNet: plain binary files, and an info file a split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from stages.export.base import Format, SceneFacts, Written, npz_bytes
from stages.export.classes import class_of_objects, refuse_s3dis, scannet_ids
from stages.export.parts import (
    beside,
    colors,
    frame_facts,
    left_out,
    near_xyz,
    nyu40_at_points,
    nyu40_classes,
    object_at_points,
    pickle_bytes,
)
from stages.export.scene import LabelledScene
from stages.typing import Float64

FIRST_OBJECT = 1
STUFF = 2
"""wall and floor, which have train ids but no boxes"""
THEIR_NAMES = {"shower curtain": "showercurtrain", "otherfurniture": "garbagebin"}
"""ScanNet's classes that MMDetection3D spells otherwise: it refuses to join data sets whose names differ"""


class Mmdet3d(Format):
    """``{points,semantic_mask,instance_mask,super_points}/<scene>.bin`` and info files; link the folder to
    ``data/scannet``.

    points: float32 [M, 6], raw frame in metres, then colour 0..255. semantic_mask: int64 NYU40 ids, 1 (wall) for
    background, 0 to be ignored. instance_mask: int64 object + 1, 0 none. super_points: int64. Test scenes lack the
    masks. ``scannet_infos_{train,val,test}.pkl``, and the same as ``scannet_oneformer3d_infos_*.pkl``, version 1.1 of
    the info files: names of these files, the axis alignment (4 x 4, identity where the run has none), and of each
    box that was annotated its centre and size in the aligned frame and its class, 0..17.
    """

    name = "mmdet3d"
    version = 1
    reader = "MMDetection3D, OneFormer3D, UniDet3D (ScanNet)"
    needs_split: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, self.name)
        xyz, shift = near_xyz(labelled)
        arrays = {
            "points": np.hstack([xyz, colors(labelled).astype(np.float32)]),
            "super_points": labelled.superpoint(),
        }
        if labelled.split != "test":
            arrays |= masks(labelled)
        files = {f"{folder}/{labelled.name}.bin": values.tobytes() for folder, values in arrays.items()}
        files[f"uncertainty/{labelled.name}.npz"] = npz_bytes(**beside(labelled))
        facts = {
            **frame_facts(labelled, shift),
            "classes": nyu40_classes(labelled),
            "axis_align_matrix": alignment(labelled, shift).tolist(),
            "instances": [] if labelled.split == "test" else instances(labelled),
        }
        return Written(files | left_out(labelled), facts)

    @classmethod
    def index_files(cls, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, bytes]]:
        """The info files of all splits; without scenes they are empty, since those of an earlier export would lie."""
        names = {number: name for one in scenes for number, name in one.facts["classes"].items()}
        things = [names[number] for number in sorted(names, key=int)][STUFF:]
        categories = {THEIR_NAMES.get(name, name): number for number, name in enumerate(things)}
        metainfo = {"categories": categories, "dataset": "scannet", "info_version": "1.1"}
        for split in ("train", "val", "test"):
            data = [info(one) for one in scenes if one.split == split]
            content = pickle_bytes({"metainfo": metainfo, "data_list": data})
            yield f"scannet_infos_{split}.pkl", content
            yield f"scannet_oneformer3d_infos_{split}.pkl", content


def masks(labelled: LabelledScene) -> dict[str, np.ndarray]:
    """semantic_mask and instance_mask of each kept point."""
    return {"semantic_mask": nyu40_at_points(labelled), "instance_mask": object_at_points(labelled) + FIRST_OBJECT}


def alignment(labelled: LabelledScene, shift: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, "4 4"]:
    """The motion that takes the exported points to the frame of the boxes.

    Its rotation is that of the scan to the last bit: trainers compare rows of it with those of the identity.
    """
    matrix = np.eye(4) if labelled.scene.alignment is None else labelled.scene.alignment.copy()
    matrix[:3, 3] += matrix[:3, :3] @ shift - labelled.scene.offset
    return matrix


def instances(labelled: LabelledScene) -> list[dict[str, Any]]:
    """Box (centre and size, metres) and class of each object, those that got no point included."""
    train = np.array(scannet_ids(labelled.labels.class_names).train_of_class, np.int64)
    low, high = np.split(labelled.labels.boxes.corners.astype(np.float64), 2, axis=1)
    boxes = np.hstack([(low + high) / 2, high - low]).tolist()
    classes = (train[class_of_objects(labelled)] - STUFF).tolist()
    return [{"bbox_3d": box, "bbox_label_3d": one} for box, one in zip(boxes, classes, strict=True)]


def info(one: SceneFacts) -> Mapping[str, Any]:
    """The entry of a scene; files are named as they are in their folders, whose names trainers put before them."""
    file = f"{one.scene}.bin"
    paths = {"super_pts_path": file}
    if one.split != "test":
        paths |= {"pts_semantic_mask_path": file, "pts_instance_mask_path": file}
    return {
        "lidar_points": {"num_pts_feats": 6, "lidar_path": file},
        **paths,
        "axis_align_matrix": one.facts["axis_align_matrix"],
        "instances": one.facts["instances"],
    }
