"""What all trainers on S3DIS share: areas and rooms in names, and no class for what no box holds."""

from __future__ import annotations

import re

import numpy as np

from pipeline.errors import SceneError
from stages.export.classes import require_taxonomy
from stages.export.parts import class_at_points
from stages.export.scene import LabelledScene
from stages.typing import Int64

AREAS = tuple(f"Area_{number}" for number in range(1, 7))
_ROOM = re.compile(r"(Area_[1-6])_(.+)")


def area_and_room(scene: str) -> tuple[str, str]:
    """``Area_5_office_1`` as Area_5 and office_1; raises SceneError for names that are not like that."""
    found = _ROOM.fullmatch(scene)
    if found is None:
        raise SceneError(
            f"scene {scene}: trainers on S3DIS sort rooms by the area in their names; name it Area_<1 to 6>_<room>, "
            "as the reader of `scenes.source: s3dis` does"
        )
    return found[1], found[2]


def room_of(labelled: LabelledScene) -> tuple[str, str]:
    """Area and room of a scene; raises SceneError for a run that is not one on S3DIS, by classes or by names."""
    require_taxonomy(labelled, "s3dis13", "set `scenes.classes` to s3dis13, or choose a format without -s3dis")
    return area_and_room(labelled.name)


def s3dis_at_points(labelled: LabelledScene, order: tuple[str, ...], *, nothing: int) -> Int64[np.ndarray, " M"]:
    """Position of each kept point's class in a trainer's ``order`` of the 13 classes.

    ``nothing`` for points to be ignored, and for background: S3DIS has no class for that, since everything there
    belongs to one of the 13, all of which are boxed by default. Raises SceneError for objects without a class.
    """
    of_class = [order.index(name) for name in labelled.labels.class_names]
    return class_at_points(labelled, of_class, background=nothing, ignored=nothing)


def s3dis_classes(order: tuple[str, ...]) -> dict[str, str]:
    """Class id, as text, -> class, for the index."""
    return {str(number): name for number, name in enumerate(order)}
