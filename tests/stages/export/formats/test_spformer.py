"""SPFormer's tuples, read back as its data set reads them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, Written
from stages.export.formats.spformer import SpFormer
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18, SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    with_ignored,
    with_s3dis_classes,
    without_classes,
    without_colors,
)


def exported() -> SpFormer:
    return SpFormer(ExportConfig(to=Path("nowhere")))


def check(labelled: LabelledScene, written: Written) -> None:
    """Everything that the reader relies on."""
    found = recovered.load(written, f"train/{labelled.name}_inst_nostuff.pth")
    coords, colors, superpoint, semantic, instance = found
    assert [len(values) for values in found] == [len(coords)] * 5
    recovered.assert_centered(labelled, coords)
    recovered.assert_colors_from_minus_one(labelled, colors)
    assert superpoint.dtype == np.int64
    recovered.assert_regions(labelled, superpoint)
    ids = recovered.ids_of(labelled, tuple(SCANNET20))
    recovered.assert_instances(labelled, instance, none=-100)
    recovered.assert_classes(labelled, semantic, ids, background=0, nothing=-100)
    _check_as_loaded(labelled, superpoint, semantic, instance)
    recovered.assert_says_what_was_left_out(labelled, written)
    recovered.assert_readable_by_old_numpy(written)


def _check_as_loaded(
    labelled: LabelledScene, superpoint: np.ndarray, semantic: np.ndarray, instance: np.ndarray
) -> None:
    """SPFormer ignores classes below 2, takes 2 from the others, and pools each mask over superpoints."""
    kind = np.where(semantic < 2, -100, semantic - 2)
    ids = recovered.ids_of(labelled, tuple(SCANNET18))
    found = recovered.instances_of(kind, instance)
    assert found == recovered.our_instances(labelled, ids)
    for _, content in found:
        mask = np.frombuffer(content, bool)
        share = np.bincount(superpoint, mask) / np.bincount(superpoint)
        np.testing.assert_array_equal((share > 0.5)[superpoint], mask)


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_the_reader_finds_our_objects(make: Callable[[], LabelledScene]) -> None:
    labelled = make()
    check(labelled, exported().scene_files(labelled))


@pytest.mark.real
@pytest.mark.parametrize("scene", ["scene0000_00", "scene0000_00_full"])
def test_the_reader_finds_our_objects_in_a_real_scan(scene: str, real_labelled: RealLabelled) -> None:
    labelled = real_labelled(scene)
    check(labelled, exported().scene_files(labelled))


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(exported, make)


def test_a_scene_for_tests_holds_points_and_superpoints() -> None:
    written = exported().scene_files(small_room("test"))
    coords, colors, superpoint = recovered.load(written, "test/room_0000_inst_nostuff.pth")
    assert coords.shape == colors.shape == (*superpoint.shape, 3)
    assert not [name for name in written.files if name.startswith("val_gt")]


@pytest.mark.parametrize("make", [small_room, lambda split: renamed_classes(with_ignored(small_room(split)))])
def test_the_truth_of_a_scene_for_validation_is_our_labels(make: Callable[[str], LabelledScene]) -> None:
    labelled = make("val")
    written = exported().scene_files(labelled)
    assert len(recovered.load(written, "val/room_0000_inst_nostuff.pth")) == 5
    lines = written.files["val_gt/room_0000.txt"].decode().split("\n")
    assert lines[-1] == ""
    truth = np.array(lines[:-1], np.int64)
    names, classes = labelled.labels.class_names, labelled.labels.boxes.class_index
    own = {name: place + 3 for place, name in enumerate(names)}
    expected = np.zeros(len(labelled.scene), np.int64)
    for place, mask in enumerate(recovered.masks(labelled)):
        name = names[classes[place]]
        expected[mask] = SCANNET18.get(name, own[name]) * 1000 + place + 1
    np.testing.assert_array_equal(truth, expected)
    assert "val_gt/room_0000.txt" not in exported().scene_files(small_room("train")).files


def test_the_index_names_frame_and_classes() -> None:
    facts = exported().scene_files(small_room()).facts
    assert facts["coords"] == "input, minus mean"
    assert list(facts["classes"].values()) == list(SCANNET20)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_colors, "no colours"),
        (without_classes, "have no class"),
        (with_s3dis_classes, "--format softgroup-s3dis"),
    ],
)
def test_what_the_run_does_not_have_is_refused(spoil: Callable[[LabelledScene], LabelledScene], said: str) -> None:
    with pytest.raises(SceneError, match=f"room_0000.*{said}"):
        exported().scene_files(spoil(small_room()))
