"""The numbers that trainers have for classes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.classes import (
    S3DIS_SOFTGROUP,
    class_of_objects,
    refuse_s3dis,
    require_taxonomy,
    s3dis_class_of_objects,
    scannet_ids,
)
from stages.export.scene import LabelledScene
from stages.scenes.classes import S3DIS13, SCANNET18
from tests.stages.export.labelled import (
    renamed_classes,
    small_room,
    with_s3dis_classes,
    without_boxes,
    without_classes,
)


def test_classes_of_scannet_get_its_numbers() -> None:
    ids = scannet_ids(tuple(SCANNET18))
    assert len(ids.names) == len(ids.nyu40) == 20
    assert ids.train_of_class == tuple(range(2, 20))
    assert [ids.nyu40[train] for train in ids.train_of_class] == list(SCANNET18.values())


def test_some_classes_of_scannet_in_any_order_get_the_same_numbers() -> None:
    ids = scannet_ids(("toilet", "cabinet", "otherfurniture"))
    assert ids.train_of_class == (16, 2, 19)
    assert [ids.names[train] for train in ids.train_of_class] == ["toilet", "cabinet", "otherfurniture"]
    assert [ids.nyu40[train] for train in ids.train_of_class] == [33, 3, 39]


@pytest.mark.parametrize("names", [("pump", "valve"), ("chair", "valve"), ()])
def test_classes_of_ones_own_follow_wall_and_floor(names: tuple[str, ...]) -> None:
    ids = scannet_ids(names)
    assert ids.names == ("wall", "floor", *names)
    assert ids.train_of_class == tuple(range(2, 2 + len(names)))
    assert ids.nyu40 == tuple(range(1, 3 + len(names)))


def test_the_class_of_each_object() -> None:
    room = small_room()
    found = class_of_objects(room)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, room.labels.boxes.class_index)
    assert len(class_of_objects(without_boxes(without_classes(room)))) == 0


def test_objects_without_a_class_are_counted() -> None:
    room = small_room()
    with pytest.raises(SceneError, match="room_0000: 10 of 10 boxes have no class"):
        class_of_objects(without_classes(room))
    nameless = replace(room, labels=replace(room.labels, class_names=()))
    with pytest.raises(SceneError, match="10 of 10 boxes have no class"):
        class_of_objects(nameless)
    index = room.labels.boxes.class_index.copy()
    index[3] = -1
    one = replace(room, labels=replace(room.labels, boxes=replace(room.labels.boxes, class_index=index)))
    with pytest.raises(SceneError, match=r"1 of 10 boxes have no class.*scenes.classes"):
        class_of_objects(one)


def test_softgroup_has_the_classes_of_s3dis_in_another_order() -> None:
    assert sorted(S3DIS_SOFTGROUP) == sorted(S3DIS13)
    assert S3DIS_SOFTGROUP[7:11] == ("chair", "table", "bookcase", "sofa")
    assert [place for place, name in enumerate(S3DIS13) if S3DIS_SOFTGROUP[place] != name] == [7, 8, 9, 10]


@pytest.mark.parametrize("order", [S3DIS13, S3DIS_SOFTGROUP])
def test_classes_of_s3dis_in_a_trainers_order(order: tuple[str, ...]) -> None:
    room = with_s3dis_classes(small_room())
    found = s3dis_class_of_objects(room, order)
    assert [order[place] for place in found] == [S3DIS13[index] for index in room.labels.boxes.class_index]


@pytest.mark.parametrize(
    ("make", "taxonomy", "said"),
    [
        (renamed_classes, "scannet18", r"not in scannet18 \(own_a, own_b, own_c\).*do this"),
        (with_s3dis_classes, "scannet18", r"not in scannet18 \(ceiling, "),
        (small_room, "s3dis13", r"not in s3dis13 \(cabinet, bed, "),
        (without_classes, "scannet18", "no class names"),
    ],
)
def test_another_taxonomy_is_refused(make: Callable[..., LabelledScene], taxonomy: str, said: str) -> None:
    room = small_room() if make is small_room else make(small_room())
    with pytest.raises(SceneError, match=f"room_0000.*{said}"):
        require_taxonomy(room, taxonomy, "do this")


def test_the_taxonomy_that_is_asked_for_is_taken() -> None:
    require_taxonomy(small_room(), "scannet18", "")
    require_taxonomy(with_s3dis_classes(small_room()), "s3dis13", "")


def test_s3dis_is_sent_to_its_own_format() -> None:
    refuse_s3dis(small_room(), "softgroup")
    refuse_s3dis(renamed_classes(small_room()), "softgroup")
    with pytest.raises(SceneError, match=r"room_0000.*--format softgroup-s3dis"):
        refuse_s3dis(with_s3dis_classes(small_room()), "softgroup")


def test_wall_and_floor_among_classes_of_ones_own_are_not_named_twice() -> None:
    ids = scannet_ids(("pump", "floor", "valve"))
    assert ids.names == ("wall", "floor", "pump", "valve")
    assert ids.train_of_class == (2, 1, 3)
