"""Text about a run: what it will do, how far it is, how it ended."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.executors.base import Outcome
from pipeline.failures import Failure
from pipeline.plan import Pins
from pipeline.records import TaskOutcome
from pipeline.show import count, table, wrapped
from pipeline.stage import DATASET
from pipeline.tasks import Plan, Reason, Step
from pipeline.workspace import reports

if TYPE_CHECKING:
    from pipeline.slurm.status import QueueStatus, TaskName

TABLE = "table.txt"
"""a file of a dataset-level result that is printed at the end of a run"""
_MOST_FAILURES = 20
_STATES = {
    Reason.DONE: "done",
    Reason.MISSING: "missing",
    Reason.CONFIG: "stale",
    Reason.INPUT: "stale",
    Reason.VERSION: "stale",
}
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


def run_heading(plan: Plan, where: str) -> str:
    """What is about to run, and where."""
    pending = plan.pending
    what = f"{pending} of {count(plan.size, 'task')} to run {where}" if pending else "everything is done already"
    return f"{plan.name} -> {shown(plan.output)}: {what}"


def plan_table(plan: Plan) -> str:
    """Stage x reason, the reasons that occur alone."""
    counts = plan.counts()
    reasons = [reason for reason in Reason if any(stage[reason] for stage in counts.values())]
    legend = "\n".join(f"  {reason}: {_REASONS[reason]}" for reason in reasons)
    rows = [(name, *(stage[reason] for reason in reasons)) for name, stage in counts.items()]
    return f"{table(('stage', *reasons), rows)}\n\n{legend}"


def plan_listing(plan: Plan) -> str:
    """Every task with its reason."""
    rows = [(step.label, scene_name(row.scene), row.reason) for _, step in plan.running for row in step.rows]
    return table(("stage", "scene", "reason"), rows)


def scene_name(scene: str) -> str:
    """A scene id, or words for all scenes."""
    return "(all scenes)" if scene == DATASET else scene


def status_table(plan: Plan, failed: Collection[TaskName], jobs: QueueStatus | None) -> str:
    """Stage x state on disk, and in the queue where there is one; tasks that jobs have lost count as failed."""
    unlucky = {*failed, *(() if jobs is None else jobs.lost)}
    states: dict[str, Counter[str]] = {}
    pins = Pins(plan, unchanged=True)
    for place, step in plan.running:
        counts = states.setdefault(step.label, Counter())
        scenes = {scene for stage, number, scene in unlucky if (stage, number) == (step.stage, step.round)}
        for position, row in enumerate(step.rows):
            # a dataset-level result over the scenes that succeeded is done, although a run would try the others again
            certain = row.reason is Reason.MISSING or (step.granularity == "scene" and row.fingerprint is not None)
            reason = row.reason if certain else pins.pin(plan.task(place, position)).reason
            counts["failed" if row.scene in scenes and reason is not Reason.DONE else _STATES[reason]] += 1
    columns = ["done", "stale", "missing", "failed"]
    if jobs is not None:
        columns += ["queued", "running"]
        for name, counts in states.items():
            counts.update(queued=jobs.queued[name], running=jobs.running[name])
    return table(("stage", *columns), [(name, *(count[state] for state in columns)) for name, count in states.items()])


def report_lines(plan: Plan) -> Iterator[str]:
    """How far the tasks over all scenes are that have begun and not ended."""
    for _, step in plan.running:
        if step.granularity == "dataset" and step.rows[0].reason is not Reason.DONE:
            for report in reports(plan.output, step.folder):
                yield f"{step.label}: {report.done} of {report.total}, {report.text}"


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
    return "\n\n".join(
        [
            _outcome_table(plan, outcome),
            *warnings_of(plan, outcome),
            *failures_of(plan, outcome),
            *_tables(plan, outcome),
            f"The results are in {shown(plan.output)}",
        ]
    )


def _outcome_table(plan: Plan, outcome: Outcome) -> str:
    folders = {step.label: _folder(plan, step) for _, step in plan.running}
    rows = [
        (stage, *(counts[kind] for kind in TaskOutcome), folders[stage]) for stage, counts in outcome.counts.items()
    ]
    return table(("stage", *TaskOutcome, "results in"), rows)


def _folder(plan: Plan, step: Step) -> str:
    folder = step.folder.relative_to(plan.output)
    return f"{folder}/" if step.granularity == "dataset" else f"{folder}/<scene>/"


def warnings_of(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """How many warnings there were and which logs hold them, if any."""
    logs = {step.label: _logs(plan, step) for _, step in plan.running}
    warned = [f"  {logs[stage]} ({number})" for stage, number in outcome.warnings.items() if number]
    if warned:
        total = count(outcome.warnings.total(), "warning")
        yield "\n".join([f"{total}, in the lines with WARNING of these logs:", *warned])


def _logs(plan: Plan, step: Step) -> str:
    place = f"{shown(plan.output)}/logs/{step.folder.relative_to(plan.output)}"
    return f"{place}.log" if step.granularity == "dataset" else f"{place}/"


def failures_of(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """What failed, one line a scene, if anything."""
    if not outcome.failed:
        return
    failed = sorted(outcome.failed, key=lambda record: [*outcome.counts].index(record.label))
    lines = [f"{count(len(failed), 'failure')}:"]
    for record in failed[:_MOST_FAILURES]:
        lines.append(f"  {scene_name(record.scene)}, {record.label}: {record.message.partition(chr(10))[0]}")
    if len(failed) > _MOST_FAILURES:
        lines.append(f"  and {len(failed) - _MOST_FAILURES} more")
    lines.append(f"What to do about them: boxgp failures {shown(plan.output)}")
    yield "\n".join(lines)


def _tables(plan: Plan, outcome: Outcome) -> Iterator[str]:
    complete = {TaskOutcome.DONE, TaskOutcome.KEPT}
    for _, step in plan.running:
        path = step.folder / TABLE
        counts = outcome.counts.get(step.label, Counter[TaskOutcome]())
        if step.granularity == "dataset" and complete.intersection(+counts) and path.is_file():
            yield path.read_text(encoding="utf-8").rstrip()
