"""The dense store, read back with zarr and nothing else."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import zarr
from zarr.storage import ZipStore

from stages.export.base import ExportConfig, Written
from stages.export.formats.dense import DenseZarr
from stages.export.scene import LabelledScene
from stages.pseudo_labels.labels import Map, PseudoLabels
from stages.pseudo_labels.store import labels_result
from stages.structures import Boxes
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    MOMENTS,
    RealLabelled,
    small_room,
    with_ignored,
    with_nan,
    without_classes,
    without_colors,
)

MAPS: tuple[Map, ...] = ("mask", "mean", "variance", "probability", "latent_mean", "latent_variance")
NONE = 8
"""the source of what has no label"""


def exported() -> DenseZarr:
    return DenseZarr(ExportConfig(to=Path("nowhere")))


def opened(written: Written, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and attributes, as zarr reads them."""
    ((name, content),) = written.files.items()
    path = folder / name
    path.write_bytes(content)
    with ZipStore(path, mode="r") as entries:
        group = zarr.open_group(entries, mode="r", zarr_format=3)
        arrays = {key: np.asarray(array[...]) for key, array in group.arrays()}
        return arrays, json.loads(json.dumps(dict(group.attrs)))


def check(labelled: LabelledScene, folder: Path) -> None:
    """Every point of the input is there, with the labels of its region."""
    written = exported().scene_files(labelled)
    assert set(written.files) == {f"{labelled.name}.zarr.zip"}
    arrays, attributes = opened(written, folder)
    labels, points = labelled.labels, len(labelled.scene)
    assert attributes["format"] == "boxgp.dense_labels"
    assert attributes["class_names"] == list(labels.class_names)
    assert attributes["scene"] == labelled.name
    for name in MAPS:
        assert arrays[name].shape == (len(labels.boxes), points)
        assert arrays[name].dtype == (bool if name == "mask" else np.float32)
        np.testing.assert_array_equal(arrays[name], labels.at_points(name))
    _check_points(labels, arrays, attributes)
    np.testing.assert_array_equal(arrays["box"], labels.boxes.corners)
    np.testing.assert_array_equal(arrays["box_class"], labels.boxes.class_index)
    np.testing.assert_array_equal(arrays["box_instance"], labels.boxes.instance)
    assert arrays["box"].shape == (len(labels.boxes), 6)


def _check_points(labels: PseudoLabels, arrays: dict[str, np.ndarray], attributes: dict[str, Any]) -> None:
    superpoint = arrays["superpoint"]
    np.testing.assert_array_equal(superpoint, labels.superpoint)
    assert superpoint.dtype == np.int32
    assert arrays["uncertainty"].dtype == np.float32
    there = superpoint >= 0
    for name in ("source", "contested", "ignore", "uncertainty"):
        np.testing.assert_array_equal(arrays[name][there], getattr(labels, name)[superpoint[there]])
    assert arrays["ignore"][~there].all()
    assert (arrays["source"][~there] == NONE).all()
    assert attributes["source_names"][NONE] == "none"
    assert not arrays["mask"][:, ~there].any()


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_every_point_of_the_input_has_its_labels(make: Callable[[], LabelledScene], tmp_path: Path) -> None:
    check(make(), tmp_path)


@pytest.mark.real
def test_every_point_of_a_real_scan_has_its_labels(real_labelled: RealLabelled, tmp_path: Path) -> None:
    labelled = real_labelled("scene0000_00")
    assert labelled.labels.mask.any(axis=1).sum() > 10
    check(labelled, tmp_path)


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(exported, make)


@pytest.mark.parametrize("spoil", [without_colors, without_classes])
def test_nothing_that_some_scans_lack_is_needed(
    spoil: Callable[[LabelledScene], LabelledScene], tmp_path: Path
) -> None:
    check(spoil(small_room()), tmp_path)


def test_attributes_are_those_of_the_store(tmp_path: Path) -> None:
    labelled = small_room()
    _, attributes = opened(exported().scene_files(labelled), tmp_path)
    stored = dict(labels_result(labelled.labels).attributes)
    assert {**attributes, "format": stored["format"], "version": stored["version"]} == stored


def test_arrays_name_their_dimensions_and_hide_no_gap(tmp_path: Path) -> None:
    labelled = with_ignored(with_nan(small_room()))
    ((name, content),) = exported().scene_files(labelled).files.items()
    (tmp_path / name).write_bytes(content)
    with ZipFile(tmp_path / name) as entries:
        keys = set(entries.namelist())
        assert {entry.date_time for entry in entries.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        found = {key: json.loads(entries.read(key)) for key in keys if key.endswith("zarr.json")}
    assert found["mask/zarr.json"]["dimension_names"] == ["object", "point"]
    assert found["source/zarr.json"]["dimension_names"] == ["point"]
    arrays = [key.split("/")[0] for key in found if "/" in key]
    assert all(f"{array}/c/0" in keys or f"{array}/c/0/0" in keys for array in arrays)


def test_blocks_hold_no_more_than_a_few_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a scan of millions of points, of which a row of an object takes many chunks."""
    monkeypatch.setattr("stages.export.formats.dense._CHUNK", 1000)
    largest: list[int] = []
    expanded = PseudoLabels.at_points

    def watched(self: PseudoLabels, name: Map = "mask", objects: slice | None = None) -> np.ndarray:
        dense = expanded(self, name, objects)
        largest.append(len(dense))
        return dense

    labelled = small_room()
    written = exported().scene_files(labelled)
    monkeypatch.setattr(PseudoLabels, "at_points", watched)
    again = exported().scene_files(labelled)
    assert max(largest) == 1
    assert written == again
    monkeypatch.setattr(PseudoLabels, "at_points", expanded)
    arrays, _ = opened(again, tmp_path)
    np.testing.assert_array_equal(arrays["mean"], labelled.labels.at_points("mean"))


def test_the_index_names_the_frame_of_the_boxes() -> None:
    labelled = small_room()
    far = replace(labelled, labels=replace(labelled.labels, offset=np.array([500_000.0, 0, 0]), boxes=Boxes.empty()))
    assert exported().scene_files(labelled).facts["box"] == labelled.labels.frame
    assert exported().scene_files(labelled).facts["classes"]["0"] == "cabinet"
    maps = {name: getattr(far.labels, name)[:0] for name in MOMENTS}
    far = replace(far, labels=replace(far.labels, **maps))
    assert exported().scene_files(far).facts["offset"] == [500_000.0, 0, 0]
