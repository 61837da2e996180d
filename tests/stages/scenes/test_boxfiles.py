"""Box files: our schema, labelCloud's, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.scenes.boxfiles import RotationUnit, read_boxes
from stages.scenes.scan import Finding, GivenBoxes, ScanError

CLASSES = ("chair", "table")


def _read(tmp_path: Path, content: Any, unit: RotationUnit = "auto") -> tuple[GivenBoxes, list[Finding]]:
    file = tmp_path / "room.boxes.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_boxes(file, CLASSES, unit)


def _object(*rotations: float, name: str = "table") -> dict[str, Any]:
    """A labelCloud object of 2 x 1 x 0.5 m about (10, 20, 30)."""
    return {
        "name": name,
        "centroid": {"x": 10, "y": 20, "z": 30},
        "dimensions": {"length": 2.0, "width": 1.0, "height": 0.5},
        "rotations": dict(zip("xyz", rotations, strict=True)),
    }


def _labelcloud(*objects: dict[str, Any]) -> dict[str, Any]:
    return {"folder": "pointclouds", "filename": "room.ply", "path": "pointclouds/room.ply", "objects": list(objects)}


def _size(boxes: GivenBoxes, k: int = 0) -> np.ndarray:
    return np.asarray(boxes.corners[k, 3:] - boxes.corners[k, :3])


def test_own_schema(tmp_path: Path) -> None:
    entries = [
        {"min": [0, 0.1, -2], "max": [1, 2, 3], "class": "table"},
        {"min": [0, 0, 0], "max": [1, 1, 1], "class": 0},
        {"min": [0, 0, 0], "max": [1, 1, 1]},
        {"min": [0, 0, 0], "max": [1, 1, 1], "class": None},
    ]
    boxes, findings = _read(tmp_path, {"boxes": entries})
    assert findings == []
    assert boxes.corners[0].tolist() == [0, 0.1, -2, 1, 2, 3]
    assert boxes.class_index.tolist() == [1, 0, -1, -1]
    assert boxes.instance.tolist() == [-1] * 4


def test_own_schema_leaves_crossed_corners_to_the_checks(tmp_path: Path) -> None:
    boxes, _ = _read(tmp_path, {"boxes": [{"min": [1, 0, 0], "max": [0, 1, 1]}]})
    assert boxes.corners[0].tolist() == [1, 0, 0, 0, 1, 1]


def test_no_boxes_are_no_error(tmp_path: Path) -> None:
    for content in ('{"boxes": []}', '{"objects": []}'):
        boxes, findings = _read(tmp_path, content)
        assert boxes.corners.shape == (0, 6)
        assert findings == []


def test_labelcloud_without_rotation_is_exact(tmp_path: Path) -> None:
    boxes, findings = _read(tmp_path, _labelcloud(_object(0, 0, 0)))
    assert findings == []
    assert boxes.corners[0].tolist() == [9, 19.5, 29.75, 11, 20.5, 30.25]
    assert boxes.class_index.tolist() == [1]


def test_quarter_turns_swap_dimensions_without_a_warning(tmp_path: Path) -> None:
    boxes, findings = _read(tmp_path, _labelcloud(_object(0, 0, 90), _object(90, 0, 0), _object(0, 270, 180)))
    assert findings == []
    assert [_size(boxes, k).tolist() for k in range(3)] == [[1, 2, 0.5], [2, 0.5, 1], [0.5, 1, 2]]


@pytest.mark.parametrize("degrees", [30.0, 120.0, 300.0])
def test_turned_boxes_become_their_hulls(tmp_path: Path, degrees: float) -> None:
    boxes, findings = _read(tmp_path, _labelcloud(_object(0, 0, degrees)))
    cosine, sine = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    assert _size(boxes) == pytest.approx([2 * cosine + sine, 2 * sine + cosine, 0.5])
    assert (boxes.corners[0, :3] + boxes.corners[0, 3:]) / 2 == pytest.approx([10, 20, 30])
    assert [finding.severity for finding in findings] == ["warning"]
    assert "boxes 0 are turned" in findings[0].message


def test_a_box_turns_about_x_before_z(tmp_path: Path) -> None:
    boxes, _ = _read(tmp_path, _labelcloud(_object(90, 0, 30)))
    cosine, sine = np.cos(np.deg2rad(30)), np.sin(np.deg2rad(30))
    assert _size(boxes) == pytest.approx([2 * cosine + 0.5 * sine, 2 * sine + 0.5 * cosine, 1])


def test_radians_and_degrees_agree(tmp_path: Path) -> None:
    degrees = (10.0, 20.0, 320.0)
    relative = [np.deg2rad(angle if angle <= 180 else angle - 360) for angle in degrees]
    absolute, _ = _read(tmp_path, _labelcloud(_object(*degrees)))
    told, _ = _read(tmp_path, _labelcloud(_object(*relative)), "radians")
    guessed, _ = _read(tmp_path, _labelcloud(_object(*relative)))
    assert told.corners == pytest.approx(absolute.corners)
    assert np.array_equal(told.corners, guessed.corners)


def test_rotations_that_may_be_either_are_refused(tmp_path: Path) -> None:
    both = _labelcloud(_object(0, 0, 1.5))
    with pytest.raises(ScanError, match="rotation_unit"):
        _read(tmp_path, both)
    assert _size(_read(tmp_path, both, "degrees")[0])[0] == pytest.approx(2.0, abs=0.03)
    assert _size(_read(tmp_path, both, "radians")[0])[0] == pytest.approx(1.1, abs=0.05)


def test_vertices_agree_with_centroids(tmp_path: Path) -> None:
    """labelCloud's order: left back bottom, left front, right front, right back, and the same on top."""
    angle = np.deg2rad(25)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    corners = [(-1, -1, -1), (-1, 1, -1), (1, 1, -1), (1, -1, -1), (-1, -1, 1), (-1, 1, 1), (1, 1, 1), (1, -1, 1)]
    plain = np.array([10, 20, 30]) + np.array(corners) * [1, 0.5, 0.25]
    turned = np.array([10, 20, 30]) + (np.array(corners) * [1, 0.5, 0.25]) @ turn.T
    entries = [{"name": "chair", "vertices": vertices.tolist()} for vertices in (plain, turned)]
    boxes, findings = _read(tmp_path, _labelcloud(*entries))
    expected, _ = _read(tmp_path, _labelcloud(_object(0, 0, 0), _object(0, 0, 25)))
    assert boxes.corners == pytest.approx(expected.corners)
    assert boxes.class_index.tolist() == [0, 0]
    assert [finding.message.partition(": ")[2] for finding in findings] == ["boxes 1 are turned"]


