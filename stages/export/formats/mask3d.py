"""Mask3D on ScanNet: one array a scene, and databases in YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from colorsys import hsv_to_rgb
from typing import Any, ClassVar

import numpy as np
import yaml

from pipeline.errors import SceneError
from stages.export.base import Format, SceneFacts, Written, npy_bytes, npz_bytes
from stages.export.classes import refuse_s3dis
from stages.export.parts import (
    beside,
    colors,
    frame_facts,
    left_out,
    near_xyz,
    nyu40_at_points,
    nyu40_classes,
    object_at_points,
    truth_lines,
)
from stages.export.scene import LabelledScene
from stages.typing import UInt8

HOME = "data/processed/boxgp"
"""where the databases say that the files lie, as seen from Mask3D's own folder"""
MODES = {"train": "train", "val": "validation", "test": "test"}
_SCANNET = re.compile(r"scene(\d{4})_(\d{2})")
_MOST_CLASSES = 254
_GOLDEN = 0.618034


class Mask3d(Format):
    """``{train,validation,test}/<scene>.npy`` and databases; link the folder to ``data/processed/boxgp`` in Mask3D's.

    Columns, float32 [M, 12]: xyz (raw frame, metres), colour 0..255, normal (raw frame), superpoint, NYU40 id (1, wall,
    for background; 0, which Mask3D turns into its ignore label 255, for points to be ignored), object (-1 none); test
    scenes lack the last two. sceneXXXX_XX becomes XXXX_XX.npy; any other scene keeps its name, since the databases say
    where each file is. ``instance_gt/<mode>/<scene>.txt`` holds NYU40 id * 1000 + object + 1 of each point.
    ``color_mean_std.yaml`` is that of the training scenes.

    Mask3D takes the name of a scene from the folder of its ``raw_filepath``, and skips scene0636_00 and scene0154_00.
    """

    name = "mask3d"
    version = 1
    reader = "Mask3D (ScanNet)"
    needs_split: ClassVar[bool] = True
    needs_normals: ClassVar[bool] = True

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, self.name)
        mode, rgb = MODES[labelled.split], colors(labelled)
        xyz, shift = near_xyz(labelled)
        columns = [xyz, rgb, labelled.raw_normal(), labelled.superpoint()[:, None]]
        files = {f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)), **left_out(labelled)}
        if labelled.split != "test":
            class_id, owner = nyu40_at_points(labelled), object_at_points(labelled)
            columns += [class_id[:, None], owner[:, None]]
            files[f"instance_gt/{mode}/{labelled.name}.txt"] = truth_lines(labelled, class_id, owner)
        points = np.hstack([column.astype(np.float32) for column in columns])
        files[f"{mode}/{file_name(labelled.name)}"] = npy_bytes(points)
        facts = {
            **frame_facts(labelled, shift),
            "classes": class_names(labelled),
            "points": len(points),
            **color_sums(rgb),
        }
        return Written(files, facts)

    @classmethod
    def index_files(cls, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, bytes]]:
        """Databases of scenes and labels; a split without scenes has an empty one, since an earlier one would lie."""
        databases = {mode: [entry(one) for one in scenes if one.split == split] for split, mode in MODES.items()}
        databases["train_validation"] = databases["train"] + databases["validation"]
        for mode, database in databases.items():
            yield f"{mode}_database.yaml", yaml_bytes(database)
        names = {int(number): name for one in scenes for number, name in one.facts["classes"].items()}
        yield "label_database.yaml", yaml_bytes({number: label(number, names[number]) for number in sorted(names)})
        training = [one.facts for one in scenes if one.split == "train"]
        if training:
            yield "color_mean_std.yaml", yaml_bytes(color_statistics(training))


def file_name(scene: str) -> str:
    """Name of a scene's array."""
    numbers = _SCANNET.fullmatch(scene)
    return f"{numbers[1]}_{numbers[2]}.npy" if numbers else f"{scene}.npy"


def class_names(labelled: LabelledScene) -> dict[str, str]:
    """NYU40 id, as text, -> class; raises SceneError for so many classes that one would have the ignore label's id."""
    names = nyu40_classes(labelled)
    if len(names) > _MOST_CLASSES:
        raise SceneError(
            f"scene {labelled.name}: this run has {len(names) - 2} classes, and Mask3D has room for "
            f"{_MOST_CLASSES - 2} beside wall and floor; name fewer in `scenes.classes`, or choose another format"
        )
    return names


def color_sums(rgb: UInt8[np.ndarray, "M 3"]) -> dict[str, list[float]]:
    """Means of colours in [0, 1] and of their squares, over the points of a scene."""
    share = rgb.astype(np.float64) / 255
    return {"color_mean": share.mean(axis=0).tolist(), "color_square": (share**2).mean(axis=0).tolist()}


def entry(one: SceneFacts) -> dict[str, Any]:
    """The entry of a scene in a database; ``color_std`` is Mask3D's name for the mean of squares."""
    mode = MODES[one.split]
    numbers = _SCANNET.fullmatch(one.scene)
    found: dict[str, Any] = {
        "filepath": f"{HOME}/{mode}/{file_name(one.scene)}",
        "scene": int(numbers[1]) if numbers else one.scene,
        "raw_filepath": f"scans/{one.scene}/{one.scene}_vh_clean_2.ply",
        "file_len": one.facts["points"],
    }
    if numbers:
        found["sub_scene"] = int(numbers[2])
    if one.split != "test":
        found["instance_gt_filepath"] = f"{HOME}/instance_gt/{mode}/{one.scene}.txt"
        found |= {"color_mean": one.facts["color_mean"], "color_std": one.facts["color_square"]}
    return found


def label(number: int, name: str) -> dict[str, Any]:
    """The entry of a class; the colour, of pictures alone, is one of well-spread hues."""
    color = [round(255 * channel) for channel in hsv_to_rgb(number * _GOLDEN % 1, 0.6, 0.9)]
    return {"color": color, "name": name, "validation": True}


def color_statistics(training: Sequence[Any]) -> dict[str, list[float]]:
    """Mean and standard deviation of colours in [0, 1], each scene counting the same, as in Mask3D."""
    mean = np.mean([facts["color_mean"] for facts in training], axis=0)
    square = np.mean([facts["color_square"] for facts in training], axis=0)
    return {"mean": mean.tolist(), "std": np.sqrt(np.maximum(square - mean**2, 0)).tolist()}


def yaml_bytes(value: object) -> bytes:
    """Plain values as YAML, keys sorted."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True).encode()


class _Dumper(yaml.SafeDumper):
    """Writes values out wherever they are, even where two of them are one and the same object."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True
