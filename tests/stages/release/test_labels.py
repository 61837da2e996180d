"""The published store: what stays in it, what does not, and how it opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from boxgp import PseudoLabels
from pipeline.errors import StoreError
from pipeline.store import read_zip, zip_bytes
from stages.pseudo_labels.store import published_result
from stages.release.facts import scene_facts
from tests.stages.export.labelled import MOMENTS, small_room, with_ignored, with_nan, without_boxes

KEPT = ("superpoint", *MOMENTS, "source", "contested", "ignore", "uncertainty")


def published(labels: PseudoLabels, folder: Path, *, geometry: bool) -> Path:
    path = folder / f"{labels.scene}.zarr.zip"
    path.write_bytes(zip_bytes(published_result(labels, geometry=geometry)))
    return path


@pytest.mark.parametrize("geometry", [False, True])
@pytest.mark.parametrize("change", [lambda same: same, with_nan, with_ignored, without_boxes])
def test_all_labels_come_back(change, geometry: bool, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    labels = change(small_room()).labels
    found = PseudoLabels.open(published(labels, tmp_path, geometry=geometry))
    for name in KEPT:
        np.testing.assert_array_equal(getattr(found, name), getattr(labels, name), err_msg=name)
        assert getattr(found, name).dtype == getattr(labels, name).dtype
    np.testing.assert_array_equal(found.at_points("mask"), labels.at_points("mask"))
    np.testing.assert_array_equal(found.boxes.class_index, labels.boxes.class_index)
    for name in ("scene", "class_names", "frame", "link", "superpoint_method", "superpoint_parameters"):
        assert getattr(found, name) == getattr(labels, name)


def test_without_geometry_nothing_says_where_a_box_is(tmp_path: Path) -> None:
    labels = small_room().labels
    path = published(labels, tmp_path, geometry=False)
    arrays, attributes = read_zip(path)
    assert set(arrays) == {*KEPT, "box_class"}
    assert attributes["geometry"] is False
    assert "offset" not in attributes
    content = b"".join(values.tobytes() for values in arrays.values())
    coordinates = np.unique(labels.boxes.corners)
    assert not [one for one in coordinates[coordinates != 0] if one.astype("<f4").tobytes() in content]
    found = PseudoLabels.open(path)
    assert np.isnan(found.boxes.corners).all()
    assert np.isnan(found.offset).all()
    assert (found.boxes.instance == -1).all()
    assert len(found.boxes) == len(labels.boxes)


def test_with_geometry_boxes_are_there(tmp_path: Path) -> None:
    labels = small_room().labels
    found = PseudoLabels.open(published(labels, tmp_path, geometry=True))
    np.testing.assert_array_equal(found.boxes.corners, labels.boxes.corners)
    np.testing.assert_array_equal(found.boxes.instance, labels.boxes.instance)
    np.testing.assert_array_equal(found.offset, labels.offset)


def test_equal_labels_give_equal_bytes() -> None:
    labels = small_room().labels
    first, second = (zip_bytes(published_result(labels, geometry=False)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_store_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr.zip"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"a\.zarr\.zip"):
        PseudoLabels.open(path)


def test_facts_count_points() -> None:
    labels = with_ignored(with_nan(small_room())).labels
    facts = scene_facts(labels)
    uncertainty = np.append(labels.uncertainty, 0)[labels.superpoint]
    contested = np.append(labels.contested, 0)[labels.superpoint]
    assert facts["points"] == len(labels.superpoint)
    assert facts["objects"] == len(labels.mask) == sum(facts["classes"].values())
    assert facts["contested"] == np.count_nonzero(contested)
    assert facts["uncertain"] == np.count_nonzero(uncertainty >= 0.5)
    assert facts["uncertainty"] == pytest.approx(uncertainty.sum(dtype=float))
    assert sum(facts["sources"].values()) == np.count_nonzero(labels.superpoint >= 0)
