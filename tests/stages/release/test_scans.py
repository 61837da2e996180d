"""A scan that is released and read as a folder of scans is the same scene."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stages.export.base import npz_bytes
from stages.release.scans import scan_arrays
from stages.scenes.annotate import assemble
from stages.scenes.classes import SCANNET18
from stages.scenes.config import FolderConfig
from stages.scenes.folder import read
from stages.structures import Scene
from tests.stages.scenery import two_objects


def again(scene: Scene, folder: Path) -> Scene:
    """The scene as the reader of folders finds it."""
    file = folder / f"{scene.scene}.npz"
    file.write_bytes(npz_bytes(**scan_arrays(scene)))
    classes = "scannet18" if scene.class_names == tuple(SCANNET18) else scene.class_names
    config = FolderConfig(path=folder, classes=classes)
    found, findings = assemble(read(scene.scene, (file,), config), config, seed=3)
    assert found is not None, findings
    return found


def assert_same(ours: Scene, theirs: Scene) -> None:
    for name in ("xyz", "rgb", "normals", "faces", "given_superpoint", "background_boxes", "instance", "offset"):
        one, other = getattr(ours, name), getattr(theirs, name)
        assert (one is None) == (other is None), name
        if one is not None:
            assert one.dtype == other.dtype, name
            np.testing.assert_array_equal(one, other, err_msg=name)
    for name in ("corners", "class_index", "instance"):
        np.testing.assert_array_equal(getattr(ours.boxes, name), getattr(theirs.boxes, name), err_msg=name)
    np.testing.assert_array_equal(ours.instance_class, theirs.instance_class)
    assert ours.class_names == theirs.class_names


def full() -> Scene:
    """With everything that a source can have."""
    scene = two_objects()
    points = len(scene)
    up = np.tile(np.array([0, 0, 1], np.float32), (points, 1))
    return replace(
        scene,
        normals=up,
        faces=np.array([[0, 1, 2], [2, 3, 4]], np.int32),
        given_superpoint=(np.arange(points) // 100).astype(np.int32),
        background_boxes=np.array([[-1, -1, -0.1, 5, 5, 0.1]], np.float32),
    )


@pytest.mark.parametrize("scene", [two_objects(), full()], ids=["plain", "full"])
def test_the_same_scene_comes_back(scene: Scene, tmp_path: Path) -> None:
    assert_same(scene, again(scene, tmp_path))


def test_far_coordinates_come_back_to_a_nanometre(tmp_path: Path) -> None:
    scene = two_objects()
    low = np.floor(scene.xyz.min(axis=0))
    shift = np.array([450_000.0, 5_400_000.0, 300.0])
    moved = replace(
        scene,
        xyz=scene.xyz - low.astype(np.float32),
        offset=shift + low,
        boxes=replace(scene.boxes, corners=scene.boxes.corners - np.tile(low, 2).astype(np.float32)),
    )
    found = again(moved, tmp_path)
    np.testing.assert_array_equal(found.offset, moved.offset)
    np.testing.assert_allclose(found.xyz, moved.xyz, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.boxes.corners, moved.boxes.corners, rtol=0, atol=1e-9)


def test_semantic_ids_of_a_foreign_numbering_become_places_in_the_classes(tmp_path: Path) -> None:
    scene = two_objects()
    assert scene.instance is not None
    foreign = np.where(scene.instance < 0, 1, 5 + scene.instance).astype(np.int32)
    assert_same(scene, again(replace(scene, semantic=foreign), tmp_path))


def test_under_scannets_classes_ids_stay_those_of_nyu(tmp_path: Path) -> None:
    scene = two_objects()
    assert scene.instance is not None
    nyu = np.array([7, 3, 1], np.int32)[scene.instance]
    named = replace(scene, class_names=tuple(SCANNET18), semantic=nyu, instance_class=np.array([4, 0], np.int32))
    found = again(named, tmp_path)
    assert_same(named, found)
    np.testing.assert_array_equal(found.semantic, nyu)


def test_points_that_are_not_finite_keep_their_place(tmp_path: Path) -> None:
    scene = two_objects()
    xyz = scene.xyz.copy()
    xyz[3, 1] = np.nan
    np.testing.assert_array_equal(again(replace(scene, xyz=xyz), tmp_path).xyz, xyz)
