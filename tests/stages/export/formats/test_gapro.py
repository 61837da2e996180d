"""GaPro's pseudo-labels, read back as its ISBNet and its SPFormer read them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import SceneError
from stages.export.base import ExportConfig, Written
from stages.export.formats.gapro import Gapro, GaproIsbnet, GaproSpformer
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET18
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    with_ignored,
    with_s3dis_classes,
    without_boxes,
    without_classes,
    without_colors,
)

FLAVOURS = {"isbnet": GaproIsbnet, "spformer": GaproSpformer}


def exported(flavour: str) -> Gapro:
    return FLAVOURS[flavour](ExportConfig(to=Path("nowhere")))


def five(labelled: LabelledScene, written: Written) -> Any:
    """The tuple, each array of which is one that the readers cut points out of."""
    found = recovered.load(written, f"gaussian_process_kl_pseudo_labels/{labelled.name}.pth")
    chosen = np.arange(len(labelled.kept)) % 3 > 0
    for values, kind in zip(found, (np.int32, np.int32, np.float32, np.float32, np.float32), strict=True):
        assert values.dtype == kind
        assert values.shape == labelled.kept.shape
        assert torch.from_numpy(values[chosen]).shape == (chosen.sum(),)
    return found


def check(labelled: LabelledScene, flavour: str) -> None:
    """Everything that the readers rely on."""
    written = exported(flavour).scene_files(labelled)
    semantic, instance, probability, mean, variance = five(labelled, written)
    ids = recovered.ids_of(labelled, tuple(SCANNET18))
    recovered.assert_instances(labelled, instance, none=-100)
    recovered.assert_classes(labelled, semantic, ids, background=len(ids), nothing=-100)
    seen_by_spformer = np.where(semantic == len(ids), -100, semantic)
    assert recovered.instances_of(seen_by_spformer, instance) == recovered.our_instances(labelled, ids)
    _check_moments(labelled, probability, mean, variance)
    superpoint = recovered.load(written, f"superpoints/{labelled.name}.pth")
    superpoint = torch.from_numpy(superpoint).numpy() if flavour == "isbnet" else superpoint.numpy()
    assert superpoint.dtype == np.int64
    recovered.assert_regions(labelled, superpoint)
    recovered.assert_says_what_was_left_out(labelled, written)
    recovered.assert_readable_by_old_numpy(written)


def _check_moments(labelled: LabelledScene, probability: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    """Point by point, from the maps [K, N]."""
    labels, finite = labelled.labels, np.isfinite(labelled.scene.xyz).all(axis=1)
    owned = recovered.masks(labelled)
    own = {name: np.full(finite.sum(), -100, np.float32) for name in ("latent_mean", "latent_variance")}
    certain = 1 - labels.at_points("probability")[:, finite].sum(axis=0)
    for place, mask in enumerate(owned):
        row = slice(place, place + 1)
        for name, values in own.items():
            latent = labels.at_points(name, row)[0, finite]  # type: ignore[arg-type]  # mypy takes the name for any text
            values[mask] = np.where(np.isnan(latent), -100, latent)[mask]
        certain[mask] = labels.at_points("probability", row)[0, finite][mask]
    np.testing.assert_array_equal(mean, own["latent_mean"])
    np.testing.assert_array_equal(variance, own["latent_variance"])
    ignored = recovered.ignored(labelled)
    np.testing.assert_allclose(probability[~ignored], certain[~ignored], rtol=0, atol=1e-6)
    assert (probability[ignored] == 0).all()
    determined = (labels.contested == 0)[labels.superpoint[finite]]
    assert (probability[~ignored & determined] == 1).all()
    assert ((mean != -100) == (variance != -100)).all()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_readers_find_our_objects(make: Callable[[], LabelledScene], flavour: str) -> None:
    check(make(), flavour)


@pytest.mark.real
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("scene", ["scene0000_00", "scene0000_00_full"])
def test_readers_find_our_objects_in_a_real_scan(scene: str, flavour: str, real_labelled: RealLabelled) -> None:
    check(real_labelled(scene), flavour)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene], flavour: str) -> None:
    recovered.assert_equal_bytes(lambda: exported(flavour), make)


def test_pooling_over_superpoints_never_mixes_a_moment_with_its_absence() -> None:
    """ISBNet and SPFormer take the mean over a superpoint before they ask for -100."""
    written = exported("isbnet").scene_files(with_ignored(small_room()))
    superpoint = recovered.load(written, "superpoints/room_0000.pth")
    for values in five(small_room(), written)[3:]:
        there = np.bincount(superpoint, values != -100) / np.bincount(superpoint)
        assert set(there) == {0, 1}


def test_moments_of_the_joint_engine_are_of_a_function_between_0_and_1() -> None:
    room = small_room()
    mean, variance = five(room, exported("isbnet").scene_files(room))[3:]
    ran = mean != -100
    assert ran.any()
    assert mean[ran].min() >= 0
    assert mean[ran].max() <= 1
    assert variance[ran].min() > 0


def test_regions_without_a_gaussian_process_have_no_moments() -> None:
    """One GP a pair leaves the regions of a single box determined, whatever the joint engine does."""
    room = small_room()
    latent = {name: getattr(room.labels, name).copy() for name in ("latent_mean", "latent_variance")}
    for values in latent.values():
        values[:, ::2] = np.nan
    room = replace(room, labels=replace(room.labels, **latent))
    check(room, "isbnet")
    instance, _, mean = five(room, exported("isbnet").scene_files(room))[1:4]
    assert {(True, True), (True, False), (False, False)} == set(zip(instance >= 0, mean != -100, strict=True))


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_scene_for_tests_holds_superpoints_alone(flavour: str) -> None:
    files = exported(flavour).scene_files(small_room("test")).files
    assert sorted(files) == ["superpoints/room_0000.pth", "uncertainty/room_0000.npz"]


def test_colours_are_not_needed() -> None:
    check(without_colors(small_room()), "isbnet")


def test_the_index_names_the_classes() -> None:
    classes = exported("isbnet").scene_files(small_room()).facts["classes"]
    assert classes["0"] == "cabinet"
    assert classes["18"] == "background"
    own = exported("isbnet").scene_files(renamed_classes(small_room())).facts["classes"]
    assert own == {"0": "own_a", "1": "own_b", "2": "own_c", "3": "background"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(without_classes, "have no class"), (with_s3dis_classes, "--format isbnet-s3dis")],
)
def test_what_the_run_does_not_have_is_refused(spoil: Callable[[LabelledScene], LabelledScene], said: str) -> None:
    with pytest.raises(SceneError, match=f"room_0000.*{said}"):
        exported("isbnet").scene_files(spoil(small_room()))


def test_a_room_without_boxes_is_sure_background() -> None:
    room = without_boxes(small_room())
    written = exported("isbnet").scene_files(room)
    assert "leave this scene out of training" in written.warnings[0]
    assert not exported("isbnet").scene_files(small_room()).warnings
    semantic, instance, probability, mean, variance = five(room, written)
    assert (semantic == 18).all()
    assert (instance == -100).all()
    assert (probability == 1).all()
    assert (mean == -100).all()
    assert (variance == -100).all()
