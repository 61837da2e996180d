"""Text about a run: what it will do, how far it is, how it ended."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.executors.local import Outcome
from pipeline.plan import pin
from pipeline.records import Failure, Record, TaskOutcome, read_record
from pipeline.show import count, table, wrapped
from pipeline.stage import DATASET
from pipeline.tasks import Plan, PlannedTask, Reason

TABLE = "table.txt"
"""a file of a dataset-level result that is printed at the end of a run"""
_MOST_FAILURES = 20
_STALE = (Reason.CONFIG, Reason.INPUT, Reason.VERSION)
_REASONS = {
    Reason.DONE: "the result is there and is kept",
    Reason.MISSING: "there is no complete result yet",
    Reason.CONFIG: "options or seed have changed since it was computed",
    Reason.INPUT: "its inputs have changed since it was computed, or will change in this run",
    Reason.VERSION: "it was computed by another version of the stage",
    Reason.FORCED: "it is done, but --force asks for it again",
}


def shown(output: Path) -> Path:
    """``output`` as short as it can be written from the current folder."""
    return output.relative_to(Path.cwd()) if output.is_relative_to(Path.cwd()) else output


def run_heading(plan: Plan, workers: int) -> str:
    """What is about to run, and where."""
    where = f"with {count(workers, 'worker')}" if workers else "in this process"
    pending = f"{len(plan.pending)} of {count(len(plan.tasks), 'task')} to run {where}"
    return f"{plan.name} -> {shown(plan.output)}: {pending if plan.pending else 'everything is done already'}"


def plan_table(plan: Plan) -> str:
    """Stage x reason, the reasons that occur alone."""
    counts = plan.counts()
    reasons = [reason for reason in Reason if any(stage[reason] for stage in counts.values())]
    legend = "\n".join(f"  {reason}: {_REASONS[reason]}" for reason in reasons)
    rows = [(name, *(stage[reason] for reason in reasons)) for name, stage in counts.items()]
    return f"{table(('stage', *reasons), rows)}\n\n{legend}"


def plan_listing(plan: Plan) -> str:
    """Every task with its reason."""
    return table(
        ("stage", "scene", "reason"), [(task.stage, scene_name(task.scene), task.reason) for task in plan.tasks]
    )


def scene_name(scene: str) -> str:
    """A scene id, or words for all scenes."""
    return "(all scenes)" if scene == DATASET else scene


def status_table(plan: Plan, failures: Sequence[Failure]) -> str:
    """Stage x state on disk."""
    failed = {(failure.stage, failure.scene) for failure in failures}
    states: dict[str, Counter[str]] = {}
    for task in plan.tasks:
        # a dataset-level result over the scenes that succeeded is done, although a run would try the others again
        reason = pin(plan, task).reason
        state = "stale" if reason in _STALE else str(reason)
        if reason is not Reason.DONE and (task.stage, task.scene) in failed:
            state = "failed"
        states.setdefault(task.stage, Counter())[state] += 1
    columns = ("done", "stale", "missing", "failed")
    return table(("stage", *columns), [(name, *(count[state] for state in columns)) for name, count in states.items()])


def failure_listing(output: Path, failures: Sequence[Failure], *, traceback: bool) -> str:
    """Each failure: where, what, what to do, and the log."""
    paragraphs = []
    for failure in failures:
        lines = [f"{scene_name(failure.scene)}, stage {failure.stage}"]
        lines += wrapped(failure.message or "no message", 2)
        if not failure.expected:
            lines += wrapped(
                f"This is an unexpected {failure.error}, an error in boxgp or in a library: --traceback shows where it "
                "arose. Please report it with its log.",
                2,
            )
        if failure.files:
            lines.append(f"  input: {', '.join(failure.files)}")
        lines.append(f"  log: {output / failure.log}")
        if traceback:
            lines.append(textwrap.indent(failure.traceback.rstrip(), "  | "))
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs)


def end_of_run(plan: Plan, outcome: Outcome) -> str:
    """Counts a stage, warnings, failures, tables of dataset-level stages, and where all of it lies."""
    failed = {(record.stage, record.scene): record for record in outcome.failed}
    records = [
        record
        for task in plan.tasks
        if (record := failed.get((task.stage, task.scene)) or read_record(plan.output, task.stage, task.scene))
    ]
    return "\n\n".join(
        [
            _outcome_table(plan, outcome),
            *_warnings(plan, records),
            *_failures(plan, records),
            *_tables(plan, records),
            f"The results are in {shown(plan.output)}",
        ]
    )


def _outcome_table(plan: Plan, outcome: Outcome) -> str:
    folders = {step[0].stage: _folder(plan, step[0]) for step in plan.steps()}
    rows = [
        (stage, *(counts[kind] for kind in TaskOutcome), folders[stage]) for stage, counts in outcome.counts.items()
    ]
    return table(("stage", *TaskOutcome, "results in"), rows)


def _folder(plan: Plan, task: PlannedTask) -> str:
    folder = task.folder.relative_to(plan.output)
    return f"{folder}/" if task.granularity == "dataset" else f"{folder.parent}/<scene>/"


def _warnings(plan: Plan, records: Sequence[Record]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for record in records:
        counts[record.stage] += len(record.warnings)
    warned = [f"  {shown(plan.output)}/logs/{stage}/ ({number})" for stage, number in counts.items() if number]
    if warned:
        yield f"{count(counts.total(), 'warning')}, in the lines with WARNING of these logs:\n" + "\n".join(warned)


def _failures(plan: Plan, records: Sequence[Record]) -> Iterator[str]:
    failed = [record for record in records if record.outcome is TaskOutcome.FAILED]
    if not failed:
        return
    lines = [f"{count(len(failed), 'failure')}:"]
    for record in failed[:_MOST_FAILURES]:
        lines.append(f"  {scene_name(record.scene)}, {record.stage}: {record.message.partition(chr(10))[0]}")
    if len(failed) > _MOST_FAILURES:
        lines.append(f"  and {len(failed) - _MOST_FAILURES} more")
    lines.append(f"What to do about them: boxgp failures {shown(plan.output)}")
    yield "\n".join(lines)


def _tables(plan: Plan, records: Sequence[Record]) -> Iterator[str]:
    complete = {
        (record.stage, record.scene) for record in records if record.outcome in {TaskOutcome.DONE, TaskOutcome.KEPT}
    }
    for task in plan.tasks:
        path = task.folder / TABLE
        if task.granularity == "dataset" and (task.stage, task.scene) in complete and path.is_file():
            yield path.read_text(encoding="utf-8").rstrip()
