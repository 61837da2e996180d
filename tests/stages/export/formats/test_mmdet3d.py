"""Binary files and infos of MMDetection3D, read as its data sets and OneFormer3D's transforms do."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, SceneFacts
from stages.export.formats.mmdet3d import Mmdet3d
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18, SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.formats.folders import export, far_away, renamed, tree
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    unaligned,
    with_empty_object,
    with_nan,
    with_s3dis_classes,
    without_boxes,
    without_classes,
    without_colors,
)

PREFIX = {
    "lidar_path": "points",
    "pts_semantic_mask_path": "semantic_mask",
    "pts_instance_mask_path": "instance_mask",
    "super_pts_path": "super_points",
}
"""folders that the data sets put before the names in infos"""
SCANNET_NAMES = (
    "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter", "desk",
    "curtain", "refrigerator", "showercurtrain", "toilet", "sink", "bathtub", "garbagebin",
)  # fmt: skip
"""the names of the 18 classes in MMDetection3D's infos"""


def infos(root: Path, split: str, prefix: str = "scannet_oneformer3d_infos") -> dict[str, Any]:
    """The content of an info file."""
    content: dict[str, Any] = pickle.loads((root / f"{prefix}_{split}.pkl").read_bytes())
    assert content.keys() == {"metainfo", "data_list"}
    return content


