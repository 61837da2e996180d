"""SSTNet's tuples, read back as its data set reads them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, Written
from stages.export.formats.sstnet import SstNet
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18, SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    RealLabelled,
    small_room,
    with_mesh,
    with_nan,
    with_s3dis_classes,
    without_boxes,
    without_classes,
    without_colors,
)

MESHES = {name: (lambda make=make: with_mesh(make())) for name, make in recovered.VARIANTS.items()}


def exported() -> SstNet:
    return SstNet(ExportConfig(to=Path("nowhere")))


def check(labelled: LabelledScene, written: Written) -> None:
    """Everything that the reader relies on."""
    found = recovered.load(written, f"train/{labelled.name}_inst_nostuff.pth")
    coords, colors, faces, semantic, instance, shift, scene = found
    assert type(scene) is str
    assert scene == labelled.name
    recovered.assert_centered(labelled, coords)
    assert shift.shape == (3,)
    np.testing.assert_allclose(coords - shift, recovered.file_xyz(labelled), rtol=0, atol=2e-6)
    recovered.assert_colors_from_minus_one(labelled, colors)
    recovered.assert_instances(labelled, instance, none=-100)
    ids = recovered.ids_of(labelled, tuple(SCANNET20))
    recovered.assert_classes(labelled, semantic, ids, background=0, nothing=-100)
    ids = recovered.ids_of(labelled, tuple(SCANNET18))
    shifted = np.where(semantic == -100, semantic, semantic - 2)
    assert recovered.instances_of(shifted, instance) == recovered.our_instances(labelled, ids)
    _check_faces(labelled, coords, faces)
    recovered.assert_says_what_was_left_out(labelled, written)
    recovered.assert_readable_by_old_numpy(written)


def _check_faces(labelled: LabelledScene, coords: np.ndarray, faces: np.ndarray) -> None:
    """The corners of the triangles are where the scan's are; those with a lost corner are gone."""
    assert faces.dtype == np.int32
    assert faces.shape[1] == 3
    ours = labelled.scene.faces
    assert ours is not None
    finite = np.isfinite(labelled.scene.xyz).all(axis=1)
    everywhere = np.full((len(finite), 3), np.nan)
    everywhere[finite] = recovered.file_xyz(labelled)
    corners = everywhere[ours]
    corners = corners[np.isfinite(corners).all(axis=(1, 2))] - everywhere[finite].mean(axis=0)
    assert len(corners)
    np.testing.assert_allclose(coords[faces], corners, rtol=0, atol=2e-6)


@pytest.mark.parametrize("make", MESHES.values(), ids=MESHES)
def test_the_reader_finds_our_objects(make: Callable[[], LabelledScene]) -> None:
    labelled = make()
    check(labelled, exported().scene_files(labelled))


@pytest.mark.real
def test_the_reader_finds_our_objects_in_a_real_scan(real_labelled: RealLabelled) -> None:
    labelled = real_labelled("scene0000_00_full")
    written = exported().scene_files(labelled)
    assert not written.warnings
    check(labelled, written)


@pytest.mark.parametrize("make", MESHES.values(), ids=MESHES)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(exported, make)


def test_a_scene_for_tests_holds_no_labels() -> None:
    written = exported().scene_files(with_mesh(small_room("test")))
    coords, colors, faces, scene = recovered.load(written, "test/room_0000_inst_nostuff.pth")
    assert coords.shape == colors.shape == (3000, 3)
    assert faces.max() < 3000
    assert scene == "room_0000"


def test_the_truth_of_a_scene_for_validation_has_a_line_a_point() -> None:
    room = with_nan(with_mesh(small_room("val")))
    truth = np.array(exported().scene_files(room).files["val_gt/room_0000.txt"].split(), np.int64)
    recovered.assert_instances(room, np.where(truth > 0, truth % 1000 - 1, -100), none=-100)


def test_faces_lost_with_their_points_are_warned_of() -> None:
    assert not exported().scene_files(with_mesh(small_room())).warnings
    room = with_mesh(with_nan(small_room()))
    (warning,) = exported().scene_files(room).warnings
    lost = ~np.isfinite(room.scene.xyz).all(axis=1)
    faces = room.scene.faces
    assert faces is not None
    assert warning.startswith(
        f"{lost.sum()} points that are not finite left out, with {lost[faces].any(axis=1).sum()} "
    )


def test_a_room_without_boxes_is_warned_of() -> None:
    lost, (warning,) = with_nan(small_room()), exported().scene_files(with_mesh(without_boxes(small_room()))).warnings
    assert "leave this scene out of training" in warning
    assert len(exported().scene_files(with_mesh(without_boxes(lost))).warnings) == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda labelled: labelled, "no mesh.*add `faces`.*spformer"),
        (lambda labelled: without_colors(with_mesh(labelled)), "no colours"),
        (lambda labelled: without_classes(with_mesh(labelled)), "have no class"),
        (with_s3dis_classes, "--format softgroup-s3dis"),
    ],
)
def test_what_the_run_does_not_have_is_refused(spoil: Callable[[LabelledScene], LabelledScene], said: str) -> None:
    with pytest.raises(SceneError, match=f"room_0000.*{said}"):
        exported().scene_files(spoil(small_room()))
