"""Each check fires on its own defect alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.scenes.checks import box_findings, given_box_findings, numbers, occupied, scan_findings
from stages.scenes.scan import Finding, GivenBoxes, Scan

XYZ = np.random.default_rng(0).uniform(0, 4, (200, 3))
GREY = np.full((200, 3), 128, np.uint8)
GOOD = [0.0, 0, 0, 2, 2, 2]


def _scan(xyz: np.ndarray = XYZ, faces: np.ndarray | None = None, *, color: bool = True) -> Scan:
    return Scan("room", Path("here/room.npz"), xyz, rgb=GREY[: len(xyz)] if color else None, faces=faces)


def _only(findings: list[Finding], severity: str, *words: str) -> None:
    assert [finding.severity for finding in findings] == [severity], findings
    assert "here/room.npz" in findings[0].message
    assert findings[0].remedy
    for word in words:
        assert word in findings[0].message


def test_a_sound_scan_has_no_findings() -> None:
    assert scan_findings(_scan(faces=np.array([[0, 1, 199]]))) == []
    assert box_findings(_scan(), np.array([GOOD], np.float32), XYZ.astype(np.float32)) == []
    boxes = GivenBoxes(np.array([GOOD]), np.array([17], np.int32), np.array([-1]))
    assert given_box_findings(_scan(), boxes, ("a",) * 18) == []


def test_no_points() -> None:
    _only(scan_findings(_scan(XYZ[:0])), "error", "no points")


def test_one_point() -> None:
    _only(scan_findings(_scan(XYZ[:1])), "warning", "one point")


def test_no_color() -> None:
    _only(scan_findings(_scan(color=False)), "warning", "no colour")


def test_points_that_are_not_finite_are_counted() -> None:
    xyz = XYZ.copy()
    xyz[[3, 5, 9], [0, 1, 2]] = [np.nan, np.inf, 1e39]  # the last one is infinite in float32
    _only(scan_findings(_scan(xyz)), "warning", "3 of 200")
    _only(scan_findings(_scan(XYZ * np.nan)), "error", "none of the 200")


@pytest.mark.parametrize("index", [-1, 200])
def test_faces_of_other_points(index: int) -> None:
    _only(scan_findings(_scan(faces=np.array([[0, 1, index]]))), "error", "'faces'", str(index))


@pytest.mark.parametrize(
    ("corners", "class_index", "words"),
    [
        ([np.nan, 0, 0, 1, 1, 1], 0, "not finite"),
        ([0, 0, 0, np.inf, 1, 1], 0, "not finite"),
        ([0, 0, 2, 1, 1, 1], 0, "max < min"),
        (GOOD, 18, "class outside 0..17"),
        (GOOD, -2, "class outside 0..17"),
    ],
)
def test_impossible_boxes(corners: list[float], class_index: int, words: str) -> None:
    boxes = GivenBoxes(np.array([GOOD, corners]), np.array([0, class_index], np.int32), np.array([-1, -1]))
    _only(given_box_findings(_scan(), boxes, ("a",) * 18), "error", words, "boxes 1 ")


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        ([], "no boxes"),
        ([GOOD, [9, 9, 9, 10, 10, 10]], "boxes 1 lie outside"),
        ([GOOD, [1, 1, 1, 1.0001, 1.0001, 1.0001]], "boxes 1 hold no point"),
        ([GOOD, [1, 1, 1, 3, 3, 3], GOOD], "boxes 2 repeat"),
    ],
)
def test_doubtful_boxes(boxes: list[list[float]], words: str) -> None:
    corners = np.array(boxes, np.float32).reshape(-1, 6)
    _only(box_findings(_scan(), corners, XYZ.astype(np.float32)), "warning", words)


def test_a_box_without_thickness() -> None:
    xyz = XYZ.astype(np.float32)
    through = np.concatenate([np.minimum(xyz[0], xyz[1]), np.maximum(xyz[0], xyz[1])])
    through[[2, 5]] = xyz[0, 2]
    _only(box_findings(_scan(), through[None], xyz), "warning", "no thickness")


def test_occupied_agrees_with_asking_each_point() -> None:
    rng = np.random.default_rng(2)
    xyz = rng.uniform(0, 4, (60, 3)).astype(np.float32)
    corners = np.sort(rng.uniform(-1, 5, (300, 2, 3)).astype(np.float32), axis=1).reshape(300, 6)
    corners[0] = np.tile(xyz[7], 2)  # faces belong to the box
    inside = (xyz >= corners[:, None, :3]) & (xyz <= corners[:, None, 3:])
    expected = np.any(np.all(inside, axis=2), axis=1)
    assert np.array_equal(occupied(corners, xyz), expected)
    assert 0 < expected.sum() < 300


def test_long_lists_are_shortened() -> None:
    assert numbers(np.ones(9, bool)) == "0, 1, 2, 3, 4 and 4 more"
