"""What formats see of a labelled scene."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from stages.export.scene import IGNORED, NO_OBJECT, LabelledScene, color_from_minus_one
from stages.structures import LabelSource
from tests.stages.export.labelled import small_room, unaligned, with_ignored, with_nan, without_boxes

LATENT = ("latent_mean", "latent_variance")


def test_points_that_are_not_finite_are_not_kept() -> None:
    assert len(small_room().kept) == 3000
    lost = with_nan(small_room())
    assert 2800 < len(lost.kept) < 3000
    assert np.isfinite(lost.scene.xyz[lost.kept]).all()
    assert not np.isfinite(np.delete(lost.scene.xyz, lost.kept, axis=0)).all(axis=1).any()


def test_the_owner_of_a_region_is_its_mask_and_else_background() -> None:
    room = small_room()
    owner = room.owner_of_region
    np.testing.assert_array_equal(owner == np.arange(len(room.labels.mask))[:, None], room.labels.mask)
    assert (owner[~room.labels.mask.any(axis=0)] == NO_OBJECT).all()
    assert {NO_OBJECT, 0} < set(owner)


def test_ignored_regions_and_points_without_a_region_are_neither_object_nor_background() -> None:
    room = with_ignored(with_nan(small_room()))
    np.testing.assert_array_equal(room.owner_of_region == IGNORED, room.labels.ignore)
    assert room.labels.ignore.sum() == 2
    without = room.labels.superpoint < 0
    assert (room.owner[without] == IGNORED).all()
    np.testing.assert_array_equal(room.owner[~without], room.owner_of_region[room.labels.superpoint[~without]])


def test_without_boxes_all_is_background() -> None:
    room = without_boxes(small_room())
    assert set(room.owner) == {NO_OBJECT}
    assert (room.of_own_object("mean", 7.0) == 7).all()


@pytest.mark.parametrize("name", ["probability", "mean", "variance", *LATENT])
def test_maps_toward_the_own_object(name: str) -> None:
    room = small_room()
    values, mask = getattr(room.labels, name), room.labels.mask
    found = room.of_own_object(name, 7.0)  # type: ignore[arg-type]  # mypy takes the name for any text
    for region in range(mask.shape[1]):
        (own,) = np.nonzero(mask[:, region]) if mask[:, region].any() else (None,)
        np.testing.assert_array_equal(found[region], 7 if own is None else values[own[0], region])


def test_values_of_regions_at_points_keep_their_type() -> None:
    room = with_nan(small_room())
    source = room.at_points(room.labels.source, 9.0)
    assert source.dtype == np.uint8
    without = room.labels.superpoint < 0
    assert (source[without] == 9).all()
    np.testing.assert_array_equal(source[~without], room.labels.source[room.labels.superpoint[~without]])


def test_regions_by_posterior() -> None:
    room = small_room()
    np.testing.assert_array_equal(room.by_posterior, room.labels.source == LabelSource.GP)
    assert 0 < room.by_posterior.sum() < len(room.by_posterior)


def test_superpoints_of_kept_points_have_no_gaps() -> None:
    """Even where a region lost all of its points."""
    room = small_room()
    lost = room.labels.superpoint == 3
    xyz, superpoint = room.scene.xyz.copy(), room.labels.superpoint.copy()
    xyz[lost], superpoint[lost] = np.nan, -1
    torn = replace(room, scene=replace(room.scene, xyz=xyz), labels=replace(room.labels, superpoint=superpoint))
    found = torn.superpoint()
    assert found.dtype == np.int64
    np.testing.assert_array_equal(np.unique(found), np.arange(room.labels.mask.shape[1] - 1))
    np.testing.assert_array_equal(found, superpoint[~lost] - (superpoint[~lost] > 3))


def far_away(labelled: LabelledScene) -> LabelledScene:
    """The same numbers, relative to a place 6,000 km away."""
    return replace(labelled, scene=replace(labelled.scene, offset=np.array([500_000.0, 5_800_000.0, 30.0])))


@pytest.mark.parametrize("make", [small_room, lambda: far_away(small_room()), lambda: with_nan(small_room())])
def test_coordinates_without_alignment_are_those_of_the_file(make: Callable[[], LabelledScene]) -> None:
    room = make()
    expected = room.scene.xyz[room.kept].astype(np.float64) + room.scene.offset
    np.testing.assert_array_equal(room.raw_xyz(), expected)
    assert room.raw_xyz().dtype == np.float64


@pytest.mark.parametrize("place", [lambda room: room, far_away])
def test_aligning_raw_coordinates_again_gives_those_of_the_scene(
    place: Callable[[LabelledScene], LabelledScene],
) -> None:
    room = place(unaligned(with_nan(small_room())))
    alignment = room.scene.alignment
    assert alignment is not None
    raw = room.raw_xyz()
    assert np.abs(raw - room.scene.xyz[room.kept] - room.scene.offset).max() > 0.5
    again = raw @ alignment[:3, :3].T + alignment[:3, 3] - room.scene.offset
    np.testing.assert_allclose(again, room.scene.xyz[room.kept], rtol=0, atol=1e-8)


def test_coordinates_lie_in_memory_as_trainers_take_them() -> None:
    assert unaligned(small_room()).raw_xyz().flags.c_contiguous


def test_normals_turn_back_with_the_points() -> None:
    room = unaligned(with_nan(small_room()))
    assert room.scene.alignment is not None
    assert room.normal is not None
    raw = room.raw_normal()
    assert raw.dtype == np.float32
    np.testing.assert_allclose(raw @ room.scene.alignment[:3, :3].T, room.normal[room.kept], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(small_room().raw_normal(), small_room().normal)


def test_normals_that_nobody_asked_for_are_not_made_up() -> None:
    with pytest.raises(ValueError, match="did not ask for normals"):
        replace(small_room(), normal=None).raw_normal()


def test_colours_from_minus_one_to_one() -> None:
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(-1, 3)
    found = color_from_minus_one(every)
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (-1, 1)
    np.testing.assert_array_equal(np.round((found + 1) * 127.5), every)
