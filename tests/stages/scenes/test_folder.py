"""The reader of own scans: discovery, classes, boxes beside the points, and the real scans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import InputError
from stages.scenes.annotate import assemble
from stages.scenes.config import FolderConfig
from stages.scenes.folder import discover, read
from stages.scenes.scan import Scan, ScanError

POINTS = 60


def _save(folder: Path, scene: str = "room", **arrays: Any) -> None:
    xyz = np.random.default_rng(0).normal(size=(POINTS, 3))
    np.savez(folder / f"{scene}.npz", **({"xyz": xyz, "normals": np.ones((POINTS, 3))} | arrays))


def _read(folder: Path, **options: Any) -> Scan:
    config = FolderConfig(path=folder, **options)
    (source,) = discover(config)
    return read(source.scene, source.files, config)


def test_one_scene_a_file_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.npz", "a.1.ply", "C.pcd", "notes.txt", "lonely.boxes.json", ".hidden.npz", "a.1.boxes.json"):
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.npz").touch()
    (tmp_path / "folder.npz").mkdir()
    sources = {source.scene: [file.name for file in source.files] for source in discover(FolderConfig(path=tmp_path))}
    assert sources == {"C": ["C.pcd"], "a.1": ["a.1.ply", "a.1.boxes.json"], "b": ["b.npz"]}


def test_nothing_to_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\*\.npz, \*\.ply and \*\.pcd"):
        discover(FolderConfig(path=tmp_path))
    with pytest.raises(InputError, match="absent"):
        discover(FolderConfig(path=tmp_path / "absent"))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no folder"):
        discover(FolderConfig(path=tmp_path / "file"))


def test_names_that_make_no_id(tmp_path: Path) -> None:
    (tmp_path / "my room.npz").touch()
    with pytest.raises(InputError, match="my room"):
        discover(FolderConfig(path=tmp_path))


def test_two_files_of_one_id_fail_that_scene(tmp_path: Path) -> None:
    _save(tmp_path)
    (tmp_path / "room.ply").touch()
    with pytest.raises(ScanError, match=r"2 files for scene room: room\.npz, room\.ply"):
        _read(tmp_path)


def test_box_file_beside_the_points(tmp_path: Path) -> None:
    _save(tmp_path)
    box = {"min": [0, 0, 0], "max": [1, 1, 1], "class": "chair"}
    (tmp_path / "room.boxes.json").write_text(json.dumps({"boxes": [box]}))
    scan = _read(tmp_path)
    assert scan.boxes is not None
    assert scan.boxes.class_index.tolist() == [2]
    _save(tmp_path, boxes=np.zeros((1, 6)))
    assert [finding.severity for finding in _read(tmp_path).findings] == ["error"]


def test_background_boxes_of_both_kinds_of_files(tmp_path: Path) -> None:
    _save(tmp_path, background_boxes=np.array([[0, 0, 0, 1, 1, 0.1]]))
    assert np.asarray(_read(tmp_path).background_boxes).tolist() == [[0, 0, 0, 1, 1, 0.1]]
    slab = {"min": [0, 0, 0], "max": [2, 2, 0.1]}
    (tmp_path / "room.boxes.json").write_text(json.dumps({"boxes": [], "background": [slab]}))
    scan = _read(tmp_path)
    assert np.asarray(scan.background_boxes).tolist() == [[0, 0, 0, 2, 2, 0.1]]
    scene, _ = assemble(scan, FolderConfig(path=tmp_path), 0)
    assert scene is not None
    assert scene.background_boxes is not None
    assert scene.background_boxes.shape == (1, 6)


def test_background_boxes_that_cannot_be(tmp_path: Path) -> None:
    _save(tmp_path)
    boxes = tmp_path / "room.boxes.json"
    boxes.write_text(json.dumps({"boxes": [], "background": [{"min": [0, 0, 0]}]}))
    with pytest.raises(ScanError, match="'background' cannot be read"):
        _read(tmp_path)
    boxes.write_text(json.dumps({"boxes": [], "background": [{"min": [0, 0, 0], "max": [1, -1, 1]}]}))
    scene, findings = assemble(_read(tmp_path), FolderConfig(path=tmp_path), 0)
    assert scene is None
    assert any("background boxes have max < min" in finding.message for finding in findings)


def test_scans_without_normals_and_mesh_are_said_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "room.npz", xyz=np.zeros((3, 3)))
    (finding,) = _read(tmp_path).findings
    assert finding.severity == "warning"
    assert finding.message.endswith("room.npz: no normals")
    np.savez(tmp_path / "room.npz", xyz=np.zeros((3, 3)), faces=np.array([[0, 1, 2]]))
    assert _read(tmp_path).findings == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [4, -1, -1]),  # NYU40 ids of table, wall, none
        ({"semantic_map": "index"}, [7, 1, 0]),
        ({"classes": ("a", "b")}, [-1, 1, 0]),
        ({"classes": ("a", "b"), "semantic_map": "none"}, [-1, -1, -1]),
    ],
)
def test_semantic_ids_name_classes(tmp_path: Path, options: dict[str, Any], expected: list[int]) -> None:
    instance = np.repeat([0, 1, 2], 20)
    _save(tmp_path, instance=instance, semantic=np.array([7, 1, 0])[instance])
    config = FolderConfig(path=tmp_path, minimum_instance_points=20, **options)
    scene, _ = assemble(_read(tmp_path, **options), config, 0)
    assert scene is not None
    assert scene.instance_class is not None
    assert scene.instance_class.tolist() == expected
    annotated = [0, 1, 2] if options.get("semantic_map") == "none" else np.flatnonzero(np.array(expected) >= 0).tolist()
    assert scene.boxes.instance.tolist() == annotated


def test_semantic_ids_beyond_the_classes_are_said(tmp_path: Path) -> None:
    _save(tmp_path, instance=np.zeros(POINTS, int), semantic=np.full(POINTS, 2))
    assert _read(tmp_path, classes=("a", "b", "c")).findings == ()
    assert "ids up to 2, beyond the 2 classes" in _read(tmp_path, classes=("a", "b")).findings[0].message
    assert _read(tmp_path).findings == ()  # NYU40 ids


@pytest.mark.parametrize(
    "options",
    [
        {"classes": ()},
        {"classes": ("a", "a")},
        {"classes": ("a",), "semantic_map": "scannet18"},
        {"box_key": "corners"},
        {"minimum_instance_points": 0},
        {"noise": {"drop": 2}},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FolderConfig(path=Path(), **options)


@pytest.mark.real
def test_boxes_of_the_real_scans(real_scans: Path) -> None:
    config = FolderConfig(path=real_scans)
    boxes = {}
    for source in discover(config):
        scene, findings = assemble(read(source.scene, source.files, config), config, 0)
        assert scene is not None
        assert all(finding.message.endswith(("no colour", "no normals")) for finding in findings)
        boxes[source.scene] = len(scene.boxes)
    assert len(boxes) == 15
    assert (boxes["scene0000_00_full"], boxes["laser_office1"], boxes["laser_office2"]) == (27, 44, 13)
    assert sum(count for scene, count in boxes.items() if scene.startswith("scene") and "full" not in scene) == 222


@pytest.mark.real
def test_boxes_of_the_full_scan_enclose_those_of_the_subset(real_scans: Path) -> None:
    files = (real_scans / "scene0000_00.npz",)
    for_points, for_mesh = FolderConfig(path=real_scans), FolderConfig(path=real_scans, box_key="full_boxes")
    small, _ = assemble(read("scene0000_00", files, for_points), for_points, 0)
    large, _ = assemble(read("scene0000_00", files, for_mesh), for_mesh, 0)
    assert small is not None
    assert large is not None
    order = np.argsort(large.boxes.instance)
    assert np.array_equal(large.boxes.instance[order], small.boxes.instance)
    assert np.array_equal(large.boxes.class_index[order], small.boxes.class_index)
    grown = np.sign([-1, -1, -1, 1, 1, 1]) * (large.boxes.corners[order] - small.boxes.corners)
    assert grown.min() > -1e-6
    assert 0.01 < grown.max() < 0.06
