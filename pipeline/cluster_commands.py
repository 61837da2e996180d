"""What the subcommands of a cluster do: submit, cancel, and the worker that jobs start."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from pipeline.atomic import sweep
from pipeline.commands import Stages, configuration, planned_run
from pipeline.errors import ConfigurationError, DependencyError
from pipeline.executors.config import SlurmExecutor
from pipeline.executors.processes import WorkerPool, surviving
from pipeline.plans import load_plan, save_plan
from pipeline.records import Record
from pipeline.results import existing_run
from pipeline.show import count
from pipeline.show_run import run_heading, shown
from pipeline.slurm import queue
from pipeline.slurm.chunks import StepChunks, write_records
from pipeline.slurm.queue import Limits, QueueError
from pipeline.slurm.submission import (
    announcement,
    earlier_jobs,
    job_arrays,
    script_text,
    still_queued,
    submission_of,
)
from pipeline.slurm.submission import (
    cancel as cancel_jobs,
)
from pipeline.slurm.submission import (
    submit as submit_jobs,
)
from pipeline.tasks import Chunk, Plan


def submit(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp submit``: hands a run to SLURM and returns at once."""
    config = configuration(arguments, stages)
    executor = config.executor
    if not isinstance(executor, SlurmExecutor):
        raise ConfigurationError(f"boxgp submit needs an executor of kind slurm, not {executor.kind}: --executor slurm")
    plan = planned_run(arguments, config, stages)
    if arguments.dry_run:
        print(_dry_run(plan, executor))
        return 0
    print(run_heading(plan, "as SLURM jobs"), flush=True)
    warning = earlier_jobs(plan.output)
    if warning is not None:
        print(warning, file=sys.stderr)
    submission = submit_jobs(plan, save_plan(plan), executor)
    print(announcement(submission) if submission.arrays else "nothing was submitted")
    return 0


def cancel(arguments: argparse.Namespace, stages: Stages) -> int:  # noqa: ARG001 (all commands are called alike)
    """``boxgp cancel``: ends all SLURM jobs of a run."""
    output = existing_run(arguments.run)
    queued = still_queued(output)
    for submission, number in queued.items():
        cancel_jobs(submission)
        arrays = " ".join(str(one.job) for one in submission.arrays)
        print(f"cancelled {count(number, 'job')} of job arrays {arrays}, submitted {submission.submitted}")
    if not queued:
        print(f"{shown(output.absolute())} has no jobs in the queue")
    return 0


def worker(arguments: argparse.Namespace, stages: Stages) -> int:  # noqa: ARG001 (all commands are called alike)
    """``boxgp worker``: what one job of SLURM does; scenes that fail are recorded and do not fail the job."""
    saved = Path(arguments.plan)
    plan = load_plan(saved)
    if not 0 <= arguments.step < len(plan.steps):
        raise ConfigurationError(f"{saved} has {len(plan.steps)} steps; there is no step {arguments.step}")
    tasks = tuple(StepChunks(plan, arguments.step).tasks(arguments.index, arguments.size))
    if not tasks:
        raise ConfigurationError(f"step {arguments.step} of {saved} has no chunk {arguments.index}")
    attempt = int(os.environ.get("SLURM_RESTART_COUNT", "0")) + 1
    records = _run(plan, Chunk(plan.output, plan.config[tasks[0].stage], plan.strict, tasks, attempt))
    write_records(submission_of(saved) / "records", arguments.step, arguments.index, records)
    return 0


def _run(plan: Plan, chunk: Chunk) -> list[Record]:
    pool = WorkerPool(1)
    try:
        return [record for records in surviving(pool, [chunk]) for record in records]
    except KeyboardInterrupt:
        pool.close()
        sweep(plan.output)  # what the stage was writing
        raise
    finally:
        pool.close()


def _dry_run(plan: Plan, executor: SlurmExecutor) -> str:
    """The scripts as they would be submitted, each with the command that would do it."""
    saved = plan.output / "plans" / "<moment>"
    limits, remark = _limits()
    arrays = job_arrays(plan, executor, limits)
    parts = [f"# {count(len(arrays), 'job array')} would be submitted{remark}"]
    before: tuple[int, list[str]] = (-1, [])
    current: tuple[int, list[str]] = (-1, [])
    for array in arrays:
        if array.step != current[0]:
            before, current = current, (array.step, [])
        current[1].append(f"<job {array.name}>")
        after = f" --dependency=afterany:{':'.join(before[1])}" if before[1] else ""
        script = shlex.quote(str(submission_of(saved) / f"{array.name}.sh"))
        parts.append(f"# sbatch{after} {script}\n{script_text(plan, saved, array, executor)}")
    return "\n".join(parts)


def _limits() -> tuple[Limits, str]:
    """What the cluster allows, and a remark where it cannot be asked."""
    try:
        return queue.limits(), ""
    except (DependencyError, QueueError) as error:
        return Limits(), f", with SLURM's default limits since it could not be asked ({error})"
