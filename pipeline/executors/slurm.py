"""Runs a plan as SLURM job arrays and follows them until the last job has left the queue."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.executors.base import Executor, Outcome
from pipeline.executors.config import SlurmExecutor
from pipeline.progress import Progress
from pipeline.records import Record
from pipeline.show_run import shown
from pipeline.slurm import queue
from pipeline.slurm.chunks import StepChunks, read_records
from pipeline.slurm.lost import lost_records
from pipeline.slurm.queue import QueueError
from pipeline.slurm.status import stuck_line
from pipeline.slurm.submission import Submission, SubmittedArray, announcement, cancel, earlier_jobs, submit
from pipeline.tasks import Plan

_SHORTEST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 15.0
_PAUSE_SHARE = 0.1
"""of the time since the start: what runs for long is asked for seldom"""
_PATIENCE_SECONDS = 300.0
"""how long SLURM may be silent, as it is while it restarts"""

_Chunks = Mapping[int, tuple[SubmittedArray, int]]
"""chunk of a step -> the array of its job, and the job's index in it"""


class SlurmArrayExecutor(Executor):
    """One job array a stage, each after the one before it."""

    def __init__(self, config: SlurmExecutor, output: Path) -> None:
        self._config = config
        self._output = output
        self._submission: Submission | None = None

    @property
    def description(self) -> str:
        """``as SLURM jobs``."""
        return "as SLURM jobs"

    def run(self, plan: Plan, saved: Path, progress: Progress, outcome: Outcome) -> None:
        """Submits everything, then waits for stage after stage."""
        warning = earlier_jobs(self._output)
        if warning is not None:
            print(warning, file=sys.stderr, flush=True)
        self._submission = submit(plan, saved, self._config)
        if self._submission.arrays:
            print(announcement(self._submission), file=sys.stderr, flush=True)
        follower = _Follower(plan, self._submission)
        try:
            for step, one in plan.running:
                arrays = [other for other in self._submission.arrays if other.array.step == step]
                waiting = sum(other.array.scenes for other in arrays)
                outcome.begin(one.label, len(one.rows) - waiting)
                progress.start(one.label, waiting, len(one.rows) - waiting)
                for record in follower.records(step, arrays):
                    outcome.add(record)
                    progress.advance(record)
                progress.finish()
        except QueueError:
            self._submission = None  # its jobs go on
            raise
        self._submission = None

    def close(self) -> None:
        """Cancels the jobs of a run that was stopped."""
        if self._submission is not None:
            with suppress(QueueError):
                cancel(self._submission)


class _Follower:
    """Looks at the records that jobs leave, and at the queue for those that leave none."""

    def __init__(self, plan: Plan, submission: Submission) -> None:
        self._plan = plan
        self._submission = submission
        self._begin = self._heard = time.monotonic()
        self._told: set[str] = set()

    def records(self, step: int, arrays: Sequence[SubmittedArray]) -> Iterator[Record]:
        """The records of all tasks of one step, in the order in which jobs end."""
        waiting = {one.array.offset + index: (one, index) for one in arrays for index in range(one.array.count)}
        gone: set[int] = set()
        while waiting:
            # in this order: a job leaves its records before it leaves the queue
            jobs = self._queue()
            for chunk, records in read_records(self._submission.records, step, waiting).items():
                del waiting[chunk]
                yield from records
            if jobs is not None:
                self._tell_of_stuck(queue.stuck_jobs(jobs, {one.job for one, _ in waiting.values()}))
                missing = {chunk for chunk, (one, index) in waiting.items() if index not in jobs.get(one.job, {})}
                # twice, since files of another machine may come late
                lost, states = _ended({chunk: waiting[chunk] for chunk in sorted(missing & gone)})
                for chunk in lost:
                    del waiting[chunk]
                yield from self._lost(step, lost.values(), states)
                gone = missing
            if waiting:
                elapsed = time.monotonic() - self._begin
                time.sleep(min(max(_SHORTEST_PAUSE_SECONDS, _PAUSE_SHARE * elapsed), _LONGEST_PAUSE_SECONDS))

    def _tell_of_stuck(self, jobs: Mapping[str, str]) -> None:
        """Says once for each reason that jobs will not begin by themselves."""
        for reason in jobs.keys() - self._told:
            self._told.add(reason)
            print(stuck_line(reason, jobs[reason]), file=sys.stderr, flush=True)

    def _queue(self) -> queue.Jobs | None:
        """What waits or runs, None where SLURM does not answer, which must not last."""
        try:
            jobs = queue.queued_jobs(self._submission.user)
        except QueueError as error:
            silent = time.monotonic() - self._heard
            if silent < _PATIENCE_SECONDS:
                return None
            raise QueueError(
                f"SLURM has not answered for {silent:.0f} s ({error}); its jobs may still run: see boxgp status "
                f"{shown(self._plan.output)} later, and run again for what is missing then"
            ) from error
        self._heard = time.monotonic()
        return jobs

    def _lost(self, step: int, jobs: Collection[tuple[SubmittedArray, int]], states: queue.Jobs) -> Iterator[Record]:
        """The records of jobs that have ended without leaving any."""
        chunks = StepChunks(self._plan, step)
        for one, index in jobs:
            yield from lost_records(
                chunks.tasks(one.array.offset + index, one.array.size),
                output=self._plan.output,
                job=f"{one.job}_{index}",
                state=states[one.job].get(index),
                log=self._submission.log(one, index),
                submitted=self._submission.submitted,
            )


def _ended(chunks: _Chunks) -> tuple[_Chunks, queue.Jobs]:
    """Those whose jobs will not run again, and what SLURM knows of all: one queued again may be absent for a moment."""
    indices: defaultdict[int, list[int]] = defaultdict(list)
    for one, index in chunks.values():
        indices[one.job].append(index)
    states = {number: queue.known_jobs(number, those) for number, those in indices.items()}

    def ended(one: SubmittedArray, index: int) -> bool:
        state = states[one.job].get(index)
        return state is None or state.has_ended

    return {chunk: job for chunk, job in chunks.items() if ended(*job)}, states
