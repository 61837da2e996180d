"""Mask3D on S3DIS: one array a room, and databases in YAML for each area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from stages.export.base import Format, SceneFacts, Written, npy_bytes, npz_bytes
from stages.export.formats.mask3d import color_statistics, color_sums, label, yaml_bytes
from stages.export.formats.s3dis import AREAS, area_and_room, room_of, s3dis_at_points, s3dis_classes
from stages.export.parts import beside, colors, frame_facts, left_out, near_xyz, object_at_points, truth_lines
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13

HOME = "data/processed/boxgp_s3dis"
"""where the databases say that the files lie, as seen from Mask3D's own folder"""
NOTHING = 255


class Mask3dS3dis(Format):
    """``Area_k/<room>.npy`` and databases; link the folder to ``data/processed/boxgp_s3dis`` in Mask3D's.

    Columns, float32 [M, 12]: xyz (raw frame, metres), colour 0..255, normal (raw frame), superpoint, class (the 13 in
    the order table 7, chair 8, sofa 9, bookcase 10; 255, Mask3D's ignore label, for background and points to be
    ignored), object (-1 none). Mask3D's own preparation fills normals and superpoints with ones, for lack of any; its
    reader uses them where it is told to (``add_normals``, ``train_on_segments``). ``instance_gt/Area_k/<room>.txt``
    holds (class + 1) * 1000 + object + 1 of each point, 0 where there is no object. Of each area: a database of its
    rooms, one of all other areas to train on, and the colours of the latter.
    """

    name = "mask3d-s3dis"
    version = 1
    reader = "Mask3D (S3DIS)"
    needs_normals: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one room."""
        area, room = room_of(labelled)
        rgb = colors(labelled)
        xyz, shift = near_xyz(labelled)
        class_id, owner = s3dis_at_points(labelled, S3DIS13, nothing=NOTHING), object_at_points(labelled)
        columns = [xyz, rgb, labelled.raw_normal(), labelled.superpoint()[:, None], class_id[:, None], owner[:, None]]
        points = np.hstack([column.astype(np.float32) for column in columns])
        files = {
            f"{area}/{room}.npy": npy_bytes(points),
            f"instance_gt/{area}/{room}.txt": truth_lines(labelled, np.where(owner >= 0, class_id + 1, 0), owner),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **left_out(labelled),
        }
        facts = {
            **frame_facts(labelled, shift),
            "classes": s3dis_classes(S3DIS13),
            "points": len(points),
            **color_sums(rgb),
        }
        return Written(files, facts)

    @classmethod
    def index_files(cls, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, bytes]]:
        """Databases of each area, of the areas beside it, and of the classes; those without rooms are empty."""
        yield "label_database.yaml", yaml_bytes({number: label(number, name) for number, name in enumerate(S3DIS13)})
        for area in AREAS:
            here = [one for one in scenes if area_and_room(one.scene)[0] == area]
            others = [one for one in scenes if area_and_room(one.scene)[0] != area]
            yield f"{area}_database.yaml", yaml_bytes([entry(one) for one in here])
            yield f"train_{area}_database.yaml", yaml_bytes([entry(one) for one in others])
            if others:
                yield f"{area}_color_mean_std.yaml", yaml_bytes(color_statistics([one.facts for one in others]))


def entry(one: SceneFacts) -> dict[str, Any]:
    """The entry of a room in a database; ``color_std`` is Mask3D's name for the mean of squares."""
    area, room = area_and_room(one.scene)
    return {
        "filepath": f"{HOME}/{area}/{room}.npy",
        "scene": room,
        "area": area,
        "raw_filepath": f"data/raw/s3dis/{area}/{room}",
        "raw_segmentation_filepath": "",
        "file_len": one.facts["points"],
        "instance_gt_filepath": f"{HOME}/instance_gt/{area}/{room}.txt",
        "color_mean": one.facts["color_mean"],
        "color_std": one.facts["color_square"],
    }
