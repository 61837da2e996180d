"""Jobs that leave no records: what counts as done, what has failed, and what people are told."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_stages import Toy, plan_of

from pipeline.failures import read_failures
from pipeline.records import TaskOutcome
from pipeline.slurm.lost import last_lines, lost_records, what_happened
from pipeline.slurm.queue import JobState
from pipeline.tasks import PlannedTask


def _records(toy: Toy, tasks: list[PlannedTask], submitted: str = "") -> dict[str, TaskOutcome]:
    log = toy.output / "submissions" / "x" / "logs" / "00_numbers.7_0.log"
    found = lost_records(
        tasks, output=toy.output, job="7_0", state=JobState("TIMEOUT", "TimeLimit"), log=log, submitted=submitted
    )
    return {record.scene: record.outcome for record in found}


def test_what_was_committed_is_done(done: Toy) -> None:
    (done.output / "numbers" / "b" / "manifest.json").unlink()
    (done.output / "numbers" / "c" / "manifest.json").unlink()
    plan = plan_of(done)
    tasks = [*plan.tasks[:2], plan.tasks[3], plan.tasks[5]]
    assert [(task.stage, task.scene) for task in tasks] == [
        *(("numbers", "a"), ("numbers", "b")),
        *(("double", "a"), ("double", "c")),
    ]
    assert _records(done, tasks[:2]) == {"a": TaskOutcome.DONE, "b": TaskOutcome.FAILED}
    (failure,) = read_failures(done.output)
    assert failure.message.startswith("b: SLURM job 7_0 ended before the scene did: SLURM says TIMEOUT (TimeLimit)")
    assert "--set executor.time" in failure.message
    assert failure.expected
    assert failure.log == "submissions/x/logs/00_numbers.7_0.log"


def test_what_could_not_be_tried_is_blocked(done: Toy) -> None:
    for stage in ("numbers", "round_00/double"):
        (done.output / stage / "c" / "manifest.json").unlink()
    assert _records(done, [plan_of(done).tasks[5]]) == {"c": TaskOutcome.BLOCKED}
    assert read_failures(done.output) == []


def test_an_old_result_of_a_forced_task_is_not_what_was_asked_for(done: Toy) -> None:
    tasks = list(plan_of(done, force=["numbers"]).tasks[:1])
    assert _records(done, tasks, "2000-01-01T00:00:00.000000Z") == {"a": TaskOutcome.DONE}
    assert _records(done, tasks, "9999-01-01T00:00:00.000000Z") == {"a": TaskOutcome.FAILED}


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("OUT_OF_MEMORY", "executor.memory"),
        ("CANCELLED", "somebody cancelled it: run again"),
        ("NODE_FAIL", "its node failed: run again"),
        ("FAILED", "run again; if it ends like this again"),
    ],
)
def test_advice(state: str, advice: str, tmp_path: Path) -> None:
    assert advice in what_happened("7_0", JobState(state, "None"), tmp_path / "none.log")


def test_the_log_speaks_where_slurm_has_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    log.write_bytes(b"first\n" + b"x" * 5000 + b"\n\nTraceback\n  \xff  \nKilled\n")
    assert last_lines(log) == "Traceback | \ufffd | Killed"
    told = what_happened("7_0", None, log)
    assert "SLURM no longer knows why" in told
    assert told.endswith("its last words: Traceback | \ufffd | Killed")
