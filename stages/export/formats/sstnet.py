"""SSTNet on ScanNet: points, mesh and labels in one tuple a scene."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from pipeline.errors import SceneError
from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.classes import refuse_s3dis
from stages.export.formats.softgroup import centered, scannet_labels, train_classes
from stages.export.formats.spformer import validation_truth
from stages.export.parts import beside, colors, frame_of, kept_faces, left_out, without_objects
from stages.export.scene import LabelledScene, color_from_minus_one
from stages.typing import Int32


class SstNet(Format):
    """``{train,val,test}/<scene>_inst_nostuff.pth``: (coords, colors, faces, sem, inst, coords_shift, scene).

    coords, colors, sem and inst as in format ``softgroup``, ``val_gt`` as in ``spformer``; faces: int32 [F, 3], of kept
    points; coords_shift: float64 [3], what was added to the points: minus their mean. Test files hold coords, colors,
    faces and scene. SSTNet makes superpoints itself, from ``scans/<scene>/<scene>_vh_clean_2.ply`` of ScanNet (for test
    ``scans_test``), which has to hold these very points in this order.
    """

    name = "sstnet"
    version = 1
    reader = "SSTNet (ScanNet)"
    needs_split: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene; raises SceneError for a scan without a mesh."""
        refuse_s3dis(labelled, "softgroup")
        faces = _faces(labelled)
        coords, mean = centered(labelled)
        points: tuple[Any, ...] = (coords, color_from_minus_one(colors(labelled)), faces)
        if labelled.split != "test":
            points += (*scannet_labels(labelled), -mean)
        files = {
            f"{labelled.split}/{labelled.name}_inst_nostuff.pth": torch_bytes((*points, labelled.name)),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **validation_truth(labelled),
            **left_out(labelled),
        }
        facts = {
            "coords": f"{frame_of(labelled)}, minus mean",
            "mean": mean.tolist(),
            "classes": train_classes(labelled),
        }
        return Written(files, facts, _warnings(labelled, len(faces)))


def _faces(labelled: LabelledScene) -> Int32[np.ndarray, "F 3"]:
    faces = kept_faces(labelled)
    if faces is None:
        raise SceneError(
            f"scene {labelled.name} has no mesh, which SSTNet needs; add `faces` to the scan, or export as spformer, "
            "which brings its own superpoints"
        )
    return faces


def _warnings(labelled: LabelledScene, faces: int) -> tuple[str, ...]:
    lost, before = len(labelled.scene) - len(labelled.kept), labelled.scene.faces
    if not lost or before is None:
        return without_objects(labelled)
    text = (
        f"{lost} points that are not finite left out, with {len(before) - faces} faces: SSTNet's own "
        f"{labelled.name}_vh_clean_2.ply must not hold them either"
    )
    return (text, *without_objects(labelled))
