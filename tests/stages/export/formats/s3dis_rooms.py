"""A small room as if it were one of S3DIS; the data set itself may not be redistributed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.base import Format, SceneFacts, Written
from stages.export.scene import LabelledScene
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import renamed_classes, with_s3dis_classes, without_classes, without_colors

ROOM = "Area_5_office_1"
ELSEWHERE = "Area_2_conferenceRoom_12"


def as_s3dis(labelled: LabelledScene, name: str = ROOM) -> LabelledScene:
    """The same objects in the 13 classes of S3DIS, one after the other, in a room of an area."""
    scene = with_s3dis_classes(labelled)
    return replace(scene, scene=replace(scene.scene, scene=name), labels=replace(scene.labels, scene=name))


VARIANTS: dict[str, Callable[[], LabelledScene]] = {
    name: (lambda make=make: as_s3dis(make()))  # type: ignore[misc]
    for name, make in recovered.VARIANTS.items()
    if name != "own classes"
}
"""What a room may be like; classes of one's own are refused."""
CHAIR_FIRST = {"chair": 7, "table": 8, "bookcase": 9, "sofa": 10}
"""SoftGroup's order"""
TABLE_FIRST = {"table": 7, "chair": 8, "sofa": 9, "bookcase": 10}
"""everybody else's"""


def ids(order: dict[str, int]) -> dict[str, int]:
    """All 13 classes, four of which trainers order differently."""
    others = ("ceiling", "floor", "wall", "beam", "column", "window", "door")
    return {name: number for number, name in enumerate(others)} | order | {"board": 11, "clutter": 12}


def indexed(kind: type[Format], written: Written, name: str = ROOM) -> dict[str, bytes]:
    """The files over all rooms of a folder with one room."""
    return dict(kind.index_files([SceneFacts(name, "", written.facts)]))


def assert_float_xyz(labelled: LabelledScene, xyz: np.ndarray) -> None:
    """``xyz`` are the finite points of the room's own file, to float32."""
    assert xyz.dtype == np.float32
    np.testing.assert_allclose(xyz, recovered.file_xyz(labelled), rtol=0, atol=2e-6)


def rgb(labelled: LabelledScene) -> np.ndarray:
    """uint8 [M, 3]: colours of the finite points."""
    assert labelled.scene.rgb is not None
    return labelled.scene.rgb[np.isfinite(labelled.scene.xyz).all(axis=1)]


def assert_refuses_what_is_missing(exported: Callable[[], Format], labelled: LabelledScene) -> None:
    """Other names, other classes, no classes, no colours: each with what to do."""
    named = replace(labelled, scene=replace(labelled.scene, scene="office_1"))
    for spoilt, said in (
        (named, "scene office_1.*name it Area_<1 to 6>_<room>"),
        (renamed_classes(labelled), "Area_5_office_1.*own_a.*set `scenes.classes` to s3dis13"),
        (without_classes(labelled), "Area_5_office_1.*no class names"),
        (without_colors(labelled), "Area_5_office_1 has no colours"),
    ):
        with pytest.raises(SceneError, match=said):
            exported().scene_files(spoilt)
