import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.overhead import Clock, planned, run, shares
from pipeline.executors.config import LocalExecutor
from pipeline.records import Record, TaskOutcome


def test_overhead_is_what_workers_spend_beyond_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    clock = Clock(2)
    for elapsed, own in ((5.0, 4.0), (3.0, 1.0)):
        now[0] += elapsed
        for _ in range(2):
            clock.advance(Record("second", 0, "a", TaskOutcome.DONE, "f", seconds=own))
        clock.finish()
    assert clock.overheads == [2 * 5.0 - 8.0, 2 * 3.0 - 2.0]


def test_stages_that_do_nothing_run_in_this_process() -> None:
    row = run("this process", 3, scenes=5)
    assert row["warm"] > 0
    assert row["cold"] > 0


def test_failing_tasks_are_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("nothing can be stored")

    monkeypatch.setattr("pipeline.worker.commit", fail)
    with pytest.raises(SystemExit, match="this process: nothing can be stored"):
        run("this process", 1, scenes=2)


def test_parts_of_a_task() -> None:
    parts = shares(4)
    assert parts["arrays to zip"] > 0
    assert set(parts) > {"rename", "rest of the commit", "log", "pickling, with workers"}


def test_both_stages_have_all_scenes(tmp_path: Path) -> None:
    plan = planned(tmp_path, 3, LocalExecutor())
    assert [(step.stage, len(step.rows)) for step in plan.steps] == [("first", 3), ("second", 3)]
