"""SPFormer on ScanNet: points, superpoints and labels in one tuple a scene."""

from __future__ import annotations

from typing import Any, ClassVar

from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.classes import refuse_s3dis, scannet_ids
from stages.export.formats.softgroup import centered, scannet_labels, train_classes
from stages.export.parts import beside, class_at_points, colors, frame_of, left_out, object_at_points, truth_lines
from stages.export.scene import LabelledScene, color_from_minus_one


class SpFormer(Format):
    """``{train,val,test}/<scene>_inst_nostuff.pth``: (coords, colors, superpoint, sem, inst); ``val_gt/<scene>.txt``.

    coords, colors, sem and inst as in format ``softgroup``; superpoint: int64, without gaps. Test files hold the first
    three alone. Scenes for validation get a line a point, NYU40 id * 1000 + object + 1, 0 where there is no object.
    """

    name = "spformer"
    version = 1
    reader = "SPFormer (ScanNet)"
    needs_split: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, "softgroup")
        coords, mean = centered(labelled)
        points: tuple[Any, ...] = (coords, color_from_minus_one(colors(labelled)), labelled.superpoint())
        if labelled.split != "test":
            points += scannet_labels(labelled)
        files = {
            f"{labelled.split}/{labelled.name}_inst_nostuff.pth": torch_bytes(points),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **validation_truth(labelled),
            **left_out(labelled),
        }
        facts = {
            "coords": f"{frame_of(labelled)}, minus mean",
            "mean": mean.tolist(),
            "classes": train_classes(labelled),
        }
        return Written(files, facts)


def validation_truth(labelled: LabelledScene) -> dict[str, bytes]:
    """``val_gt/<scene>.txt`` of a scene for validation, as ScanNet's evaluation reads it; nothing of other scenes."""
    if labelled.split != "val":
        return {}
    ids = scannet_ids(labelled.labels.class_names)
    nyu40 = [ids.nyu40[train] for train in ids.train_of_class]
    class_id = class_at_points(labelled, nyu40, background=0, ignored=0)
    return {f"val_gt/{labelled.name}.txt": truth_lines(labelled, class_id, object_at_points(labelled))}
