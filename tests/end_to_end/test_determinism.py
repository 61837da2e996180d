"""Every byte of a result is the same whatever the workers, the order and the interruptions; nothing runs in vain."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOMS, STAGES, checksums, completed, differences, modified, results
from tests.end_to_end.scans import save_scan


@pytest.fixture
def again(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed run, as the output ``out`` in ``tmp_path``."""
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([("--workers", "1")], id="one worker", marks=pytest.mark.slow),
        pytest.param([("--workers", "2")], id="two workers"),
        pytest.param(
            [("--scenes", "room_0002,room_0000", "--stage", "..features"), ("--scenes", "room_0001"), ()],
            id="some scenes and stages first",
        ),
    ],
)
def test_every_byte_is_the_same(steps: list[tuple[str, ...]], undisturbed: Path, tmp_path: Path) -> None:
    for step in steps:
        completed("run", *ROOMS, "--output", "out", *step, cwd=tmp_path)
    assert len(results(tmp_path / "out")) == 6 * 3 + 1
    assert differences(tmp_path / "out", undisturbed) == []


def test_another_seed_gives_other_bytes(undisturbed: Path, tmp_path: Path) -> None:
    completed("run", *ROOMS, "--set", "seed=1", "--output", "out", "--stage", "scenes", cwd=tmp_path)
    ours, others = (checksums(run, ["scenes"]) for run in (undisturbed, tmp_path / "out"))
    assert len(ours) == 3
    assert all(ours[file] != others[file] for file in ours)


def test_what_is_done_is_not_touched(again: Path) -> None:
    before = modified(again)
    ended = completed("run", *ROOMS, "--output", "out", "--workers", "2", cwd=again.parent)
    assert "everything is done already" in ended.out
    assert {stage: ended.counts(stage) for stage in STAGES} == {
        **dict.fromkeys(STAGES, (0, 3, 0, 0)),
        "summary": (0, 1, 0, 0),
    }
    assert modified(again) == before


def test_another_scene_runs_alone(again: Path) -> None:
    scenewise = STAGES[:-1]
    before = modified(again, scenewise)
    ended = completed("run", *ROOMS, "--set", "scenes.count=4", "--output", "out", cwd=again.parent)
    assert {stage: ended.counts(stage) for stage in scenewise} == dict.fromkeys(scenewise, (1, 3, 0, 0))
    assert ended.counts("summary") == (1, 0, 0, 0)
    assert "4 scenes, " in ended.out
    after = modified(again, scenewise)
    assert {file: after[file] for file in before} == before
    added = sorted(file for file in after if file not in before)
    assert len(added) == 2 * len(scenewise)
    assert {Path(file).name for file in added} == {"data.zarr.zip", "manifest.json"}
    assert {Path(file).parent.name for file in added} == {"room_0003"}


def test_another_engine_runs_from_the_posteriors_on(again: Path) -> None:
    earlier, later = STAGES[:3], STAGES[3:-1]
    before, bytes_before = modified(again, earlier), checksums(again, later)
    ended = completed("run", *ROOMS, "--set", "posteriors.engine=regression", "--output", "out", cwd=again.parent)
    assert {stage: ended.counts(stage) for stage in earlier} == dict.fromkeys(earlier, (0, 3, 0, 0))
    assert {stage: ended.counts(stage) for stage in later} == dict.fromkeys(later, (3, 0, 0, 0))
    assert ended.counts("summary") == (1, 0, 0, 0)
    assert modified(again, earlier) == before
    assert checksums(again, later) != bytes_before


def test_data_may_move(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for seed, scene in enumerate(("a", "b")):
        save_scan(tmp_path / "here" / f"{scene}.npz", seed)
    completed("run", "folder", "--set", "scenes.path=here", "--output", "out", cwd=tmp_path)
    before = modified(tmp_path / "out")
    (tmp_path / "here").rename(tmp_path / "there")
    ended = completed("run", "folder", "--set", "scenes.path=there", "--output", "out", cwd=tmp_path)
    assert "everything is done already" in ended.out
    assert modified(tmp_path / "out") == before


@pytest.mark.slow
def test_every_byte_of_larger_rooms_is_the_same(tmp_path: Path) -> None:
    line = ("run", "demo", "--set", "scenes.count=4", "--set", "scenes.points=20000")
    completed(*line, "--output", "whole", cwd=tmp_path)
    completed(*line, "--output", "parts", "--scenes", "room_0003", "--workers", "1", cwd=tmp_path)
    completed(*line, "--output", "parts", "--workers", "2", cwd=tmp_path)
    assert differences(tmp_path / "parts", tmp_path / "whole") == []
