"""SoftGroup's tuples, read back as PointGroup, SoftGroup and ISBNet read them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, Written
from stages.export.formats.softgroup import SoftGroup
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18, SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    with_s3dis_classes,
    without_boxes,
    without_classes,
    without_colors,
)


def exported() -> SoftGroup:
    return SoftGroup(ExportConfig(to=Path("nowhere")))


def check(labelled: LabelledScene, written: Written) -> None:
    """Everything that the readers rely on."""
    coords, colors, semantic, instance = recovered.load(written, f"train/{labelled.name}_inst_nostuff.pth")
    recovered.assert_centered(labelled, coords)
    recovered.assert_colors_from_minus_one(labelled, colors)
    assert semantic.dtype == instance.dtype == np.float64
    assert semantic.shape == instance.shape == (len(coords),)
    ids = recovered.ids_of(labelled, tuple(SCANNET20))
    recovered.assert_instances(labelled, instance, none=-100)
    recovered.assert_classes(labelled, semantic, ids, background=0, nothing=-100)
    _check_as_loaded(labelled, semantic, instance)
    superpoint = recovered.load(written, f"superpoints/{labelled.name}.pth")
    assert superpoint.dtype == np.int64
    recovered.assert_regions(labelled, torch.from_numpy(superpoint).numpy())
    recovered.assert_says_what_was_left_out(labelled, written)
    recovered.assert_readable_by_old_numpy(written)


def _check_as_loaded(labelled: LabelledScene, semantic: np.ndarray, instance: np.ndarray) -> None:
    """SoftGroup takes 2 from the classes of instances, and finds no instance of what then is below 0."""
    shifted = np.where(semantic == -100, semantic, semantic - 2)
    ids = recovered.ids_of(labelled, tuple(SCANNET18))
    assert recovered.instances_of(shifted, instance) == recovered.our_instances(labelled, ids)
    assert (shifted[instance >= 0] >= 0).all()


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_readers_find_our_objects(make: Callable[[], LabelledScene]) -> None:
    labelled = make()
    check(labelled, exported().scene_files(labelled))


@pytest.mark.real
def test_readers_find_our_objects_in_a_real_scan(real_labelled: RealLabelled) -> None:
    labelled = real_labelled("scene0000_00")
    assert labelled.labels.mask.any(axis=1).sum() > 10
    check(labelled, exported().scene_files(labelled))


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(exported, make)


def test_a_scene_for_tests_holds_points_alone() -> None:
    written = exported().scene_files(small_room("test"))
    coords, colors = recovered.load(written, "test/room_0000_inst_nostuff.pth")
    assert coords.shape == colors.shape == (3000, 3)


def test_each_split_has_its_folder() -> None:
    assert "val/room_0000_inst_nostuff.pth" in exported().scene_files(small_room("val")).files


def test_points_far_from_the_origin_keep_their_precision() -> None:
    room = small_room()
    far = replace(room, scene=replace(room.scene, offset=np.array([500_000.0, 5_800_000.0, 30.0])))
    written = exported().scene_files(far)
    coords = recovered.load(written, "train/room_0000_inst_nostuff.pth")[0]
    np.testing.assert_allclose(coords, room.scene.xyz - room.scene.xyz.mean(axis=0, dtype=np.float64), atol=2e-6)
    np.testing.assert_allclose(coords + np.array(written.facts["mean"]), recovered.file_xyz(far), rtol=0, atol=1e-5)


def test_the_index_names_frame_and_classes() -> None:
    facts = exported().scene_files(small_room()).facts
    assert facts["coords"] == "input, minus mean"
    assert facts["classes"]["0"] == "wall"
    assert facts["classes"]["19"] == "otherfurniture"
    own = exported().scene_files(renamed_classes(small_room())).facts["classes"]
    assert own == {"0": "wall", "1": "floor", "2": "own_a", "3": "own_b", "4": "own_c"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_colors, "no colours.*add `rgb`"),
        (without_classes, "have no class.*name their classes"),
        (with_s3dis_classes, "--format softgroup-s3dis"),
    ],
)
def test_what_the_run_does_not_have_is_refused(spoil: Callable[[LabelledScene], LabelledScene], said: str) -> None:
    with pytest.raises(SceneError, match=f"room_0000.*{said}"):
        exported().scene_files(spoil(small_room()))


def test_uncertainty_goes_beside() -> None:
    labelled = small_room()
    content = exported().scene_files(labelled).files["uncertainty/room_0000.npz"]
    arrays = recovered.arrays(content)
    assert set(arrays) == {"probability", "mean", "variance", "uncertainty", "source"}
    of_region = labelled.labels.uncertainty[labelled.labels.superpoint]
    np.testing.assert_array_equal(arrays["uncertainty"], of_region)
    probability = labelled.labels.at_points("probability")
    background = ~labelled.labels.at_points("mask").any(axis=0)
    np.testing.assert_array_equal(
        arrays["probability"][~background], (probability * labelled.labels.at_points("mask")).sum(axis=0)[~background]
    )
    np.testing.assert_allclose(arrays["probability"][background], 1 - probability.sum(axis=0)[background], atol=1e-6)


def test_a_scene_without_boxes_without_classes_is_background() -> None:
    bare = without_boxes(without_classes(small_room()))
    semantic, instance = recovered.load(exported().scene_files(bare), "train/room_0000_inst_nostuff.pth")[2:]
    assert (semantic == 0).all()
    assert (instance == -100).all()
