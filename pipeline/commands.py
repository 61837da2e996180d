"""What each subcommand does, between parsed arguments and printed text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from pipeline.config import RunConfig, check_scene_ids, configuration_schema, load_config, read_scene_ids
from pipeline.errors import ConfigurationError
from pipeline.executors.choose import executor_for
from pipeline.failures import read_failures
from pipeline.plan import make_plan
from pipeline.progress import progress_on
from pipeline.results import existing_run
from pipeline.run import run_plan
from pipeline.schema import Option
from pipeline.show import count, section_listing, stage_listing
from pipeline.show_run import (
    end_of_run,
    failure_listing,
    plan_listing,
    plan_table,
    report_lines,
    run_heading,
    shown,
    status_table,
)
from pipeline.slurm.status import QueueStatus, queue_status
from pipeline.splits import check_splits
from pipeline.stage import Stage
from pipeline.tasks import Plan

Stages = Sequence[tuple[str, type[Stage]]]
_EXECUTOR = "executor"
"""a section of the configuration that belongs to no stage"""


def run(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp run``: computes what is missing; returns the exit code."""
    config = configuration(arguments, stages)
    planned = planned_run(arguments, config, stages)
    executor = executor_for(config.executor, planned.output)
    print(run_heading(planned, executor.description), flush=True)
    outcome = run_plan(planned, executor, progress_on(sys.stderr))
    print(f"\n{end_of_run(planned, outcome)}")
    return outcome.exit_code


def plan(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp plan``: what would run, and why."""
    planned = planned_run(arguments, configuration(arguments, stages), stages)
    print(f"{planned.pending} of {count(planned.size, 'task')} would run in {shown(planned.output)}\n")
    print(plan_table(planned))
    if arguments.verbose:
        print(f"\n{plan_listing(planned)}")
    return 0


def status(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp status``: how far a run is."""
    folder = existing_run(arguments.run)
    planned = make_plan(saved_config(folder, stages), stages, folder)
    failures = read_failures(folder)
    failed = {(failure.stage, failure.round, failure.scene) for failure in failures}
    jobs = queue_status(planned, failed)
    print(status_table(planned, failed, jobs if isinstance(jobs, QueueStatus) else None))
    for line in report_lines(planned):
        print(line)
    for line in jobs.lines() if isinstance(jobs, QueueStatus) else [jobs] if jobs else []:
        print(line)
    if failures:
        print(f"\nWhat failed and what to do: boxgp failures {arguments.run}")
    return 0


def failures(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp failures``: what failed and what to do."""
    folder = existing_run(arguments.run)
    order = [stage.name for _, stage in stages]
    found = sorted(
        read_failures(folder), key=lambda failure: order.index(failure.stage) if failure.stage in order else -1
    )
    if arguments.scene is not None:
        found = [failure for failure in found if failure.scene == arguments.scene]
    if found:
        print(failure_listing(folder, found, traceback=arguments.traceback))
    else:
        print(f"{folder}: no failures" + (f" of scene {arguments.scene}" if arguments.scene is not None else ""))
    return 0


def list_stages(arguments: argparse.Namespace, stages: Stages) -> int:
    """``boxgp stages``: all options of one stage, or of all and of the executors."""
    classes = {stage.name: stage for _, stage in stages}
    names = [*classes, _EXECUTOR]
    if arguments.name is not None:
        _check_stage(arguments.name, names)
        names = [arguments.name]
    schema = configuration_schema([stage for _, stage in stages])
    listings = []
    for name in names:
        options = list(schema.options(schema.root["properties"][name], (name,)))
        listings.append(stage_listing(classes[name], options) if name in classes else _executor_listing(options))
    print("\n\n".join(listings))
    return 0


def configuration(arguments: argparse.Namespace, stages: Stages) -> RunConfig:
    """The configuration that a command line asks for."""
    overrides = [*arguments.overrides]
    if getattr(arguments, "workers", None) is not None:
        overrides.append(f"executor.workers={arguments.workers}")
    return load_config(
        arguments.configuration, overrides, [stage for _, stage in stages], getattr(arguments, "executor", None)
    )


def planned_run(arguments: argparse.Namespace, config: RunConfig, stages: Stages) -> Plan:
    """The plan that a command line asks for; raises ConfigurationError where a stage refuses its configuration."""
    for _, stage in stages:
        if stage.left_out(config.sections) is None:
            stage(config.sections[stage.name]).check()
    output = Path("outputs", config.name) if arguments.output is None else Path(arguments.output).expanduser()
    first, last = stage_range(arguments.stage)
    planned = make_plan(
        config,
        stages,
        output,
        first=first,
        last=last,
        scenes=chosen_scenes(arguments.scenes),
        force=arguments.force,
    )
    for note in check_splits(planned) if arguments.scenes is None else []:
        print(f"boxgp: {note}", file=sys.stderr)
    return planned


def stage_range(text: str | None) -> tuple[str | None, str | None]:
    """First and last stage of ``A..B``, ``A..``, ``..B`` or ``A``; None for an open end.

    Raises ConfigurationError for anything else.
    """
    if text is None:
        return None, None
    first, dots, last = text.partition("..")
    if not dots:
        last = first
    if not (first or last) or ".." in last:
        raise ConfigurationError(f"--stage {text!r}: give one stage (A), a range (A..B), or one end of it (A.., ..B)")
    return first or None, last or None


def chosen_scenes(text: str | None) -> tuple[str, ...] | None:
    """The ids of ``--scenes``: with commas between, or one a line in a file (with suffix .txt or a separator).

    None where the option is not given; raises ConfigurationError where there is no id or no such file.
    """
    if text is None:
        return None
    if text.endswith(".txt") or "/" in text:
        scenes = read_scene_ids(Path(text).expanduser())
    else:
        scenes = tuple(scene.strip() for scene in text.split(",") if scene.strip())
    if not scenes:
        raise ConfigurationError(f"--scenes {text!r} names no scene")
    try:
        check_scene_ids(scenes)
    except ConfigurationError as error:
        raise ConfigurationError(f"--scenes {text}: {error}") from error
    return scenes


def saved_config(run: Path, stages: Stages) -> RunConfig:
    """The configuration that a run was last started with, under the name of its folder."""
    config = load_config(str((run / "config.yaml").absolute()), (), [stage for _, stage in stages])
    return replace(config, name=run.absolute().name)


def _executor_listing(options: Sequence[Option]) -> str:
    heading = "executor: Where the run computes; no result depends on it. --executor NAME sets the kind."
    return section_listing([heading], options)


def _check_stage(name: str, names: Collection[str]) -> None:
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ConfigurationError(f"there is no stage {name!r}{hint} The stages: {', '.join(names)}")