@pytest.mark.parametrize("name", ["dog", 2, -1, True])
def test_undeclared_classes(tmp_path: Path, name: Any) -> None:
    _, findings = _read(tmp_path, {"boxes": [{"min": [0, 0, 0], "max": [1, 1, 1], "class": name}]})
    assert [finding.severity for finding in findings] == ["error"]
    assert repr(name) in findings[0].message
    assert "chair, table" in findings[0].remedy


@pytest.mark.parametrize(
    "entry",
    [
        {"min": [0, 0, 0]},
        {"min": [0, 0], "max": [1, 1]},
        {"min": [0, 0, "1"], "max": [1, 1, 1]},
        {"min": 0, "max": 1},
        [0, 0, 0, 1, 1, 1],
        None,
    ],
)
def test_entries_that_cannot_be_read_are_named(tmp_path: Path, entry: Any) -> None:
    good = {"min": [0, 0, 0], "max": [1, 1, 1]}
    _, findings = _read(tmp_path, {"boxes": [good, entry]})
    assert [finding.severity for finding in findings] == ["error"]
    assert "room.boxes.json: box 1 cannot be read" in findings[0].message


@pytest.mark.parametrize(
    "change",
    [
        {"dimensions": {"length": -1, "width": 1, "height": 1}},
        {"dimensions": {"length": 1, "width": 1}},
        {"centroid": None},
        {"rotations": 5},
        {"vertices": [[0, 0, 0]]},
    ],
)
def test_labelcloud_objects_that_cannot_be_read(tmp_path: Path, change: dict[str, Any]) -> None:
    _, findings = _read(tmp_path, _labelcloud(_object(0, 0, 0) | change))
    assert ["box 0 cannot be read" in finding.message for finding in findings] == [True]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"boxes": 1}', '{"annotations": []}', "[" * 100_000])
def test_foreign_files(tmp_path: Path, content: str) -> None:
    with pytest.raises(ScanError, match=r"room\.boxes\.json"):
        _read(tmp_path, content)
