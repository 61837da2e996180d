"""Runs a plan on this machine: in this process, or in worker processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from pipeline.atomic import sweep
from pipeline.errors import SceneError, StoreError
from pipeline.executors.processes import Death, WorkerPool
from pipeline.plan import pin
from pipeline.progress import Progress
from pipeline.records import (
    Record,
    TaskOutcome,
    clear_failure,
    read_record,
    record_from_manifest,
    write_record,
    write_statistics,
)
from pipeline.store import intact_manifest
from pipeline.tasks import Chunk, Plan, PlannedTask, Reason, save_plan
from pipeline.worker import log_path, record_failure, run_chunk

_LARGEST_CHUNK = 8
_CHUNKS_A_WORKER = 4
_COMPLETE = (TaskOutcome.DONE, TaskOutcome.KEPT)


@dataclass
class Outcome:
    """How a run ended: stage -> number of tasks done, kept, failed and blocked."""

    counts: dict[str, Counter[TaskOutcome]] = field(default_factory=dict)
    failed: list[Record] = field(default_factory=list)
    """the records of failed tasks: on a full disk they exist nowhere else"""
    interrupted: bool = False

    def count(self, outcome: TaskOutcome) -> int:
        """The number of tasks of all stages that ended like this."""
        return sum(counts[outcome] for counts in self.counts.values())

    @property
    def exit_code(self) -> int:
        """0 where all is done, 1 where something failed or was blocked, 130 after Ctrl-C."""
        if self.interrupted:
            return 130
        return 1 if self.count(TaskOutcome.FAILED) or self.count(TaskOutcome.BLOCKED) else 0


def run_plan(plan: Plan, *, workers: int, progress: Progress) -> Outcome:
    """Runs the tasks of a plan that are not done, stage by stage; what fails does not stop the others.

    ``workers`` is the number of processes; 0 runs everything in this one. The results do not depend on it. Raises
    InputError where the output folder cannot be used.
    """
    save_plan(plan)
    sweep(plan.output)
    outcome = Outcome()
    pool = WorkerPool(workers) if workers else None
    try:
        with progress:
            for step in plan.steps():
                _run_step(plan, step, pool, progress, outcome)
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        if pool is not None:
            pool.close()
        sweep(plan.output)  # of workers that were stopped
    with suppress(StoreError):  # a full disk has been reported by the tasks
        write_statistics(plan.output)
    return outcome


def _run_step(
    plan: Plan, step: Sequence[PlannedTask], pool: WorkerPool | None, progress: Progress, outcome: Outcome
) -> None:
    """Runs one stage; everything it reads has ended."""
    counts = outcome.counts.setdefault(step[0].stage, Counter())
    pinned = [pin(plan, task) for task in step]
    kept = [task for task in pinned if task.reason is Reason.DONE and not (plan.strict and task.missing)]
    for task in kept:
        _note_kept(plan, task)
        counts[TaskOutcome.KEPT] += 1
    done = {task.scene for task in kept}
    waiting = [task for task in pinned if task.scene not in done]
    progress.start(step[0].stage, len(waiting), len(kept))
    for record in _records(_chunks(plan, waiting, 1 if pool is None else pool.size), pool):
        counts[record.outcome] += 1
        if record.outcome is TaskOutcome.FAILED:
            outcome.failed.append(record)
        progress.advance(record)
    progress.finish()


def _chunks(plan: Plan, tasks: Sequence[PlannedTask], workers: int) -> list[Chunk]:
    """The tasks in chunks, small enough that every worker gets several of them."""
    size = min(_LARGEST_CHUNK, max(1, len(tasks) // (_CHUNKS_A_WORKER * workers)))
    parts = [tuple(tasks[start : start + size]) for start in range(0, len(tasks), size)]
    return [Chunk(plan.output, plan.config[part[0].stage], plan.strict, part) for part in parts]


def _records(chunks: Sequence[Chunk], pool: WorkerPool | None) -> Iterator[Record]:
    """Runs the chunks of one stage; those of a worker that died are tried once more, scene by scene."""
    if pool is None:
        for chunk in chunks:
            yield from run_chunk(chunk)
        return
    again: list[Chunk] = []
    for chunk, answer in pool.run(chunks):
        if isinstance(answer, Death):
            again += [replace(chunk, tasks=(task,), attempt=chunk.attempt + 1) for task in chunk.tasks]
        else:
            yield from answer
    for chunk, answer in pool.run(again):
        if isinstance(answer, Death):
            yield _lost(chunk, answer)
        else:
            yield from answer


def _lost(chunk: Chunk, death: Death) -> Record:
    """The record of a task that cost two workers their lives."""
    task = chunk.tasks[0]
    cause = (
        "most likely memory ran out: use fewer workers, or a machine with more memory"
        if death.killed
        else "a library crashed: run this scene alone with --workers 0 to see its last words"
    )
    log = log_path(chunk.tasks)
    error = SceneError(f"{task.scene}: the worker process {death}, {chunk.attempt} times; {cause} (log: {log})")
    return record_failure(chunk.output, task, error, log=log, attempt=chunk.attempt)


def _note_kept(plan: Plan, task: PlannedTask) -> None:
    """Makes record and failure file agree with a result that is kept."""
    clear_failure(plan.output, task.stage, task.scene)
    record = read_record(plan.output, task.stage, task.scene)
    if record is not None and record.fingerprint == task.fingerprint and record.outcome in _COMPLETE:
        return
    manifest = intact_manifest(task.folder)
    if manifest is not None:
        with suppress(StoreError):
            write_record(plan.output, record_from_manifest(manifest))
