"""One stage after the other: what executors share that hand out chunks from this process."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.executors.base import Executor, Outcome
from pipeline.failures import clear_failure, failure_path
from pipeline.plan import Pins
from pipeline.progress import Progress
from pipeline.records import Record
from pipeline.tasks import Chunk, Plan, PlannedTask, Reason, Step
from pipeline.workspace import Report, reports

_LARGEST_CHUNK = 8
_CHUNKS_A_SLOT = 4
_SECONDS_BETWEEN_LOOKS = 0.5


class StepwiseExecutor(Executor):
    """Hands out the chunks of a stage when everything before it has ended."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many chunks run at the same time, at least 1: their sizes follow from it."""

    @abstractmethod
    def records(self, chunks: Sequence[Chunk]) -> Iterator[Record]:
        """Runs the chunks, in any order, and gives a record for each of their tasks as it ends.

        A chunk whose process died is tried once more, scene by scene; see ``pipeline.executors.processes.surviving``.
        """

    def run(self, plan: Plan, saved: Path, progress: Progress, outcome: Outcome) -> None:  # noqa: ARG002 (chunks carry their tasks)
        """Runs stage after stage."""
        pins = Pins(plan)
        for place, step in plan.running:
            waiting = open_tasks(plan, place, pins)
            kept = len(step.rows) - len(waiting)
            forget_failures(plan.output, step, {task.scene for task in waiting})
            outcome.begin(step.label, kept)
            progress.start(step.label, len(waiting), kept)
            with following(plan.output, step.folder if step.granularity == "dataset" else None, progress):
                for record in self.records(chunks_of(plan, waiting, self._chunk_size(len(waiting)))):
                    outcome.add(record)
                    progress.advance(record)
            progress.finish()

    def _chunk_size(self, tasks: int) -> int:
        """Small enough that every worker gets several chunks."""
        return min(_LARGEST_CHUNK, max(1, tasks // (_CHUNKS_A_SLOT * self.slots)))


@contextmanager
def following(output: Path, folder: Path | None, progress: Progress) -> Iterator[None]:
    """Shows what the task of a dataset-level ``folder`` reports, wherever it runs, while the caller waits for it."""
    if folder is None:
        yield
        return
    ended = threading.Event()

    def follow() -> None:
        last: Report | None = None
        while not ended.wait(_SECONDS_BETWEEN_LOOKS):
            for report in reports(output, folder):
                if report != last:
                    progress.note(report)
                    last = report

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def open_tasks(plan: Plan, place: int, pins: Pins) -> list[PlannedTask]:
    """The tasks of one step that have to run, pinned; everything that they read has ended."""
    step = plan.steps[place]
    waiting = []
    for position, row in enumerate(step.rows):
        if row.reason is Reason.DONE and row.fingerprint is not None and step.granularity == "scene":
            continue
        task = pins.pin(plan.task(place, position))
        if task.reason is not Reason.DONE or (plan.strict and task.missing):
            waiting.append(task)
    return waiting


def chunks_of(plan: Plan, tasks: Sequence[PlannedTask], size: int) -> list[Chunk]:
    """Tasks of one step in chunks of ``size``."""
    parts = [tuple(tasks[start : start + size]) for start in range(0, len(tasks), size)]
    return [Chunk(plan.output, plan.config[part[0].stage], plan.strict, part) for part in parts]


def forget_failures(output: Path, step: Step, waiting: set[str]) -> None:
    """Removes failures of tasks whose results are there: they are of another configuration, or of another time."""
    if step.granularity == "dataset":
        if not waiting:
            clear_failure(output, step.folder)
        return
    folder = failure_path(output, step.folder / "_").parent
    failed = {path.stem for path in folder.iterdir()} if folder.is_dir() else set()
    for scene in failed.intersection(row.scene for row in step.rows) - waiting:
        clear_failure(output, step.folder / scene)
