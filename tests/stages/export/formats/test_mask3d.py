"""Mask3D's arrays and databases, found and read as its data set and its evaluation do."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, SceneFacts
from stages.export.formats.mask3d import Mask3d
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18, SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.formats.folders import export, far_away, renamed, tree
from tests.stages.export.labelled import (
    MOMENTS,
    RealLabelled,
    renamed_classes,
    small_room,
    unaligned,
    with_nan,
    with_s3dis_classes,
    without_boxes,
    without_classes,
    without_colors,
)

PLACE = "data/processed/boxgp"
IGNORED = 255


class Dataset:
    """What Mask3D's data set, started in ``home``, makes of the scenes of a mode."""

    def __init__(self, home: Path, mode: str) -> None:
        self.home, self.mode = home, mode
        self.data: list[dict[str, Any]] = yaml.safe_load((home / PLACE / f"{mode}_database.yaml").read_text())
        labels: dict[int, dict[str, Any]] = yaml.safe_load((home / PLACE / "label_database.yaml").read_text())
        self.label_info = {number: one for number, one in labels.items() if one["validation"]}

    def points(self, index: int) -> np.ndarray:
        """The array of a scene; the databases of others start their paths with ../../, which it takes away."""
        return np.asarray(np.load(self.home / self.data[index]["filepath"].replace("../../", "")))

    def name(self, index: int) -> str:
        """The name of a scene in its evaluation."""
        return str(self.data[index]["raw_filepath"].split("/")[-2])

    def labels(self, index: int) -> np.ndarray:
        """Class (0.. in the order of the label database, 255), object and segment, int32 [M, 3]."""
        points = self.points(index)
        labels = points[:, 10:12].astype(np.int32)
        if labels.size:
            unknown = ~np.isin(labels[:, 0], list(self.label_info))
            labels[unknown, 0] = IGNORED
            for place, number in enumerate(self.label_info):
                labels[labels[:, 0] == number, 0] = place
        return np.hstack([labels, points[:, 9:10].astype(np.int32)])

    def targets(self, index: int) -> list[tuple[int, bytes]]:
        """(class of 18, mask) of each object it trains on; wall and floor are filtered out."""
        labels = self.labels(index)
        found = []
        for number in np.unique(labels[:, 1]):
            mask = labels[:, 1] == number
            if number != -1 and labels[mask, 0][0] not in (0, 1):
                found.append((int(labels[mask, 0][0]) - 2, mask.tobytes()))
        return sorted(found)

    def truth(self, index: int) -> np.ndarray:
        """Ids of the points of a scene in the evaluation: class * 1000 + object + 1."""
        file = self.home / PLACE / "instance_gt" / self.mode / f"{self.name(index)}.txt"
        return np.array(file.read_text().splitlines(), np.int64)


def check(labelled: LabelledScene, home: Path) -> None:
    """Exports one scene and compares all that is read."""
    (facts,) = export(Mask3d, home / PLACE, labelled)
    dataset = Dataset(home, "train")
    ids = recovered.ids_of(labelled, tuple(SCANNET18))
    assert dataset.name(0) == labelled.name
    assert dataset.targets(0) == recovered.our_instances(labelled, ids)
    labels = dataset.labels(0)
    recovered.assert_instances(labelled, labels[:, 1], none=-1)
    train = {name: number + 2 for name, number in ids.items()}
    recovered.assert_classes(labelled, labels[:, 0], train, background=0, nothing=IGNORED)
    recovered.assert_regions(labelled, labels[:, 2])
    _check_columns(labelled, dataset.points(0))
    _check_truth(labelled, dataset, ids)
    assert dataset.data[0]["file_len"] == len(labelled.kept) == facts.facts["points"]


def _check_columns(labelled: LabelledScene, points: np.ndarray) -> None:
    assert points.dtype == np.float32
    assert points.shape == (len(labelled.kept), 12)
    np.testing.assert_allclose(points[:, :3], recovered.file_xyz(labelled), rtol=0, atol=1e-6)
    assert labelled.scene.rgb is not None
    np.testing.assert_array_equal(points[:, 3:6], labelled.scene.rgb[labelled.kept])
    np.testing.assert_array_equal(points[:, 6:9], labelled.raw_normal())


