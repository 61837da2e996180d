"""Failure files: where they lie, and that they come and go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.failures import Failure, clear_failure, failure_path, read_failures, write_failure

FAILURE = Failure(
    stage="features",
    round=0,
    scene="a",
    folder="round_00/features/a",
    error="ValueError",
    message="no",
    expected=False,
    traceback="Traceback",
    log="logs/x.log",
    fingerprint="f",
    attempt=2,
    seconds=0.5,
    ended="2026-01-31T23:59:59.123456Z",
    inputs={"scenes": "/s"},
    files=("/f",),
)


def _of(folder: str, number: int = 0) -> Failure:
    *_, stage, scene = folder.split("/")
    return replace(FAILURE, stage=stage, scene=scene, folder=folder, round=number)


def test_failures_come_and_go(tmp_path: Path) -> None:
    assert read_failures(tmp_path) == []
    later = _of("round_00/features/b")
    write_failure(tmp_path, later)
    write_failure(tmp_path, replace(FAILURE, message="before"))
    write_failure(tmp_path, FAILURE)
    assert read_failures(tmp_path) == [FAILURE, later]
    for _ in range(2):
        clear_failure(tmp_path, tmp_path / "round_00/features/a")
    assert read_failures(tmp_path) == [later]


def test_rounds_and_dots_in_names_stay_apart(tmp_path: Path) -> None:
    """The order is that of rounds, stages and scenes, whatever the folders are called."""
    failures = [
        _of("round_00/features/room.1"),
        _of("round_00/features/room.1.json"),
        _of("scenes/a"),
        replace(FAILURE, stage="summary", scene="dataset", folder="round_00/summary"),
        _of("round_01/features/a", 1),
        _of("round_01/features/room.1", 1),
    ]
    for failure in reversed(failures):
        write_failure(tmp_path, failure)
    assert read_failures(tmp_path) == failures


def test_places(tmp_path: Path) -> None:
    for folder in ("round_00/posteriors/a", "scenes/a.b", "round_01/summary"):
        assert failure_path(tmp_path, tmp_path / folder) == tmp_path / "failures" / f"{folder}.json"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": null}'])
def test_what_is_no_failure_is_passed_over(tmp_path: Path, text: str) -> None:
    write_failure(tmp_path, FAILURE)
    folder = tmp_path / "failures" / "round_00" / "features"
    (folder / "b.json").write_text(text)
    (folder / ".c.json@host@1@x").write_text("{")
    (folder / "notes.txt").write_text("mine")
    assert read_failures(tmp_path) == [FAILURE]
