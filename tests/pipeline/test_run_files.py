"""Files of the run's folder that tasks read: whose results they make stale, and that none keeps a wrong fingerprint."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_notes import STAGES, note, noted_plan
from toy_stages import Toy, array_bytes, complete, plan_of

from pipeline.errors import InputError
from pipeline.executors.local import LocalExecutor
from pipeline.plan import make_plan, pin
from pipeline.plans import load_plan, save_plan
from pipeline.progress import Progress
from pipeline.records import Record, TaskOutcome
from pipeline.run import run_plan
from pipeline.store import fingerprint_of, read_arrays, read_manifest
from pipeline.tasks import Chunk, Plan, PlannedTask, Reason
from pipeline.worker import run_chunk


def _changed(plan: Plan) -> list[tuple[str, str]]:
    """Stage and scene of the tasks that would run."""
    return [(task.stage, task.scene) for task in plan.tasks if task.reason is not Reason.DONE]


def _task(plan: Plan, scene: str) -> PlannedTask:
    return next(task for task in plan.tasks if (task.stage, task.scene) == ("double", scene))


def _run(plan: Plan, scene: str) -> Record:
    task = pin(plan, _task(plan, scene))
    return run_chunk(Chunk(plan.output, plan.config["double"], False, (task,)))[0]


OF_B = [("double", "b"), ("batch", "b"), ("total", "dataset"), ("report", "dataset")]


def test_without_such_files_nothing_changes(done: Toy) -> None:
    assert [task.fingerprint for task in noted_plan(done).tasks] == [task.fingerprint for task in plan_of(done).tasks]
    (done.output / "notes").mkdir()
    assert _changed(noted_plan(done)) == []


def test_only_the_scene_whose_file_changed_runs_again(done: Toy) -> None:
    before = array_bytes(done.output)
    path = note(done, "b", 100)
    plan = noted_plan(done)
    assert _changed(plan) == OF_B
    assert _task(plan, "b").reason is Reason.INPUT
    complete(plan)
    # 2 x number + noise in [0, 1), and the note
    assert read_arrays(done.output / "round_00" / "double" / "b")[0]["number"].min() == pytest.approx(108.5, abs=0.5)
    assert read_manifest(done.output / "round_00" / "double" / "b")["files"] == [["b.txt", _content(plan)]]
    assert _changed(noted_plan(done)) == []
    path.touch()
    assert _changed(noted_plan(done)) == []
    note(done, "b", 101)
    assert _changed(noted_plan(done)) == OF_B
    path.unlink()
    assert _changed(noted_plan(done)) == OF_B
    complete(noted_plan(done))
    assert array_bytes(done.output) == before


def _content(plan: Plan) -> str:
    (file,) = _task(plan, "b").files
    return file.content


def test_they_follow_the_raw_files(toy: Toy) -> None:
    offsets = toy.folder / "offsets"
    offsets.mkdir()
    (offsets / "b.txt").write_text("1000")
    path = note(toy, "b", 100)
    plan = noted_plan(toy, offsets)
    assert [file.path for file in _task(plan, "b").files] == [offsets / "b.txt", path]
    complete(plan)
    assert read_arrays(_task(plan, "b").folder)[0]["number"].min() == pytest.approx(1108.5, abs=0.5)


def test_every_round_reads_them(toy: Toy) -> None:
    path = note(toy, "b", 100)
    plan = make_plan(replace(toy.config(), rounds=2), STAGES, toy.output)
    read = [(task.round, task.scene) for task in plan.tasks if path in [file.path for file in task.files]]
    assert read == [(0, "b"), (1, "b")]


@pytest.mark.parametrize("name", ["b.json", ".b.txt", "b.txt.bak", ".b.txt@host@1@2", ".txt", "z.txt", ".lock"])
def test_other_files_in_the_folder_mean_nothing(done: Toy, name: str) -> None:
    note(done, "a", 1).with_name(name).write_text("7")
    assert {scene for _, scene in _changed(noted_plan(done))} == {"a", "dataset"}


def test_a_saved_plan_keeps_them(done: Toy) -> None:
    note(done, "b", 100)
    plan = noted_plan(done)
    loaded = load_plan(save_plan(plan))
    assert _task(loaded, "b").files == _task(plan, "b").files != ()
    complete(loaded)
    assert _changed(noted_plan(done)) == []


def test_the_folder_is_listed_once(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    note(toy, "b", 100)
    listed: list[Any] = []
    listdir = os.listdir

    def counted(path: Any) -> list[str]:
        listed.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", counted)
    noted_plan(toy)
    assert listed.count(toy.output / "notes") == 1


def test_a_folder_that_cannot_be_read_is_named(toy: Toy) -> None:
    toy.output.mkdir()
    (toy.output / "notes").write_text("")
    with pytest.raises(InputError, match="notes cannot be read"):
        noted_plan(toy)


def test_what_changed_after_planning_is_not_stored(done: Toy) -> None:
    note(done, "b", 100)
    plan = noted_plan(done)
    note(done, "b", 200)
    record = _run(plan, "b")
    assert record.outcome is TaskOutcome.FAILED
    assert "scene b: notes/b.txt has changed since this run was planned: run again" in record.message
    assert fingerprint_of(_task(plan, "b").folder) != _task(plan, "b").fingerprint
    complete(noted_plan(done))
    assert read_arrays(_task(plan, "b").folder)[0]["number"].min() == pytest.approx(208.5, abs=0.5)


def test_what_vanished_after_planning_ends_its_scene_alone(done: Toy) -> None:
    note(done, "a", 100)
    path = note(done, "b", 100)
    plan = noted_plan(done)
    path.unlink()
    outcome = run_plan(plan, LocalExecutor(0), Progress())
    assert [record.scene for record in outcome.failed] == ["b"]
    assert fingerprint_of(_task(plan, "a").folder) == _task(plan, "a").fingerprint


def test_what_came_after_planning_waits_for_the_next_run(toy: Toy) -> None:
    plan = noted_plan(toy)
    note(toy, "b", 100)
    complete(plan)
    assert read_arrays(_task(plan, "b").folder)[0]["number"].min() == pytest.approx(8.5, abs=0.5)
    assert _changed(noted_plan(toy)) == OF_B


def test_a_file_that_cannot_be_read_ends_its_scene_alone(done: Toy) -> None:
    path: Path = note(done, "b", 100)
    path.unlink()
    path.mkdir()
    outcome = run_plan(noted_plan(done), LocalExecutor(0), Progress())
    assert [record.scene for record in outcome.failed] == ["b"]