def _check_truth(labelled: LabelledScene, dataset: Dataset, ids: dict[str, int]) -> None:
    truth = dataset.truth(0)
    names = {number: one["name"] for number, one in dataset.label_info.items()}
    found = []
    for number in np.unique(truth):
        name = names.get(number // 1000)
        if name in ids and number % 1000:
            found.append((ids[name], (truth == number).tobytes()))
    assert sorted(found) == recovered.our_instances(labelled, ids)


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_the_reader_finds_our_objects(make: Callable[[], LabelledScene], tmp_path: Path) -> None:
    check(make(), tmp_path)


@pytest.mark.real
@pytest.mark.parametrize("scene", ["scene0000_00_full", "scene0003_01"])
def test_the_reader_finds_our_objects_in_a_real_scan(scene: str, tmp_path: Path, real_labelled: RealLabelled) -> None:
    check(real_labelled(scene), tmp_path)


def test_scannet_scenes_keep_their_numbers(tmp_path: Path) -> None:
    room = small_room()
    export(Mask3d, tmp_path / PLACE, renamed(room, "scene0011_01", "val"), renamed(room, "my_office", "val"))
    dataset = Dataset(tmp_path, "validation")
    assert [one["filepath"] for one in dataset.data] == [
        f"{PLACE}/validation/0011_01.npy", f"{PLACE}/validation/my_office.npy"
    ]  # fmt: skip
    assert [(one["scene"], one.get("sub_scene")) for one in dataset.data] == [(11, 1), ("my_office", None)]
    for index, name in enumerate(("scene0011_01", "my_office")):
        assert dataset.name(index) == name
        assert dataset.data[index]["instance_gt_filepath"] == f"{PLACE}/instance_gt/validation/{name}.txt"
        assert len(dataset.truth(index)) == len(dataset.points(index))


def test_databases_part_the_scenes_by_split(tmp_path: Path) -> None:
    room = small_room()
    scenes = [renamed(room, "a", "train"), renamed(room, "b", "val"), renamed(room, "c", "train")]
    export(Mask3d, tmp_path / PLACE, *scenes)
    names = {
        mode: [Dataset(tmp_path, mode).name(index) for index in range(len(Dataset(tmp_path, mode).data))]
        for mode in ("train", "validation", "test", "train_validation")
    }
    assert names == {"train": ["a", "c"], "validation": ["b"], "test": [], "train_validation": ["a", "c", "b"]}


def test_scenes_of_the_test_split_have_10_columns(tmp_path: Path) -> None:
    room = small_room("test")
    export(Mask3d, tmp_path / PLACE, room)
    dataset = Dataset(tmp_path, "test")
    assert dataset.points(0).shape == (len(room.scene), 10)
    recovered.assert_regions(room, dataset.labels(0)[:, 0])
    assert dataset.data[0].keys() == {"filepath", "scene", "raw_filepath", "file_len"}
    assert not list((tmp_path / PLACE).glob("instance_gt/**/*.txt"))


def test_the_label_database_has_the_20_classes(tmp_path: Path) -> None:
    export(Mask3d, tmp_path / PLACE, small_room())
    labels = Dataset(tmp_path, "train").label_info
    assert {one["name"]: number for number, one in labels.items()} == SCANNET20
    assert len({tuple(one["color"]) for one in labels.values()}) == 20
    assert all(0 <= channel <= 255 for one in labels.values() for channel in one["color"])


def test_the_label_database_has_the_classes_of_ones_own(tmp_path: Path) -> None:
    export(Mask3d, tmp_path / PLACE, renamed_classes(small_room()))
    names = {number: one["name"] for number, one in Dataset(tmp_path, "train").label_info.items()}
    assert names == {1: "wall", 2: "floor", 3: "own_a", 4: "own_b", 5: "own_c"}


def test_colors_are_those_of_the_training_scenes(tmp_path: Path) -> None:
    room = small_room()
    assert room.scene.rgb is not None
    dark = replace(room, scene=replace(room.scene, rgb=room.scene.rgb // 2))
    export(Mask3d, tmp_path, renamed(room, "a", "train"), renamed(dark, "b", "train"), renamed(room, "c", "val"))
    statistics = yaml.safe_load((tmp_path / "color_mean_std.yaml").read_text())
    assert dark.scene.rgb is not None
    colors = np.concatenate([room.scene.rgb, dark.scene.rgb]) / 255
    np.testing.assert_allclose(statistics["mean"], colors.mean(axis=0))
    np.testing.assert_allclose(statistics["std"], colors.std(axis=0))


def test_color_statistics_need_training_scenes(tmp_path: Path) -> None:
    export(Mask3d, tmp_path, small_room("val"))
    assert "color_mean_std.yaml" not in tree(tmp_path)
    assert yaml.safe_load((tmp_path / "train_database.yaml").read_text()) == []


def test_scans_far_away_keep_their_millimetres(tmp_path: Path) -> None:
    labelled = far_away(unaligned(small_room()))
    (facts,) = export(Mask3d, tmp_path / PLACE, labelled)
    xyz = Dataset(tmp_path, "train").points(0)[:, :3].astype(np.float64) + facts.facts["shift"]
    np.testing.assert_allclose(xyz, recovered.file_xyz(labelled), rtol=0, atol=1e-6)


def test_uncertainty_lies_beside(tmp_path: Path) -> None:
    labelled = with_nan(small_room())
    export(Mask3d, tmp_path, labelled)
    beside = recovered.arrays((tmp_path / "uncertainty" / f"{labelled.name}.npz").read_bytes())
    assert {len(values) for values in beside.values()} == {len(labelled.kept)}
    np.testing.assert_array_equal(np.load(tmp_path / "kept_points" / f"{labelled.name}.npy"), labelled.kept)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: without_colors(small_room()), "has no colours"),
        (lambda: without_classes(small_room()), "have no class"),
        (lambda: with_s3dis_classes(small_room()), "--format mask3d-s3dis"),
        (lambda: many_classes(253), "has 253 classes, and Mask3D has room for 252"),
        (lambda: many_objects(1000), "has 1000 objects, and this format has room for 999"),
    ],
)
def test_what_it_cannot_hold_is_refused(make: Callable[[], LabelledScene], why: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=re.escape(why)):
        export(Mask3d, tmp_path, make())
    assert not tree(tmp_path)


