"""Validation lists every problem of every scene, whatever the layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from stages.scenes.config import FolderConfig
from stages.scenes.validate import Problem, validate_path

XYZ = np.random.default_rng(0).normal(size=(40, 3))
RGB = np.zeros((40, 3), np.uint8)
NORMALS = np.ones((40, 3))


def _of(problems: list[Problem], scene: str) -> list[str]:
    return [f"{problem.severity}: {problem.message}" for problem in problems if problem.scene == scene]


def test_every_problem_of_every_scene(tmp_path: Path) -> None:
    corners = np.array([[-9.0, -9, -9, 9, 9, 9]])
    np.savez(tmp_path / "good.npz", xyz=XYZ, rgb=RGB, normals=NORMALS, boxes=corners)
    np.savez(tmp_path / "several.npz", xyz=XYZ, rgb=RGB[:3], boxes=-corners, box_class=np.array([18]))
    (tmp_path / "broken.npz").write_bytes(b"PK")
    np.savez(tmp_path / "bare.npz", xyz=XYZ)
    problems = validate_path(tmp_path)
    assert _of(problems, "good") == []
    several = "\n".join(_of(problems, "several"))
    for words in ("error: ", "key 'rgb'", "max < min", "class outside 0..17"):
        assert words in several
    assert len(_of(problems, "broken")) == 1
    assert [line.partition(":")[0] for line in _of(problems, "bare")] == ["warning"] * 3
    assert all(problem.remedy for problem in problems)


def test_one_file_alone(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", xyz=XYZ)
    np.savez(tmp_path / "b.npz", xyz=XYZ[:0])
    assert {problem.scene for problem in validate_path(tmp_path / "b.npz")} == {"b"}
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt"):
        validate_path(tmp_path / "notes.txt")


def test_with_a_configuration_its_classes_count(tmp_path: Path) -> None:
    box = {"min": [-9, -9, -9], "max": [9, 9, 9], "class": "dog"}
    np.savez(tmp_path / "a.npz", xyz=XYZ, rgb=RGB, normals=NORMALS)
    (tmp_path / "a.boxes.json").write_text(json.dumps({"boxes": [box]}))
    assert [problem.severity for problem in validate_path(tmp_path)] == ["error"]
    assert validate_path(tmp_path, FolderConfig(path=tmp_path, classes=("dog",))) == []


def test_layouts_are_recognized(tmp_path: Path) -> None:
    room = tmp_path / "s3dis" / "Area_1" / "hall_1" / "Annotations"
    room.mkdir(parents=True)
    (room / "wall_1.txt").write_text("1 2 3 4 5 6\n" * 40 + "oops\n")
    assert any("line 41" in problem.message for problem in validate_path(tmp_path / "s3dis"))
    scan = tmp_path / "scannet" / "scene0000_00"
    scan.mkdir(parents=True)
    (scan / "scene0000_00.txt").touch()
    problems = validate_path(tmp_path / "scannet")
    assert [problem.severity for problem in problems] == ["error"]
    assert "scene0000_00_vh_clean_2.ply" in problems[0].message


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent: no such file"):
        validate_path(tmp_path / "absent")
    with pytest.raises(InputError) as raised:
        validate_path(tmp_path)
    for words in ("*.npz", "_vh_clean_2.ply", "Annotations"):
        assert words in str(raised.value)
