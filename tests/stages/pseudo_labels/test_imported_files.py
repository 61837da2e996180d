"""GaPro's files are opened without running what may be in them."""

import os
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import torch

from pipeline.errors import SceneError
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.imported_files import label_files, read_ids_file, read_labels_file
from tests.stages.export.labelled import small_room
from tests.stages.pseudo_labels.given_files import arrays_of, imported


class Malicious:
    """Leaves a file behind when it is unpickled without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("legacy", [True, False])
def test_code_in_a_file_does_not_run(hidden: bool, legacy: bool, tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "scene.pth"
    values = [*arrays_of(small_room())[:4], Malicious(trap)] if hidden else Malicious(trap)
    torch.save(values, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(SceneError, match=r"cannot be opened safely.*--trust-pickle"):
        read_labels_file(path, trust=False)
    assert not trap.exists()
    with pytest.raises(SceneError):  # it runs now, as was asked for, and still holds no labels
        read_labels_file(path, trust=True)
    assert trap.exists()


def test_objects_in_arrays_do_not_run(tmp_path: Path) -> None:
    trap, path = tmp_path / "trap", tmp_path / "scene.pth"
    arrays: list[Any] = arrays_of(small_room())
    arrays[4] = np.array([Malicious(trap)], dtype=object)
    torch.save(tuple(arrays), path)
    with pytest.raises(SceneError):
        read_labels_file(path, trust=False)
    assert not trap.exists()


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_arrays_of_numpy_1_and_2_need_no_trust(core: bytes, legacy: bool, tmp_path: Path) -> None:
    path, arrays = tmp_path / "scene.pth", arrays_of(small_room())
    torch.save(tuple(arrays), path, _use_new_zipfile_serialization=not legacy)

    def renamed(content: bytes) -> bytes:
        return content.replace(b"numpy._core.multiarray", core + b".multiarray")

    if legacy:
        assert renamed(path.read_bytes()).count(core + b".multiarray") > 0
        path.write_bytes(renamed(path.read_bytes()))
    else:
        with ZipFile(path) as entries:
            contents = {name: renamed(entries.read(name)) for name in entries.namelist()}
        with ZipFile(path, "w") as entries:
            for name, content in contents.items():
                entries.writestr(name, content)
    found = read_labels_file(path, trust=False)
    np.testing.assert_array_equal(found.semantic, arrays[0])
    np.testing.assert_array_equal(found.latent_variance, arrays[4])


def test_tensors_and_whole_floats_are_taken(tmp_path: Path) -> None:
    path, arrays = tmp_path / "scene.pth", arrays_of(small_room())
    values = [torch.from_numpy(one) for one in arrays]
    values[0] = values[0].double()
    torch.save(values, path)
    np.testing.assert_array_equal(read_labels_file(path, trust=False).semantic, arrays[0])
    torch.save(torch.arange(5), path)
    assert read_ids_file(path, trust=False).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((np.zeros(3),) * 4, "holds 4 things, not GaPro's five arrays"),
        ({"sem": np.zeros(3)}, "holds a dict, not GaPro's five arrays"),
        ((np.zeros((3, 1)),) * 5, r"sem is ndarray float64\[3, 1\], expected integer or unsigned or float \[N\]"),
        ((np.zeros(3, np.int32),) * 5, r"prob is ndarray int32\[3\], expected float"),
        ((np.full(3, 0.5),) * 5, "sem has numbers that are not whole"),
        ((np.zeros(3), np.zeros(4), *(np.zeros(3),) * 3), "lengths that do not belong together: sem 3, inst 4"),
        ((*(np.zeros(3),) * 4, np.zeros(2)), "mu 3, var 2"),
    ],
)
def test_other_contents_are_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "scene.pth")
    with pytest.raises(SceneError, match=message):
        read_labels_file(tmp_path / "scene.pth", trust=False)


def test_torn_and_missing_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "scene.pth"
    with pytest.raises(SceneError, match=r"scene\.pth does not exist: this scene has no labels to import"):
        read_labels_file(path, trust=False)
    torch.save(tuple(arrays_of(small_room())), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SceneError, match="cannot be opened safely"):
        read_labels_file(path, trust=False)
    with pytest.raises(SceneError, match="cannot be read"):
        read_labels_file(path, trust=True)


def test_messages_name_scene_and_file(tmp_path: Path) -> None:
    labelled = small_room()
    with pytest.raises(SceneError, match=rf"scene {labelled.name}: .*{labelled.name}\.pth: its labels have 10 points"):
        imported(labelled, [values[:10] for values in arrays_of(labelled)], tmp_path)


def test_files_that_count_are_those_that_exist(tmp_path: Path) -> None:
    config = PseudoLabelsConfig(path=tmp_path / "a", superpoints=tmp_path / "b")
    assert label_files(config, "room") == ()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "room.pth").touch()
    assert label_files(config, "room") == (tmp_path / "a" / "room.pth", tmp_path / "b" / "room.pth")