def load(root: Path, info: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays that an info names, with the types that the transforms give them."""
    names = {**info, "lidar_path": info["lidar_points"]["lidar_path"]}
    files = {folder: root / folder / names[key] for key, folder in PREFIX.items() if key in names}
    found = {folder: np.fromfile(file, np.int64) for folder, file in files.items() if folder != "points"}
    columns = info["lidar_points"]["num_pts_feats"]
    return {**found, "points": np.fromfile(files["points"], np.float32).reshape(-1, columns)}


def mapped(semantic: np.ndarray, valid: list[int]) -> np.ndarray:
    """PointSegClassMapping: position among the valid ids, their number for all others."""
    table = np.full(max(41, *valid) + 1, len(valid))
    table[valid] = np.arange(len(valid))
    return np.asarray(table[semantic])


def things(semantic: np.ndarray, instance: np.ndarray, count: int) -> list[tuple[int, bytes]]:
    """(class, mask) of each object as AddSuperPointAnnotations finds them; it fails where all points are objects."""
    instance = instance.copy()
    instance[(semantic == count) | (semantic < 2)] = -1
    numbers = np.unique(instance)
    assert numbers[0] == -1
    return sorted((int(semantic[instance == number][0]) - 2, (instance == number).tobytes()) for number in numbers[1:])


def aligned(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """GlobalAlignment: refuses any matrix but a rotation about z, to the last bit, and a shift."""
    rotation = matrix[:3, :3]
    np.testing.assert_allclose(np.linalg.det(rotation), 1)
    assert (rotation[2] == [0, 0, 1]).all()
    assert (rotation[:, 2] == [0, 0, 1]).all()
    return np.asarray(points[:, :3].astype(np.float64) @ rotation.T + matrix[:3, 3])


def check(labelled: LabelledScene, root: Path) -> None:
    """Exports one scene and compares all that is read."""
    (facts,) = export(Mmdet3d, root, labelled)
    (info,) = infos(root, "train")["data_list"]
    data = load(root, info)
    valid = [int(number) for number in facts.facts["classes"]]
    semantic, ids = mapped(data["semantic_mask"], valid), recovered.ids_of(labelled, tuple(SCANNET18))
    assert things(semantic, data["instance_mask"], len(valid)) == recovered.our_instances(labelled, ids)
    recovered.assert_instances(labelled, data["instance_mask"], none=0, first=1)
    train = {name: number + 2 for name, number in ids.items()}
    recovered.assert_classes(labelled, semantic, train, background=0, nothing=len(valid))
    recovered.assert_regions(labelled, data["super_points"])
    np.testing.assert_allclose(data["points"][:, :3], recovered.file_xyz(labelled), rtol=0, atol=1e-6)
    assert labelled.scene.rgb is not None
    np.testing.assert_array_equal(data["points"][:, 3:], labelled.scene.rgb[labelled.kept])
    _check_boxes(labelled, info, data["points"], ids)


def _check_boxes(labelled: LabelledScene, info: dict[str, Any], points: np.ndarray, ids: dict[str, int]) -> None:
    """The aligned points, and the boxes that were annotated in the same frame."""
    found = aligned(points, np.array(info["axis_align_matrix"]))
    np.testing.assert_allclose(found, labelled.scene.xyz[labelled.kept], rtol=0, atol=2e-6)
    boxes = np.array([one["bbox_3d"] for one in info["instances"]]).reshape(-1, 6)
    corners = np.hstack([boxes[:, :3] - boxes[:, 3:] / 2, boxes[:, :3] + boxes[:, 3:] / 2])
    np.testing.assert_allclose(corners, labelled.labels.boxes.corners, rtol=0, atol=1e-5)
    names = [labelled.labels.class_names[index] for index in labelled.labels.boxes.class_index]
    assert [one["bbox_label_3d"] for one in info["instances"]] == [ids[name] for name in names]


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_the_reader_finds_our_objects(make: Callable[[], LabelledScene], tmp_path: Path) -> None:
    check(make(), tmp_path)


@pytest.mark.real
@pytest.mark.parametrize("scene", ["scene0000_00_full", "scene0003_01"])
def test_the_reader_finds_our_objects_in_a_real_scan(scene: str, tmp_path: Path, real_labelled: RealLabelled) -> None:
    check(real_labelled(scene), tmp_path)


def test_semantic_masks_hold_nyu40_ids(tmp_path: Path) -> None:
    (facts,) = export(Mmdet3d, tmp_path, small_room())
    assert {name: int(number) for number, name in facts.facts["classes"].items()} == SCANNET20


def test_infos_name_the_classes_as_the_trainer_does(tmp_path: Path) -> None:
    export(Mmdet3d, tmp_path, small_room())
    metainfo = infos(tmp_path, "train")["metainfo"]
    assert metainfo == {
        "categories": {name: number for number, name in enumerate(SCANNET_NAMES)},
        "dataset": "scannet",
        "info_version": "1.1",
    }


def test_infos_name_the_classes_of_ones_own(tmp_path: Path) -> None:
    export(Mmdet3d, tmp_path, renamed_classes(small_room()))
    categories = infos(tmp_path, "train")["metainfo"]["categories"]
    assert categories == {"own_a": 0, "own_b": 1, "own_c": 2}


def test_both_trainers_find_their_infos_of_each_split(tmp_path: Path) -> None:
    room = small_room()
    scenes = [renamed(room, name, split) for name, split in {"a": "train", "b": "val", "c": "train"}.items()]
    export(Mmdet3d, tmp_path, *scenes)
    for prefix in ("scannet_infos", "scannet_oneformer3d_infos"):
        found = {split: infos(tmp_path, split, prefix)["data_list"] for split in ("train", "val", "test")}
        names = {split: [one["lidar_points"]["lidar_path"] for one in data] for split, data in found.items()}
        assert names == {"train": ["a.bin", "c.bin"], "val": ["b.bin"], "test": []}


def test_scenes_of_the_test_split_have_no_masks(tmp_path: Path) -> None:
    room = small_room("test")
    export(Mmdet3d, tmp_path, room)
    (info,) = infos(tmp_path, "test")["data_list"]
    assert load(tmp_path, info).keys() == {"points", "super_points"}
    assert info["instances"] == []
    assert not list(tmp_path.glob("*_mask/*"))


def test_scenes_without_boxes_have_an_empty_list(tmp_path: Path) -> None:
    export(Mmdet3d, tmp_path, without_boxes(small_room()))
    (info,) = infos(tmp_path, "train")["data_list"]
    assert info["instances"] == []


def test_boxes_without_points_are_annotated_all_the_same(tmp_path: Path) -> None:
    labelled = with_empty_object(small_room())
    export(Mmdet3d, tmp_path, labelled)
    (info,) = infos(tmp_path, "train")["data_list"]
    assert len(info["instances"]) == len(labelled.labels.boxes)


@pytest.mark.parametrize("variant", ["room", "aligned"])
def test_scans_far_away_keep_their_millimetres_and_boxes(variant: str, tmp_path: Path) -> None:
    labelled = far_away(recovered.VARIANTS[variant]())
    (facts,) = export(Mmdet3d, tmp_path, labelled)
    (info,) = infos(tmp_path, "train")["data_list"]
    points = load(tmp_path, info)["points"]
    xyz = points[:, :3].astype(np.float64) + facts.facts["shift"]
    np.testing.assert_allclose(xyz, recovered.file_xyz(labelled), rtol=0, atol=1e-6)
    _check_boxes(labelled, info, points, recovered.ids_of(labelled, tuple(SCANNET18)))


def test_scans_without_alignment_have_the_identity(tmp_path: Path) -> None:
    export(Mmdet3d, tmp_path, small_room())
    (info,) = infos(tmp_path, "train")["data_list"]
    assert info["axis_align_matrix"] == np.eye(4).tolist()


def test_uncertainty_lies_beside(tmp_path: Path) -> None:
    labelled = with_nan(small_room())
    export(Mmdet3d, tmp_path, labelled)
    beside = recovered.arrays((tmp_path / "uncertainty" / f"{labelled.name}.npz").read_bytes())
    assert {len(values) for values in beside.values()} == {len(labelled.kept)}
    np.testing.assert_array_equal(np.load(tmp_path / "kept_points" / f"{labelled.name}.npy"), labelled.kept)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without_colors, "has no colours"),
        (without_classes, "have no class"),
        (with_s3dis_classes, "--format mmdet3d-s3dis"),
    ],
)
def test_what_is_missing_is_refused(change: Callable[[LabelledScene], LabelledScene], why: str, tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=why):
        export(Mmdet3d, tmp_path, change(small_room()))
    assert not tree(tmp_path)


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    recovered.assert_equal_bytes(lambda: Mmdet3d(ExportConfig(to=tmp_path)), lambda: unaligned(small_room()))


def test_infos_do_not_depend_on_objects_in_memory(tmp_path: Path) -> None:
    (facts,) = export(Mmdet3d, tmp_path, small_room())
    row = facts.facts["axis_align_matrix"][0]
    shared = [dict(facts.facts, axis_align_matrix=[row, row]), dict(facts.facts, axis_align_matrix=[row, list(row)])]
    first, second = (dict(Mmdet3d.index_files([SceneFacts("a", "train", one)])) for one in shared)
    assert first == second


def test_infos_hold_nothing_but_python(tmp_path: Path) -> None:
    export(Mmdet3d, tmp_path, unaligned(small_room()))
    content = (tmp_path / "scannet_infos_train.pkl").read_bytes()
    assert b"numpy" not in content
    assert content[:2] == b"\x80\x04"
