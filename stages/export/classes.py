"""Class ids as trainers number them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import SceneError
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13, SCANNET18, SCANNET20
from stages.typing import Int64

WALL, FLOOR = 0, 1
"""Train ids of ScanNet's two classes without instances. Trainers know no class `background`: where they need one, it is
`wall`, the first of the two, both of which their readers leave out of the instances."""
S3DIS_SOFTGROUP: tuple[str, ...] = (
    "ceiling", "floor", "wall", "beam", "column", "window", "door",
    "chair", "table", "bookcase", "sofa", "board", "clutter",
)  # fmt: skip
"""SoftGroup's order of the 13 classes: chair, table, bookcase, sofa where others have table, chair, sofa, bookcase."""


@dataclass(frozen=True)
class ClassIds:
    """How the classes of a run are numbered in ScanNet's fashion: wall, floor, then the classes of instances."""

    names: tuple[str, ...]
    """train id -> name"""
    nyu40: tuple[int, ...]
    """train id -> id in files that hold NYU40 ids"""
    train_of_class: tuple[int, ...]
    """class index of the run -> train id"""


def scannet_ids(class_names: tuple[str, ...]) -> ClassIds:
    """The numbering of ScanNet's 20 where all classes are among them; else wall, floor, and the classes as they come.

    Classes of one's own (without wall and floor) get train id position + 2 and, where NYU40 ids are asked for,
    position + 3: what remains is to tell the trainer their names and number.
    """
    if class_names and set(class_names) <= SCANNET20.keys():
        order = list(SCANNET20)
        return ClassIds(tuple(order), tuple(SCANNET20.values()), tuple(order.index(name) for name in class_names))
    stuff = ("wall", "floor")
    names = (*stuff, *(name for name in class_names if name not in stuff))
    return ClassIds(names, tuple(range(1, len(names) + 1)), tuple(names.index(name) for name in class_names))


def class_of_objects(labelled: LabelledScene) -> Int64[np.ndarray, " K"]:
    """Class index of each object; raises SceneError where one is unknown."""
    index = labelled.labels.boxes.class_index.astype(np.int64)
    unknown = int((index < 0).sum())
    if unknown or (len(index) and not labelled.labels.class_names):
        raise SceneError(
            f"scene {labelled.name}: {unknown or len(index)} of {len(index)} boxes have no class, which this format "
            "needs; name their classes (box_class, `scenes.classes`), or export as zarr or ply"
        )
    return index


def require_taxonomy(labelled: LabelledScene, taxonomy: str, instead: str) -> None:
    """Raises SceneError where the run's classes are none of ``scannet18`` or ``s3dis13``; ``instead``: what to do."""
    known = SCANNET18.keys() if taxonomy == "scannet18" else set(S3DIS13)
    foreign = [name for name in labelled.labels.class_names if name not in known]
    if foreign or not labelled.labels.class_names:
        what = f"classes that are not in {taxonomy} ({', '.join(foreign[:5])})" if foreign else "no class names"
        raise SceneError(f"scene {labelled.name}: this run has {what}, which this format needs; {instead}")


def s3dis_class_of_objects(labelled: LabelledScene, order: tuple[str, ...]) -> Int64[np.ndarray, " K"]:
    """Position of each object's class in a trainer's order of the 13 of S3DIS; raises SceneError for other classes."""
    require_taxonomy(labelled, "s3dis13", "set `scenes.classes` to s3dis13, or choose a format without -s3dis")
    place = np.array([order.index(name) for name in labelled.labels.class_names], np.int64)
    return np.asarray(place[class_of_objects(labelled)])


def refuse_s3dis(labelled: LabelledScene, name: str) -> None:
    """Raises SceneError for runs on S3DIS, of which trainers have layouts and orders of their own."""
    if labelled.labels.class_names == S3DIS13:
        raise SceneError(f"scene {labelled.name}: this run has the classes of S3DIS; use --format {name}-s3dis")
