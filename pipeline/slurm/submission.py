"""The job arrays of a plan: cut, submitted, kept in ``submissions/``, read back."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from pipeline.atomic import write_text_atomic, writing
from pipeline.errors import ConfigurationError, StoreError
from pipeline.executors.config import SlurmExecutor
from pipeline.executors.stepwise import forget_failures
from pipeline.logs import moment
from pipeline.show import count
from pipeline.show_run import shown
from pipeline.slurm import queue
from pipeline.slurm.chunks import StepChunks
from pipeline.slurm.queue import QueueError
from pipeline.slurm.script import JobArray, job_script, log_of, resources_of
from pipeline.tasks import Plan, Step

SUBMISSIONS = "submissions"
_JOBS = "jobs.json"
_FORMAT = 2


@dataclass(frozen=True)
class SubmittedArray:
    """A job array and the number that SLURM gave it."""

    array: JobArray
    job: int


@dataclass(frozen=True)
class Submission:
    """What one `boxgp submit` or run with SLURM has submitted; lies in ``submissions/<moment>`` of the run."""

    folder: Path
    user: str
    submitted: str
    """when, in UTC: 2026-01-31T23:59:59.123456Z"""
    arrays: tuple[SubmittedArray, ...] = ()
    cancelled: bool = False
    """whether somebody wanted it to end"""

    @property
    def plan(self) -> Path:
        """The folder of the plan that its jobs read."""
        return self.folder.parent.parent / "plans" / self.folder.name

    @property
    def records(self) -> Path:
        """The folder where each job that ends puts its records."""
        return self.folder / "records"

    @property
    def logs(self) -> Path:
        """The folder of what its jobs print."""
        return self.folder / "logs"

    def log(self, one: SubmittedArray, index: int) -> Path:
        """What one job printed."""
        return log_of(one.array, self.logs, one.job, index)

    def before(self, step: int) -> list[int]:
        """The numbers of the arrays that have to end before those of a step."""
        earlier = [one for one in self.arrays if one.array.step < step]
        return [one.job for one in earlier if one.array.step == earlier[-1].array.step]


def submission_of(plan: Path) -> Path:
    """The folder of the submission whose jobs read ``plan``, the folder of a plan."""
    return plan.parent.parent / SUBMISSIONS / plan.name


def job_arrays(plan: Plan, config: SlurmExecutor, limits: queue.Limits) -> list[JobArray]:
    """The job arrays that a plan needs, in the order of its stages; no array is larger than the cluster allows.

    Raises ConfigurationError for resources of an unknown stage, and where there are more jobs than the cluster takes.
    """
    _check_stages(plan, config)
    arrays = [
        array
        for step, one in plan.running
        for array in _split(step, one, len(StepChunks(plan, step).scenes), config, limits.array)
    ]
    jobs = sum(array.count for array in arrays)
    if jobs > limits.jobs:
        raise ConfigurationError(
            f"{plan.name} would be {jobs} jobs, and this cluster takes {limits.jobs} at a time (MaxJobCount): set "
            f"executor.scenes_per_job to {-(-config.scenes_per_job * jobs // limits.jobs)} or more"
        )
    return arrays


def submit(plan: Plan, saved: Path, config: SlurmExecutor) -> Submission:
    """Submits the jobs of a plan that was saved in ``saved``, one stage after the other, and returns at once.

    Whatever interrupts it, what was submitted is cancelled. Raises QueueError where SLURM refuses, StoreError where
    nothing can be written.
    """
    submission = Submission(submission_of(saved), queue.user_name(), moment(time.time()))
    arrays = job_arrays(plan, config, queue.limits())
    for step, stage in plan.running:
        forget_failures(plan.output, stage, set(StepChunks(plan, step).scenes))
    if not arrays:
        return submission
    with writing(submission.folder):
        for folder in (submission.records, submission.logs):
            folder.mkdir(parents=True)
    try:
        for array in arrays:
            script = submission.folder / f"{array.name}.sh"
            write_text_atomic(script, script_text(plan, saved, array, config))
            one = SubmittedArray(array, _submit(script, submission.before(array.step)))
            submission = replace(submission, arrays=(*submission.arrays, one))
            _write(submission)
    except BaseException:
        with suppress(QueueError):
            queue.cancel(one.job for one in submission.arrays)
        raise
    return submission


def announcement(submission: Submission) -> str:
    """What was submitted, and how to look after it."""
    stages = {one.array.label: 0 for one in submission.arrays}
    for one in submission.arrays:
        stages[one.array.label] += one.array.count
    jobs = ", ".join(f"{count(number, 'job')} for {stage}" for stage, number in stages.items())
    numbers = " ".join(str(one.job) for one in submission.arrays)
    run = shlex.quote(str(shown(submission.folder.parent.parent)))
    what_now = f"how far they are: boxgp status {run}; to end them: boxgp cancel {run}"
    return f"SLURM has {jobs}, in job arrays {numbers}\n{what_now}"


def script_text(plan: Plan, saved: Path, array: JobArray, config: SlurmExecutor) -> str:
    """The job script of one array."""
    logs = submission_of(saved) / "logs"
    return job_script(array, config, run=plan.output, plan=saved, logs=logs, boxgp=boxgp_command())


def submissions(output: Path) -> list[Submission]:
    """All submissions of a run, oldest first; what cannot be read is passed over."""
    found = []
    for path in sorted((output / SUBMISSIONS).glob(f"*/{_JOBS}")):
        with suppress(StoreError):
            found.append(_read(path))
    return found


def cancel(submission: Submission) -> None:
    """Ends all jobs of a submission, and notes that this was wanted; raises QueueError where SLURM does not answer."""
    queue.cancel(one.job for one in submission.arrays)
    _write(replace(submission, cancelled=True))


def still_queued(output: Path) -> dict[Submission, int]:
    """Submissions of a run that have jobs in the queue, with the number of these; QueueError where SLURM is silent."""
    found = submissions(output)
    jobs = {user: queue.queued_jobs(user) for user in {one.user for one in found}}
    counts = [(one, sum(len(jobs[one.user].get(array.job, {})) for array in one.arrays)) for one in found]
    return {one: number for one, number in counts if number}


def earlier_jobs(output: Path) -> str | None:
    """A warning about jobs of this run that were submitted before and have not ended, None where there are none."""
    queued = still_queued(output)
    if not queued:
        return None
    numbers = " ".join(str(array.job) for one in queued for array in one.arrays)
    return (
        f"warning: {count(sum(queued.values()), 'job')} of an earlier submission of this run still wait or run (job "
        f"arrays {numbers}). Nothing is computed twice at the same place, but time may be wasted: boxgp cancel "
        f"{shlex.quote(str(shown(output)))} ends them"
    )


def _submit(script: Path, after: Sequence[int]) -> int:
    try:
        return queue.submit(script, after)
    except QueueError as error:
        raise QueueError(f"{script} was not submitted, and nothing else is left in the queue: {error}") from error


def _split(place: int, step: Step, scenes: int, config: SlurmExecutor, largest: int) -> Iterator[JobArray]:
    size = resources_of(step.stage, config).scenes_per_job
    jobs = -(-scenes // size)
    for number, offset in enumerate(range(0, jobs, largest)):
        name = f"{place:02d}_{step.stage}" + (f"_{number}" if jobs > largest else "")
        yield JobArray(name, place, step.stage, step.round, offset, min(largest * size, scenes - offset * size), size)


def _check_stages(plan: Plan, config: SlurmExecutor) -> None:
    known: Collection[str] = {step.stage: None for step in plan.steps}
    for stage in config.stages:
        if stage not in known:
            near = get_close_matches(stage, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ConfigurationError(
                f"executor.stages: there is no stage {stage!r}{hint} There are: {', '.join(known)}"
            )


def boxgp_command() -> list[str]:
    """The command as jobs call it: the one of this Python, wherever they start."""
    command = Path(sys.executable).with_name("boxgp")
    return [str(command)] if command.is_file() else [sys.executable, "-P", "-m", "pipeline.cli"]


def _write(submission: Submission) -> None:
    arrays = [{**asdict(one.array), "job": one.job} for one in submission.arrays]
    values = {
        "format": _FORMAT,
        "user": submission.user,
        "submitted": submission.submitted,
        "cancelled": submission.cancelled,
        "arrays": arrays,
    }
    write_text_atomic(submission.folder / _JOBS, json.dumps(values, indent=1) + "\n")


def _read(path: Path) -> Submission:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != _FORMAT:
            raise StoreError(f"{path} is of another version of boxgp")
        arrays = tuple(SubmittedArray(JobArray(**one), job) for one in values["arrays"] for job in [one.pop("job")])
        return Submission(path.parent, values["user"], values["submitted"], arrays, values["cancelled"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} does not list the jobs of a submission ({error})") from error
