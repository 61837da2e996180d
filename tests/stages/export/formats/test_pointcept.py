"""Pointcept's ScanNetDataset: what it reads of a scene's folder, and the objects its InstanceParser makes of that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.base import ExportConfig
from stages.export.formats.pointcept import Pointcept
from stages.export.scene import LabelledScene
from stages.scenes.classes import SCANNET20
from tests.stages.export.formats import recovered
from tests.stages.export.formats.folders import export, far_away, tree
from tests.stages.export.labelled import (
    RealLabelled,
    small_room,
    unaligned,
    with_nan,
    with_s3dis_classes,
    without_classes,
    without_colors,
)

KNOWN = ("coord", "color", "normal", "segment20", "instance")
"""arrays that its reader takes; it leaves all other files of the folder alone"""


def read(folder: Path, split: str) -> dict[str, dict[str, Any]]:
    """What the reader makes of each scene of a split, which are the folders there."""
    return {scene.name: _read_scene(scene) for scene in sorted((folder / split).glob("*"))}


def _read_scene(folder: Path) -> dict[str, Any]:
    data = {file.stem: np.load(file) for file in folder.glob("*.npy") if file.stem in KNOWN}
    for name in ("coord", "color", "normal"):
        data[name] = data[name].astype(np.float32)
    nothing = np.full(len(data["coord"]), -1)
    data["segment"] = data.pop("segment20", nothing).reshape(-1).astype(np.int32)
    data["instance"] = data.pop("instance", nothing).reshape(-1).astype(np.int32)
    return data


def parsed(data: dict[str, Any]) -> list[tuple[int, bytes]]:
    """(class, mask) of each object as InstanceParser finds them: none in the classes -1, 0 and 1."""
    things = ~np.isin(data["segment"], (-1, 0, 1))
    found = []
    for number in np.unique(data["instance"][things]):
        mask = things & (data["instance"] == number)
        (segment,) = np.unique(data["segment"][mask])
        found.append((int(segment), mask.tobytes()))
    return sorted(found)


def check(labelled: LabelledScene, folder: Path) -> None:
    """Exports one scene and compares all that is read."""
    export(Pointcept, folder, labelled)
    (data,) = read(folder, labelled.split).values()
    ids = recovered.ids_of(labelled, tuple(SCANNET20))
    assert parsed(data) == recovered.our_instances(labelled, ids)
    recovered.assert_instances(labelled, data["instance"], none=-1)
    recovered.assert_classes(labelled, data["segment"], ids, background=0, nothing=-1)
    np.testing.assert_allclose(data["coord"], recovered.file_xyz(labelled), rtol=0, atol=1e-6)
    kept, rgb = labelled.kept, labelled.scene.rgb
    assert rgb is not None
    np.testing.assert_array_equal(data["color"], rgb[kept])
    beside = {file.stem: np.load(file) for file in (folder / labelled.split / labelled.name).glob("*.npy")}
    recovered.assert_regions(labelled, beside["superpoint"])
    assert {len(values) for values in beside.values()} == {len(kept)}
    uncertainty = labelled.labels.uncertainty[labelled.labels.superpoint[kept]]
    np.testing.assert_array_equal(beside["uncertainty"], uncertainty)


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_the_reader_finds_our_objects(make: Callable[[], LabelledScene], tmp_path: Path) -> None:
    check(make(), tmp_path)


@pytest.mark.real
@pytest.mark.parametrize("scene", ["scene0000_00_full", "scene0003_01"])
def test_the_reader_finds_our_objects_in_a_real_scan(scene: str, tmp_path: Path, real_labelled: RealLabelled) -> None:
    check(real_labelled(scene), tmp_path)


def test_arrays_have_the_types_of_their_own_preparation(tmp_path: Path) -> None:
    room = small_room("val")
    export(Pointcept, tmp_path, room)
    folder = tmp_path / "val" / room.name
    types = {file.stem: np.load(file).dtype.name for file in folder.glob("*.npy")}
    assert types == {
        "coord": "float32", "color": "uint8", "normal": "float32", "segment20": "int64", "instance": "int64",
        "superpoint": "int64", "probability": "float32", "mean": "float32", "variance": "float32",
        "uncertainty": "float32", "source": "uint8",
    }  # fmt: skip
    assert np.load(folder / "coord.npy").shape == (len(room.scene), 3)


def test_train_ids_are_those_of_the_20_classes(tmp_path: Path) -> None:
    (facts,) = export(Pointcept, tmp_path, small_room())
    assert list(facts.facts["classes"].values()) == list(SCANNET20)


def test_normals_turn_with_the_points(tmp_path: Path) -> None:
    labelled = unaligned(small_room())
    export(Pointcept, tmp_path, labelled)
    assert labelled.normal is not None
    assert labelled.scene.alignment is not None
    (data,) = read(tmp_path, "train").values()
    turned = data["normal"] @ labelled.scene.alignment[:3, :3].T
    np.testing.assert_allclose(turned, labelled.normal, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", ["room", "aligned"])
def test_scans_far_away_keep_their_millimetres(variant: str, tmp_path: Path) -> None:
    labelled = far_away(recovered.VARIANTS[variant]())
    (facts,) = export(Pointcept, tmp_path, labelled)
    (data,) = read(tmp_path, "train").values()
    assert facts.facts["coords"].endswith(", minus shift")
    coord = data["coord"].astype(np.float64) + facts.facts["shift"]
    np.testing.assert_allclose(coord, recovered.file_xyz(labelled), rtol=0, atol=1e-6)


def test_scenes_of_the_test_split_have_no_labels(tmp_path: Path) -> None:
    export(Pointcept, tmp_path, small_room("test"))
    (data,) = read(tmp_path, "test").values()
    assert (data["segment"] == -1).all()
    assert (data["instance"] == -1).all()


def test_a_split_folder_holds_scenes_alone(tmp_path: Path) -> None:
    export(Pointcept, tmp_path, with_nan(small_room()))
    assert [path.name for path in (tmp_path / "train").iterdir()] == [small_room().name]
    np.testing.assert_array_equal(
        np.load(tmp_path / "kept_points" / f"{small_room().name}.npy"), with_nan(small_room()).kept
    )


def test_what_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="has no colours"):
        export(Pointcept, tmp_path, without_colors(small_room()))
    with pytest.raises(SceneError, match="have no class"):
        export(Pointcept, tmp_path, without_classes(small_room()))
    with pytest.raises(SceneError, match="--format pointcept-s3dis"):
        export(Pointcept, tmp_path, with_s3dis_classes(small_room()))
    assert not tree(tmp_path)


def test_equal_labels_give_equal_bytes(tmp_path: Path) -> None:
    recovered.assert_equal_bytes(lambda: Pointcept(ExportConfig(to=tmp_path)), small_room)
