"""PointGroup, SoftGroup and ISBNet on ScanNet: one tuple of four arrays a scene, superpoints beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.classes import WALL, class_of_objects, refuse_s3dis, scannet_ids
from stages.export.parts import beside, colors, frame_of, left_out, without_objects
from stages.export.scene import IGNORED, LabelledScene, color_from_minus_one
from stages.typing import Float32, Float64

NOTHING = -100.0


class SoftGroup(Format):
    """``{train,val}/<scene>_inst_nostuff.pth``: (coords, colors, sem, inst); for ISBNet ``superpoints/<scene>.pth``.

    coords: float32, raw frame, minus their mean, metres. colors: float32 in [-1, 1]. sem: float64 train ids 0..19, 0
    for background, -100 to be ignored. inst: float64 object index, -100 none. superpoint: numpy int64. Test files hold
    the first two alone.
    """

    name = "softgroup"
    version = 1
    reader = "PointGroup, SoftGroup, ISBNet (ScanNet)"
    needs_split: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, self.name)
        coords, mean = centered(labelled)
        points: tuple[Any, ...] = (coords, color_from_minus_one(colors(labelled)))
        if labelled.split != "test":
            points += scannet_labels(labelled)
        files = {
            f"{labelled.split}/{labelled.name}_inst_nostuff.pth": torch_bytes(points),
            f"superpoints/{labelled.name}.pth": torch_bytes(labelled.superpoint()),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **left_out(labelled),
        }
        facts = {
            "coords": f"{frame_of(labelled)}, minus mean",
            "mean": mean.tolist(),
            "classes": train_classes(labelled),
        }
        return Written(files, facts, without_objects(labelled))


def train_classes(labelled: LabelledScene) -> dict[str, str]:
    """Train id, as text, -> class, for the index."""
    return {str(number): name for number, name in enumerate(scannet_ids(labelled.labels.class_names).names)}


def centered(labelled: LabelledScene) -> tuple[Float32[np.ndarray, "M 3"], Float64[np.ndarray, " 3"]]:
    """Kept points in the raw frame minus their mean, subtracted in float64, and that mean."""
    xyz = labelled.raw_xyz()
    mean = xyz.mean(axis=0) if len(xyz) else np.zeros(3)
    return (xyz - mean).astype(np.float32), mean


def scannet_labels(labelled: LabelledScene) -> tuple[Float64[np.ndarray, " M"], Float64[np.ndarray, " M"]]:
    """sem and inst of kept points: train id and object; background 0 and -100, ignored points -100 and -100."""
    train = np.array(scannet_ids(labelled.labels.class_names).train_of_class, np.float64)
    owner = labelled.owner[labelled.kept]
    owned = owner >= 0
    semantic = np.where(owner == IGNORED, NOTHING, float(WALL))
    semantic[owned] = train[class_of_objects(labelled)][owner[owned]]
    return semantic, np.where(owned, owner, NOTHING).astype(np.float64)
