"""Runs a plan with an executor, from the saved plan to the statistics."""

from __future__ import annotations

from contextlib import suppress

from pipeline.atomic import sweep
from pipeline.errors import StoreError
from pipeline.executors.base import Executor, Outcome
from pipeline.interrupts import exit_code
from pipeline.plans import save_plan
from pipeline.progress import Progress
from pipeline.records import TaskOutcome
from pipeline.statistics import write_statistics
from pipeline.tasks import Plan


def run_plan(plan: Plan, executor: Executor, progress: Progress) -> Outcome:
    """Runs the tasks of a plan that are not done, stage by stage; what fails does not stop the others.

    The results do not depend on the executor, which is closed in the end. Raises InputError where the output folder
    cannot be used.
    """
    outcome = Outcome()
    try:
        saved = save_plan(plan)
        sweep(plan.output)
        with progress:
            executor.run(plan, saved, progress, outcome)
    except KeyboardInterrupt as stop:
        outcome.stopped = exit_code(stop)
    finally:
        executor.close()
        sweep(plan.output)  # of workers that were stopped
    if any(outcome.count(kind) for kind in TaskOutcome if kind is not TaskOutcome.KEPT):
        with suppress(StoreError):  # a full disk has been reported by the tasks
            write_statistics(plan.output)
    return outcome
