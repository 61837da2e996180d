"""How far the jobs of a run are: the queue joined with what they left on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import DependencyError, StoreError
from pipeline.plans import load_plan
from pipeline.slurm import queue
from pipeline.slurm.chunks import StepChunks, recorded
from pipeline.slurm.queue import QueueError
from pipeline.slurm.submission import Submission, SubmittedArray, submissions
from pipeline.tasks import Plan, Reason

TaskName = tuple[str, int, str]
"""stage, round, scene"""
_SHOWN_LOGS = 5


@dataclass
class QueueStatus:
    """Scenes in jobs that wait or run, whatever of them is done; and what jobs left undone that are gone."""

    queued: Counter[str] = field(default_factory=Counter)
    """stage -> scenes in jobs that wait"""
    running: Counter[str] = field(default_factory=Counter)
    """stage -> scenes in jobs that run"""
    lost: dict[TaskName, Path] = field(default_factory=dict)
    """task without result or failure whose job has ended -> log of the job"""

    stuck: dict[str, str] = field(default_factory=dict)
    """why jobs will not begin by themselves -> one of them"""

    def lines(self) -> Iterator[str]:
        """What to do about jobs that will not begin, and which logs to read about those that were lost."""
        yield from (stuck_line(reason, job) for reason, job in self.stuck.items())
        logs = list(dict.fromkeys(self.lost.values()))
        if logs:
            yield f"{len(logs)} of its SLURM jobs ended without a word; run again. What they printed last:"
            yield from (f"  {log}" for log in logs[:_SHOWN_LOGS])
            if len(logs) > _SHOWN_LOGS:
                yield f"  and {len(logs) - _SHOWN_LOGS} more in {logs[0].parent}"


def stuck_line(reason: str, job: str) -> str:
    """What to do about jobs that will not begin by themselves."""
    return (
        f"SLURM will not start jobs such as {job} as they are: {reason}. See scontrol show job {job}; correct that "
        "there, or end them (boxgp cancel) and submit again with other options of section `executor`"
    )


def queue_status(plan: Plan, failed: Collection[TaskName]) -> QueueStatus | str | None:
    """What is in the queue for a run, why that cannot be told, or None where nothing was ever submitted.

    ``plan`` is that of the run as it is now, ``failed`` are tasks with a failure file.
    """
    found = submissions(plan.output)
    if not found:
        return None
    try:
        jobs = {user: queue.queued_jobs(user) for user in {one.user for one in found}}
    except (DependencyError, QueueError) as error:
        return f"The queue could not be asked, so jobs that wait or run are not shown: {error}"
    status = QueueStatus()
    for submission in found:
        status.stuck |= queue.stuck_jobs(jobs[submission.user], [one.job for one in submission.arrays])
        for one in submission.arrays:
            for index, state in jobs[submission.user].get(one.job, {}).items():
                counts = status.running if state.is_running else status.queued
                counts[one.array.label] += one.array.scenes_of(index)
    newest = found[-1]
    if not newest.cancelled:
        with suppress(StoreError):  # of a plan of another version nothing can be said
            status.lost = _lost(plan, newest, jobs[newest.user], failed)
    return status


def _lost(plan: Plan, submission: Submission, jobs: queue.Jobs, failed: Collection[TaskName]) -> dict[TaskName, Path]:
    ended = recorded(submission.records)
    gone: dict[int, list[tuple[SubmittedArray, int]]] = {}
    for one in submission.arrays:
        alive = jobs.get(one.job, {})
        for index in range(one.array.count):
            if index not in alive and (one.array.step, one.array.offset + index) not in ended:
                gone.setdefault(one.array.step, []).append((one, index))
    if not gone:
        return {}
    planned = load_plan(submission.plan)
    lost = {}
    for step, those in gone.items():
        stage, number = planned.steps[step].stage, planned.steps[step].round
        done = _done(plan, stage, number)
        scenes = StepChunks(planned, step).scenes
        for one, index in those:
            first = (one.array.offset + index) * one.array.size
            for scene in scenes[first : first + one.array.size]:
                if scene not in done and (stage, number, scene) not in failed:
                    lost[stage, number, scene] = submission.log(one, index)
    return lost


def _done(plan: Plan, stage: str, number: int) -> set[str]:
    steps = [step for step in plan.steps if (step.stage, step.round) == (stage, number)]
    return {row.scene for step in steps for row in step.rows if row.reason is Reason.DONE}
