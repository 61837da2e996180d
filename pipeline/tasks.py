"""What a plan consists of: tasks with their inputs, fingerprints and reasons, kept as JSON in ``plans/``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.atomic import write_text_atomic
from pipeline.errors import InputError, StoreError
from pipeline.stage import Granularity

PLAN_FORMAT = 1


class Reason(StrEnum):
    """Why a task will run, or that it need not."""

    DONE = "done"
    """the result on disk is the planned one"""
    MISSING = "missing"
    """there is no complete result"""
    CONFIG = "config"
    """the result was computed with another configuration or seed"""
    INPUT = "input"
    """the result was computed from other inputs or raw files"""
    VERSION = "version"
    """the result was computed by another version of the stage"""
    FORCED = "forced"
    """asked for although it is done"""


class Input(NamedTuple):
    """A result that a task reads; the fingerprint is None until it can be known (see ``plan.pin``)."""

    folder: Path
    fingerprint: str | None


class RawFile(NamedTuple):
    """A raw file that a stage reads and the sha256 of its content."""

    path: Path
    content: str


class Member(NamedTuple):
    """One scene of a dataset-level task."""

    scene: str
    inputs: Mapping[str, Input]


@dataclass(frozen=True)
class PlannedTask:
    """One stage on one scene, or a dataset-level stage on all scenes."""

    stage: str
    path: str
    """``module:Class`` of the stage"""
    version: int
    granularity: Granularity
    round: int
    scene: str
    folder: Path
    seed: int
    reason: Reason
    fingerprint: str | None
    """None until it can be known: dataset-level tasks depend on which scenes succeed"""
    inputs: Mapping[str, Input] = field(default_factory=dict)
    """input stage -> its result; empty for dataset-level tasks, whose inputs are those of the members"""
    files: tuple[RawFile, ...] = ()
    unfingerprinted: tuple[str, ...] = ()
    """options of the stage that do not enter the fingerprint"""
    members: tuple[Member, ...] = ()
    missing: tuple[str, ...] = ()
    """scenes of a dataset-level task whose inputs do not exist; known when it is pinned"""


@dataclass(frozen=True)
class Plan:
    """All tasks of a run in the order of rounds, stages and scenes."""

    name: str
    config: Mapping[str, Any]
    """the resolved configuration: general keys and one section a stage"""
    output: Path
    tasks: tuple[PlannedTask, ...]

    @property
    def strict(self) -> bool:
        """Whether dataset-level stages refuse to run while a scene is missing."""
        return bool(self.config["strict"])

    @property
    def pending(self) -> tuple[PlannedTask, ...]:
        """The tasks that are not done."""
        return tuple(task for task in self.tasks if task.reason is not Reason.DONE)

    def counts(self) -> dict[str, Counter[Reason]]:
        """Stage -> number of its tasks for each reason, in the order of stages."""
        counts: dict[str, Counter[Reason]] = {}
        for task in self.tasks:
            counts.setdefault(task.stage, Counter())[task.reason] += 1
        return counts

    def steps(self) -> Iterator[tuple[PlannedTask, ...]]:
        """The tasks of one stage in one round after the other; each step needs those before it."""
        groups: dict[tuple[int, str], list[PlannedTask]] = {}
        for task in self.tasks:
            groups.setdefault((task.round, task.stage), []).append(task)
        yield from map(tuple, groups.values())

    @cached_property
    def by_folder(self) -> dict[Path, PlannedTask]:
        """The task that writes each folder."""
        return {task.folder: task for task in self.tasks}


@dataclass(frozen=True)
class Chunk:
    """What one call of a worker gets: tasks of one stage in one round, all of them pinned."""

    output: Path
    config: Mapping[str, Any]
    """the section of the stage, as plain values"""
    strict: bool
    tasks: tuple[PlannedTask, ...]
    attempt: int = 1


def save_plan(plan: Plan) -> Path:
    """Writes ``config.yaml`` and the plan into ``plans/``; returns its path. InputError where that is impossible."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    path = plan.output / "plans" / f"{moment}.json"
    values = {
        "format": PLAN_FORMAT,
        "name": plan.name,
        "output": plan.output,
        "config": plan.config,
        "tasks": [_task_to_json(task) for task in plan.tasks],
    }
    try:
        write_text_atomic(path, json.dumps(values, indent=1, default=str) + "\n")
        write_text_atomic(plan.output / "config.yaml", yaml.safe_dump(dict(plan.config), sort_keys=False))
    except StoreError as error:
        raise InputError(f"the output folder {plan.output} cannot be used: {error}") from error
    return path


def load_plan(path: Path) -> Plan:
    """The plan that ``save_plan`` wrote; raises StoreError for anything else."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["format"] != PLAN_FORMAT:
            raise StoreError(f"{path} is a plan of format {values['format']}, not {PLAN_FORMAT}: plan again")
        tasks = tuple(_task_from_json(task) for task in values["tasks"])
        return Plan(values["name"], values["config"], Path(values["output"]), tasks)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is no plan of boxgp ({error}): plan again") from error


def _task_to_json(task: PlannedTask) -> dict[str, Any]:
    return {**vars(task), "members": [member._asdict() for member in task.members]}


def _task_from_json(values: Mapping[str, Any]) -> PlannedTask:
    return PlannedTask(
        **{
            **values,
            "folder": Path(values["folder"]),
            "reason": Reason(values["reason"]),
            "inputs": _inputs_from_json(values["inputs"]),
            "files": tuple(RawFile(Path(path), content) for path, content in values["files"]),
            "members": tuple(
                Member(member["scene"], _inputs_from_json(member["inputs"])) for member in values["members"]
            ),
            "missing": tuple(values["missing"]),
            "unfingerprinted": tuple(values["unfingerprinted"]),
        }
    )


def _inputs_from_json(values: Mapping[str, Any]) -> dict[str, Input]:
    return {stage: Input(Path(folder), fingerprint) for stage, (folder, fingerprint) in values.items()}
