"""What a plan consists of: steps of rows, from which tasks with inputs, fingerprints and reasons are made when needed.

A plan of 100,000 scenes and five stages has half a million tasks; what tasks of one stage share is kept once.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.fingerprint import scene_seed
from pipeline.stage import Granularity


@contextmanager
def many_rows() -> Iterator[None]:
    """Holds garbage collection back: it would look through all rows again and again, which are part of no cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def step_label(stage: str, number: int) -> str:
    """The name of a stage in one round, for people: the first round goes without saying."""
    return f"{stage} ({number})" if number else stage


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
    split: str | None = None
    """None where the stage does not ask for splits"""


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
    split: str = ""
    """of the scene, where the stage asks for splits"""


class Row(NamedTuple):
    """What one task does not share with the others of its step."""

    scene: str
    reason: Reason
    fingerprint: str | None
    files: tuple[RawFile, ...] = ()


@dataclass(frozen=True)
class Step:
    """One stage in one round: the tasks that may run at the same time."""

    stage: str
    path: str
    version: int
    granularity: Granularity
    round: int
    folder: Path
    """of the one result of a dataset-level stage, else what holds a folder a scene"""
    inputs: tuple[int, ...]
    """positions in the plan of the steps that it reads"""
    unfingerprinted: tuple[str, ...]
    runs: bool
    """False for stages outside the range that was asked for: their results are taken as they are"""
    splits: tuple[str, ...]
    """of the scenes that a dataset-level stage reads; empty for all. A stage of scenes is told the split of each if it
    names any"""
    rows: Sequence[Row]
    """one a scene, in the order of the scenes, the same in all steps; one alone for a dataset-level stage"""

    @property
    def label(self) -> str:
        """Stage and round, for people."""
        return step_label(self.stage, self.round)

    def row(self, position: int) -> Row:
        """The row of what the scene at ``position`` gets from this step."""
        return self.rows[0 if self.granularity == "dataset" else position]

    def result(self, position: int) -> Input:
        """Folder and fingerprint of what the scene at ``position`` gets from this step."""
        if self.granularity == "dataset":
            return Input(self.folder, self.rows[0].fingerprint)
        row = self.rows[position]
        return Input(self.folder / row.scene, row.fingerprint)


@dataclass(frozen=True)
class Plan:
    """All tasks of a run: one step after the other, each of which needs steps before it."""

    name: str
    config: Mapping[str, Any]
    """the resolved configuration: general keys and one section a stage"""
    output: Path
    steps: tuple[Step, ...]

    @property
    def strict(self) -> bool:
        """Whether dataset-level stages refuse to run while a scene is missing."""
        return bool(self.config["strict"])

    @property
    def running(self) -> Iterator[tuple[int, Step]]:
        """Position and step of each stage that was asked for."""
        return ((position, step) for position, step in enumerate(self.steps) if step.runs)

    @property
    def tasks(self) -> tuple[PlannedTask, ...]:
        """All tasks that were asked for, in the order of rounds, stages and scenes; a large plan has many."""
        return tuple(self.task(place, row) for place, step in self.running for row in range(len(step.rows)))

    @property
    def size(self) -> int:
        """The number of tasks that were asked for."""
        return sum(len(step.rows) for _, step in self.running)

    @property
    def pending(self) -> int:
        """The number of tasks that are not done."""
        return sum(row.reason is not Reason.DONE for _, step in self.running for row in step.rows)

    def counts(self) -> dict[str, Counter[Reason]]:
        """Label of each step -> number of its tasks for each reason, in order."""
        counts: dict[str, Counter[Reason]] = {}
        for _, step in self.running:
            counts.setdefault(step.label, Counter()).update(row.reason for row in step.rows)
        return counts

    def task(self, place: int, position: int) -> PlannedTask:
        """The task of row ``position`` of step ``place``."""
        step = self.steps[place]
        row = step.rows[position]
        dataset = step.granularity == "dataset"
        return PlannedTask(
            stage=step.stage,
            path=step.path,
            version=step.version,
            granularity=step.granularity,
            round=step.round,
            scene=row.scene,
            folder=step.folder if dataset else step.folder / row.scene,
            seed=scene_seed(self.config["seed"], step.stage, row.scene),
            reason=row.reason,
            fingerprint=row.fingerprint,
            inputs={} if dataset else self._inputs(step, position),
            files=row.files,
            unfingerprinted=step.unfingerprinted,
            members=self._members(step) if dataset else (),
            split=self._split_of(row.scene) if step.splits and not dataset else "",
        )

    def task_of(self, folder: Path) -> PlannedTask | None:
        """The task that writes ``folder``, None where the plan has none."""
        for place, step in enumerate(self.steps):
            if step.granularity == "dataset" and step.folder == folder:
                return self.task(place, 0)
            if step.granularity == "scene" and step.folder == folder.parent:
                position = self._positions.get(folder.name)
                return None if position is None else self.task(place, position)
        return None

    def position(self, scene: str) -> int:
        """The row of a scene in every step."""
        return self._positions[scene]

    def _inputs(self, step: Step, position: int) -> dict[str, Input]:
        return {self.steps[place].stage: self.steps[place].result(position) for place in step.inputs}

    def _members(self, step: Step) -> tuple[Member, ...]:
        if not step.splits:
            return tuple(Member(scene, self._inputs(step, position)) for scene, position in self._positions.items())
        return tuple(
            Member(scene, self._inputs(step, position), split)
            for scene, position in self._positions.items()
            if (split := self._split_of(scene)) in step.splits
        )

    def _split_of(self, scene: str) -> str:
        return self._splits.get(scene, "" if self.config["splits"]["train"] else "train")

    @cached_property
    def _splits(self) -> dict[str, str]:
        """Scene -> its split, where it has one."""
        return {scene: split for split, scenes in self.config["splits"].items() for scene in scenes}

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Scene -> its row in every step."""
        scenes = next((step.rows for step in self.steps if step.granularity == "scene"), ())
        return {row.scene: position for position, row in enumerate(scenes)}


@dataclass(frozen=True)
class Chunk:
    """What one call of a worker gets: tasks of one stage in one round, all of them pinned."""

    output: Path
    config: Mapping[str, Any]
    """the section of the stage, as plain values"""
    strict: bool
    tasks: tuple[PlannedTask, ...]
    attempt: int = 1
