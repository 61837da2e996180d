from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import ZipStore

from pipeline.errors import StoreError
from pipeline.store import commit
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.store import labels_result
from tests.stages.posteriors.test_infer import label
from tests.stages.scenery import two_objects


def write(folder: Path, labels: PseudoLabels, **attributes: object) -> Path:
    """The committed store of ``labels``, with other attributes where given."""
    result = labels_result(labels)
    commit(folder, replace(result, attributes={**result.attributes, **attributes}), {"fingerprint": "test"})
    return folder


def dimension_names(array: zarr.Array[Any]) -> tuple[str | None, ...] | None:
    assert isinstance(array.metadata, ArrayV3Metadata)
    return array.metadata.dimension_names


@pytest.fixture(scope="module")
def labels() -> PseudoLabels:
    scene = two_objects()
    xyz = scene.xyz.copy()
    xyz[3] = np.nan
    return label(replace(scene, xyz=xyz))


def test_at_points_is_exact_and_blocks_agree(labels: PseudoLabels) -> None:
    mean = labels.at_points("mean")
    assert mean.shape == (2, len(labels.superpoint))
    expected = np.stack([[row[s] if s >= 0 else 0 for s in labels.superpoint] for row in labels.mean])
    np.testing.assert_array_equal(mean, expected.astype(np.float32))
    blocks = list(labels.blocks_at_points("mean", block_bytes=1))
    assert [block for block, _ in blocks] == [slice(0, 1), slice(1, 2)]
    np.testing.assert_array_equal(np.concatenate([values for _, values in blocks]), mean)


def test_points_without_a_region_have_no_label(labels: PseudoLabels) -> None:
    assert labels.superpoint[3] == -1
    assert not labels.at_points("mask")[:, 3].any()
    assert (labels.at_points("variance")[:, 3] == 0).all()
    assert np.isnan(labels.at_points("latent_mean")[:, 3]).all()


def test_store_and_back(labels: PseudoLabels, tmp_path: Path) -> None:
    folder = write(tmp_path / "scene", labels)
    for path in (folder, folder / "data.zarr.zip"):
        back = PseudoLabels.open(path)
        for name, value in vars(labels).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(back, name), value)
                assert getattr(back, name).dtype == value.dtype
        np.testing.assert_array_equal(back.boxes.corners, labels.boxes.corners)
        assert back.class_names == labels.class_names
        assert back.superpoint_parameters == labels.superpoint_parameters


def test_the_contract_is_readable_with_zarr_alone(labels: PseudoLabels, tmp_path: Path) -> None:
    entries = ZipStore(write(tmp_path / "scene", labels) / "data.zarr.zip", mode="r")
    group = zarr.open_group(entries, mode="r")
    kinds = {name: (str(array.dtype), dimension_names(array)) for name, array in group.arrays()}
    rows = ("object", "region")
    assert kinds == {
        "superpoint": ("int32", ("point",)),
        "mask": ("bool", rows),
        "mean": ("float32", rows),
        "variance": ("float32", rows),
        "probability": ("float32", rows),
        "latent_mean": ("float32", rows),
        "latent_variance": ("float32", rows),
        "source": ("uint8", ("region",)),
        "contested": ("uint8", ("region",)),
        "ignore": ("bool", ("region",)),
        "uncertainty": ("float32", ("region",)),
        "box": ("float32", ("object", "corner_xyz")),
        "box_class": ("int32", ("object",)),
        "box_instance": ("int32", ("object",)),
    }
    assert group.attrs["format"] == "boxgp.pseudo_labels"
    source, names = group["source"], group.attrs["source_names"]
    assert isinstance(source, zarr.Array)
    assert isinstance(names, list)
    assert {names[index] for index in np.asarray(source[:])} <= {"background", "single_box", "gp", "fallback"}
    entries.close()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"version": 99}, "version 99"), ({"format": "something"}, "no pseudo-labels")],
)
def test_other_stores_and_versions_are_refused(
    labels: PseudoLabels, tmp_path: Path, attributes: dict[str, object], message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        PseudoLabels.open(write(tmp_path / "scene", labels, **attributes))
