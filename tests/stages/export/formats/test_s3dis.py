"""Five trainers on S3DIS: each one's files are read by its own rules; no two agree."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stages.export.base import ExportConfig, Format, SceneFacts, Written
from stages.export.formats.isbnet_s3dis import IsbnetS3dis
from stages.export.formats.mask3d_s3dis import Mask3dS3dis
from stages.export.formats.mmdet3d_s3dis import Mmdet3dS3dis
from stages.export.formats.pointcept_s3dis import PointceptS3dis
from stages.export.formats.s3dis import area_and_room
from stages.export.formats.softgroup_s3dis import SoftGroupS3dis
from stages.export.scene import LabelledScene
from tests.stages.export.formats import recovered
from tests.stages.export.formats.s3dis_rooms import (
    CHAIR_FIRST,
    ELSEWHERE,
    ROOM,
    TABLE_FIRST,
    VARIANTS,
    as_s3dis,
    assert_float_xyz,
    assert_refuses_what_is_missing,
    ids,
    indexed,
    rgb,
)
from tests.stages.export.labelled import RealLabelled, small_room, with_nan

NAMES = tuple(ids(TABLE_FIRST))


def check_softgroup(labelled: LabelledScene, written: Written) -> None:
    """SoftGroup unpacks six, and numbers instances anew where there is a gap, at 0 to begin with."""
    xyz, colors, semantic, instance, kind, name = recovered.load(written, f"preprocess/{ROOM}_inst_nostuff.pth")
    assert_float_xyz(labelled, xyz)
    recovered.assert_colors_from_minus_one(labelled, colors)
    assert semantic.dtype == instance.dtype == np.int64
    recovered.assert_classes(labelled, semantic, ids(CHAIR_FIRST), background=-100, nothing=-100)
    recovered.assert_instances(labelled, instance, none=-100, first=1)
    found = recovered.instances_of(semantic, instance)
    assert found == recovered.our_instances(labelled, ids(CHAIR_FIRST))
    assert kind.tolist() == [3]
    assert name == ROOM
    recovered.assert_readable_by_old_numpy(written)


def check_isbnet(labelled: LabelledScene, written: Written) -> None:
    """ISBNet globs ``preprocess/Area_5*_inst_nostuff.pth`` and asks for ``superpoints/<room>.pth``."""
    xyz, colors, semantic, instance = recovered.load(written, f"preprocess/{ROOM}_inst_nostuff.pth")
    assert_float_xyz(labelled, xyz)
    assert colors.dtype == np.float32
    np.testing.assert_array_equal(colors, rgb(labelled))
    assert semantic.dtype == instance.dtype == np.int32
    recovered.assert_classes(labelled, semantic, ids(TABLE_FIRST), background=-100, nothing=-100)
    recovered.assert_instances(labelled, instance, none=-100)
    found = recovered.instances_of(semantic, instance)
    assert found == recovered.our_instances(labelled, ids(TABLE_FIRST))
    superpoint = recovered.load(written, f"superpoints/{ROOM}.pth")
    assert superpoint.dtype == np.int64
    recovered.assert_regions(labelled, torch.from_numpy(superpoint).numpy())
    recovered.assert_readable_by_old_numpy(written)


def check_pointcept(labelled: LabelledScene, written: Written) -> None:
    """Pointcept lists the folder of a room, takes the names that it knows, and flattens the labels."""
    folder = "Area_5/office_1/"
    assets = {
        name.removeprefix(folder)[:-4]: np.load(io.BytesIO(content))
        for name, content in written.files.items()
        if name.startswith(folder) and name.endswith(".npy")
    }
    assert_float_xyz(labelled, assets["coord"])
    assert assets["color"].dtype == np.uint8
    np.testing.assert_array_equal(assets["color"], rgb(labelled))
    assert assets["normal"].dtype == np.float32
    assert assets["normal"].shape == assets["coord"].shape
    assert assets["segment"].dtype == assets["instance"].dtype == np.int16
    assert assets["segment"].shape == assets["instance"].shape == (len(assets["coord"]), 1)
    segment, instance = (assets[name].reshape([-1]).astype(np.int32) for name in ("segment", "instance"))
    recovered.assert_classes(labelled, segment, ids(TABLE_FIRST), background=-1, nothing=-1)
    recovered.assert_instances(labelled, instance, none=-1)
    recovered.assert_regions(labelled, assets["superpoint"])
    known = {"coord", "color", "normal", "segment", "instance"}
    assert set(assets) - known == {"superpoint", "probability", "mean", "variance", "uncertainty", "source"}


def check_mask3d(labelled: LabelledScene, written: Written) -> None:
    """Mask3D opens the file that a database names, and takes class and object from columns 10 and 11."""
    index = indexed(Mask3dS3dis, written)
    (entry,) = yaml.safe_load(index["Area_5_database.yaml"])
    home = "data/processed/boxgp_s3dis/"
    points = np.load(io.BytesIO(written.files[entry["filepath"].removeprefix(home)]))
    assert points.dtype == np.float32
    assert points.shape == (entry["file_len"], 12)
    assert_float_xyz(labelled, points[:, :3])
    np.testing.assert_array_equal(points[:, 3:6], rgb(labelled))
    assert np.isfinite(points[:, 6:9]).all()
    recovered.assert_regions(labelled, points[:, 9].astype(np.int64))
    labels = yaml.safe_load(index["label_database.yaml"])
    assert [labels[number]["name"] for number in range(13)] == list(NAMES)
    assert all(label["validation"] for label in labels.values())
    semantic = points[:, 10].astype(np.int32)
    semantic[~np.isin(semantic, list(labels))] = 255
    recovered.assert_classes(labelled, semantic, ids(TABLE_FIRST), background=255, nothing=255)
    recovered.assert_instances(labelled, points[:, 11].astype(np.int32), none=-1)
    truth = np.loadtxt(io.BytesIO(written.files[entry["instance_gt_filepath"].removeprefix(home)]), dtype=np.int64)
    there = points[:, 11] >= 0
    np.testing.assert_array_equal(truth[there], (points[there, 10] + 1) * 1000 + points[there, 11] + 1)
    assert (truth[~there] < 1000).all()
    # the name of the scan, and what is looked for in the list of scans to skip
    assert entry["area"] + "_" + entry["scene"] == ROOM
    assert entry["raw_filepath"].split("/")[-2] == "Area_5"


def check_mmdet3d(labelled: LabelledScene, written: Written) -> None:
    """MMDetection3D joins its folders and the names in the info file of an area; 13 and above is no class."""
    infos = pickle.loads(indexed(Mmdet3dS3dis, written)["s3dis_infos_Area_5.pkl"])
    (info,) = infos["data_list"]
    assert infos["metainfo"]["categories"] == {"table": 0, "chair": 1, "sofa": 2, "bookcase": 3, "board": 4}
    points = np.frombuffer(written.files["points/" + info["lidar_points"]["lidar_path"]], np.float32).reshape(-1, 6)
    xyz = labelled.scene.xyz[np.isfinite(labelled.scene.xyz).all(axis=1)]
    np.testing.assert_allclose(points[:, :3], xyz - xyz.min(axis=0), rtol=0, atol=2e-6)
    np.testing.assert_array_equal(points[:, 3:], rgb(labelled))
    semantic = np.frombuffer(written.files["semantic_mask/" + info["pts_semantic_mask_path"]], np.int64)
    recovered.assert_classes(labelled, semantic, ids(TABLE_FIRST), background=13, nothing=13)
    instance = np.frombuffer(written.files["instance_mask/" + info["pts_instance_mask_path"]], np.int64)
    recovered.assert_instances(labelled, instance, none=0, first=1)
    recovered.assert_regions(labelled, np.frombuffer(written.files["super_points/" + info["super_pts_path"]], np.int64))
    _check_instances_of_oneformer3d(labelled, semantic.copy(), instance.copy())
    _check_boxes(labelled, info, xyz.min(axis=0))


def _check_instances_of_oneformer3d(labelled: LabelledScene, semantic: np.ndarray, instance: np.ndarray) -> None:
    """OneFormer3D drops what has no class, and numbers the instances that remain."""
    instance[semantic == 13] = -1
    numbers = np.unique(instance)
    numbers = numbers[numbers >= 0]
    found = [(int(semantic[instance == number][0]), (instance == number).tobytes()) for number in numbers]
    assert sorted(found) == recovered.our_instances(labelled, ids(TABLE_FIRST))


def _check_boxes(labelled: LabelledScene, info: dict[str, Any], least: np.ndarray) -> None:
    boxes = labelled.labels.boxes
    detected = [k for k, index in enumerate(boxes.class_index) if 7 <= ids(TABLE_FIRST)[NAMES[index]] <= 11]
    assert [one["bbox_label_3d"] for one in info["instances"]] == [
        ids(TABLE_FIRST)[NAMES[boxes.class_index[k]]] - 7 for k in detected
    ]
    if detected:
        found = np.array([one["bbox_3d"] for one in info["instances"]])
        corners = np.hstack([found[:, :3] - found[:, 3:] / 2, found[:, :3] + found[:, 3:] / 2]) + np.tile(least, 2)
        np.testing.assert_allclose(corners, boxes.corners[detected], atol=1e-5)


CHECKS: dict[type[Format], Callable[[LabelledScene, Written], None]] = {
    SoftGroupS3dis: check_softgroup,
    IsbnetS3dis: check_isbnet,
    PointceptS3dis: check_pointcept,
    Mask3dS3dis: check_mask3d,
    Mmdet3dS3dis: check_mmdet3d,
}
every_format = pytest.mark.parametrize("kind", CHECKS, ids=lambda kind: kind.name)


def made(kind: type[Format]) -> Callable[[], Format]:
    return lambda: kind(ExportConfig(to=Path("nowhere")))


@every_format
@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
def test_readers_find_our_objects(kind: type[Format], make: Callable[[], LabelledScene]) -> None:
    labelled = make()
    CHECKS[kind](labelled, made(kind)().scene_files(labelled))


@pytest.mark.real
@every_format
def test_readers_find_our_objects_in_a_real_scan(kind: type[Format], real_labelled: RealLabelled) -> None:
    """Not of S3DIS: its classes are given to the objects of another scan."""
    labelled = as_s3dis(real_labelled("scene0000_00"))
    assert labelled.labels.mask.any(axis=1).sum() > 10
    CHECKS[kind](labelled, made(kind)().scene_files(labelled))


@every_format
@pytest.mark.parametrize("make", VARIANTS.values(), ids=VARIANTS)
def test_equal_labels_give_equal_bytes(kind: type[Format], make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(made(kind), make)


@every_format
def test_what_the_run_does_not_have_is_refused(kind: type[Format]) -> None:
    assert_refuses_what_is_missing(made(kind), as_s3dis(small_room()))


@every_format
def test_lost_points_and_uncertainty_lie_beside(kind: type[Format]) -> None:
    lost = as_s3dis(with_nan(small_room()))
    files = made(kind)().scene_files(lost).files
    assert f"kept_points/{ROOM}.npy" in files
    if kind is not PointceptS3dis:
        arrays = recovered.arrays(files[f"uncertainty/{ROOM}.npz"])
        assert {len(values) for values in arrays.values()} == {len(lost.kept)}


@every_format
def test_no_split_is_needed(kind: type[Format]) -> None:
    assert not kind.needs_split
    for split in ("", "val", "test"):
        room = as_s3dis(small_room(split))
        CHECKS[kind](room, made(kind)().scene_files(room))


def test_kinds_of_rooms_are_softgroups() -> None:
    for name, label in ((ELSEWHERE, 0), ("Area_1_WC_1", 5), ("Area_6_openspace_1", 10), ("Area_1_garage_1", -1)):
        written = made(SoftGroupS3dis)().scene_files(as_s3dis(small_room(), name))
        kind = recovered.load(written, f"preprocess/{name}_inst_nostuff.pth")[4]
        assert kind.tolist() == [label]


def test_areas_and_rooms() -> None:
    assert area_and_room(ELSEWHERE) == ("Area_2", "conferenceRoom_12")


def both_areas(kind: type[Format]) -> list[SceneFacts]:
    rooms = [as_s3dis(small_room(), name) for name in (ELSEWHERE, ROOM)]
    return [SceneFacts(room.name, "", made(kind)().scene_files(room).facts) for room in rooms]


def test_mask3d_trains_on_all_areas_but_one() -> None:
    index = {name: yaml.safe_load(text) for name, text in Mask3dS3dis.index_files(both_areas(Mask3dS3dis))}
    scenes = {
        name: [one["scene"] for one in database]
        for name, database in index.items()
        if name.endswith("_database.yaml") and "Area" in name
    }
    assert scenes["Area_5_database.yaml"] == scenes["train_Area_2_database.yaml"] == ["office_1"]
    assert scenes["Area_2_database.yaml"] == scenes["train_Area_5_database.yaml"] == ["conferenceRoom_12"]
    assert scenes["train_Area_1_database.yaml"] == ["conferenceRoom_12", "office_1"]
    assert scenes["Area_1_database.yaml"] == []
    rgb_share = rgb(as_s3dis(small_room())) / 255
    statistics = index["Area_2_color_mean_std.yaml"]
    np.testing.assert_allclose(statistics["mean"], rgb_share.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(statistics["std"], rgb_share.std(axis=0), rtol=1e-4)


def test_mmdet3d_has_an_info_file_for_each_area() -> None:
    index = {name: pickle.loads(content) for name, content in Mmdet3dS3dis.index_files(both_areas(Mmdet3dS3dis))}
    assert set(index) == {f"s3dis_infos_Area_{number}.pkl" for number in range(1, 7)}
    paths = {name: [one["lidar_points"]["lidar_path"] for one in infos["data_list"]] for name, infos in index.items()}
    assert paths["s3dis_infos_Area_2.pkl"] == [f"{ELSEWHERE}.bin"]
    assert paths["s3dis_infos_Area_5.pkl"] == [f"{ROOM}.bin"]
    assert paths["s3dis_infos_Area_1.pkl"] == []