def many_classes(count: int) -> LabelledScene:
    """Nothing annotated, in a run of many classes."""
    room = without_boxes(small_room())
    return replace(room, labels=replace(room.labels, class_names=tuple(f"class_{one}" for one in range(count))))


def many_objects(count: int) -> LabelledScene:
    """A scan with so many boxes, none of which got a region."""
    room = without_boxes(small_room())
    boxes = small_room().labels.boxes
    more = replace(
        boxes,
        corners=np.repeat(boxes.corners[:1], count, axis=0),
        class_index=np.repeat(boxes.class_index[:1], count),
        instance=np.repeat(boxes.instance[:1], count),
    )
    maps: dict[str, Any] = {
        name: np.zeros((count, room.labels.mask.shape[1]), getattr(room.labels, name).dtype) for name in MOMENTS
    }
    return replace(room, labels=replace(room.labels, boxes=more, **maps))


def test_the_most_classes_do_not_reach_the_ignore_label(tmp_path: Path) -> None:
    export(Mask3d, tmp_path / PLACE, many_classes(252))
    assert IGNORED not in Dataset(tmp_path, "train").label_info


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    recovered.assert_equal_bytes(lambda: Mask3d(ExportConfig(to=tmp_path)), small_room)


def test_the_index_does_not_depend_on_objects_in_memory(tmp_path: Path) -> None:
    facts = export(Mask3d, tmp_path / "first", small_room())
    export(Mask3d, tmp_path / "second", small_room())
    assert tree(tmp_path / "first") == tree(tmp_path / "second")
    shared = dict(facts[0].facts, color_square=facts[0].facts["color_mean"])
    content = dict(Mask3d.index_files([SceneFacts("a", "train", shared)]))
    assert b"&id" not in content["train_database.yaml"]  # YAML's anchors: nothing that a person wants to read
