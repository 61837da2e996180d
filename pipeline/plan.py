"""Stages x scenes x fingerprints -> tasks, each with the reason why it runs or need not. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.fingerprint import digest, scene_seed, task_fingerprint
from pipeline.inputs import InputHashes
from pipeline.stage import DATASET, SCENE_ID, Source, Stage
from pipeline.store import fingerprint_of, intact_manifest
from pipeline.tasks import Chunk, Input, Member, Plan, PlannedTask, RawFile, Reason, load_plan, save_plan

if TYPE_CHECKING:
    from pipeline.config import RunConfig

__all__ = [
    "Chunk",
    "Input",
    "Member",
    "Plan",
    "PlannedTask",
    "RawFile",
    "Reason",
    "load_plan",
    "make_plan",
    "pin",
    "save_plan",
]

ROUNDS = 1
SHOWN = 10
"""names that a message lists"""


def make_plan(
    config: RunConfig,
    stages: Sequence[tuple[str, type[Stage]]],
    output: Path,
    *,
    first: str | None = None,
    last: str | None = None,
    scenes: Sequence[str] | None = None,
    force: Collection[str] = (),
) -> Plan:
    """The tasks of a run; reads manifests and raw files, writes nothing but the cache of content hashes.

    ``stages`` are (``module:Class``, class), each after its inputs. ``first`` and ``last`` bound the stages that run;
    results of earlier ones are taken as they are. ``scenes`` restricts the run, dataset-level stages included, to
    some scenes. Stages in ``force`` run although they are done. Raises ConfigurationError for unknown names of stages
    and InputError where there is nothing to run on.
    """
    names = [stage.name for _, stage in stages]
    for name in [*force, *(name for name in (first, last) if name is not None)]:
        _check_known("stage", name, names, ConfigurationError)
    begin = 0 if first is None else names.index(first)
    end = len(names) if last is None else names.index(last) + 1
    if begin >= end:
        raise ConfigurationError(f"stage {first} comes after {last}: nothing lies between them; the order is {names}")
    planner = _Planner(config, output.absolute(), frozenset(force))
    planner.discover([stage for _, stage in stages], scenes)
    for number in range(ROUNDS):
        for position, (path, stage) in enumerate(stages):
            if number == 0 or stage.every_round:
                planner.add(path, stage, number, runs=begin <= position < end)
    return planner.plan()


def pin(plan: Plan, task: PlannedTask) -> PlannedTask:
    """``task`` with the fingerprint that it has now, when everything before it has run.

    Dataset-level tasks keep the members whose inputs exist as planned and list the others as missing; without any
    member, or with an input that still cannot be known, the fingerprint stays None.
    """

    def expected(folder: Path) -> str | None:
        return pin(plan, plan.by_folder[folder]).fingerprint if folder in plan.by_folder else None

    return _pinned(task, plan.config[task.stage], expected)


def _pinned(task: PlannedTask, section: Mapping[str, Any], expected: Callable[[Path], str | None]) -> PlannedTask:
    if task.fingerprint is not None and task.granularity == "scene":
        return task

    def known(inputs: Mapping[str, Input]) -> dict[str, Input]:
        return {
            name: one if one.fingerprint else Input(one.folder, expected(one.folder)) for name, one in inputs.items()
        }

    everyone = [Member(member.scene, known(member.inputs)) for member in task.members]
    members = tuple(member for member in everyone if _exist(member.inputs))
    there = {member.scene for member in members}
    missing = (*task.missing, *(member.scene for member in everyone if member.scene not in there))
    pinned = replace(task, inputs=known(task.inputs), members=members, missing=missing)
    return _settled(pinned, section)


def _exist(inputs: Mapping[str, Input]) -> bool:
    return all(one.fingerprint is not None and fingerprint_of(one.folder) == one.fingerprint for one in inputs.values())


def _settled(task: PlannedTask, section: Mapping[str, Any]) -> PlannedTask:
    """``task`` with fingerprint, where all its inputs are known, and reason."""
    inputs = input_fingerprints(task)
    fingerprint = None
    if inputs is not None:
        files = [(file.path.name, file.content) for file in task.files]
        fingerprint = task_fingerprint(
            task.stage, task.version, config=_deciding(task, section), seed=task.seed, inputs=inputs, files=files
        )
    reason = task.reason
    if reason is not Reason.FORCED:
        reason = _reason(task, section, fingerprint)
    return replace(task, fingerprint=fingerprint, reason=reason)


def input_fingerprints(task: PlannedTask) -> dict[str, str] | None:
    """Input stage -> fingerprint; that of all scenes, sorted, for dataset-level tasks. None while one is unknown."""
    if task.granularity == "scene":
        known = {name: one.fingerprint for name, one in task.inputs.items() if one.fingerprint is not None}
        return known if len(known) == len(task.inputs) else None
    scenes: dict[str, list[tuple[str, str]]] = {}
    for member in task.members:
        for name, one in member.inputs.items():
            if one.fingerprint is None:
                return None
            scenes.setdefault(name, []).append((member.scene, one.fingerprint))
    return {name: digest(sorted(pairs)) for name, pairs in scenes.items()} or None


def _deciding(task: PlannedTask, section: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide the bytes of a result."""
    return {name: value for name, value in section.items() if name not in task.unfingerprinted}


def _reason(task: PlannedTask, section: Mapping[str, Any], fingerprint: str | None) -> Reason:
    manifest = intact_manifest(task.folder)
    if manifest is None:
        return Reason.MISSING
    if manifest["fingerprint"] == fingerprint:
        return Reason.DONE
    if manifest.get("version") != task.version:
        return Reason.VERSION
    before = {"config": _deciding(task, manifest.get("config") or {}), "seed": manifest.get("seed")}
    if digest(before) != digest({"config": _deciding(task, section), "seed": task.seed}):
        return Reason.CONFIG
    return Reason.INPUT


@dataclass
class _Planner:
    """Collects the tasks of a run; ``latest`` holds the newest task of each stage and scene, whether it runs or not."""

    config: RunConfig
    output: Path
    force: frozenset[str]

    def __post_init__(self) -> None:
        self.resolved = self.config.resolved()
        self.tasks: list[PlannedTask] = []
        self.latest: dict[tuple[str, str], PlannedTask] = {}
        self.stages: dict[str, type[Stage]] = {}
        self.runs: set[Path] = set()

    def discover(self, stages: Sequence[type[Stage]], wanted: Sequence[str] | None) -> None:
        """Finds the scenes of the source stage and hashes their files."""
        sources = [stage for stage in stages if not stage.inputs]
        if len(sources) != 1:
            raise ConfigurationError(f"a run needs one stage without inputs, not {[stage.name for stage in sources]}")
        found = sources[0](self.config.sections[sources[0].name]).discover()
        self.scenes = _chosen(found, wanted)
        self.hashes = InputHashes(self.output)
        self.files = {source.scene: self._hashed(source.files) for source in self.scenes}

    def add(self, path: str, stage: type[Stage], number: int, *, runs: bool) -> None:
        """Plans one stage in one round."""
        unknown = [name for name in stage.inputs if name not in self.stages]
        if unknown:
            raise ConfigurationError(f"stage {stage.name} reads {unknown[0]}, which is not planned before it")
        self.stages[stage.name] = stage
        scenes = [DATASET] if stage.granularity == "dataset" else [source.scene for source in self.scenes]
        instance = stage(self.config.sections[stage.name])
        for scene in scenes:
            files = self._hashed(instance.files(scene)) if stage.inputs else self.files[scene]
            self._add(self._task(path, stage, number, scene, files), runs)

    def plan(self) -> Plan:
        """The plan of all tasks added so far."""
        with suppress(StoreError):  # where nothing can be written, a plan can still be shown
            self.hashes.save()
        return Plan(self.config.name, self.resolved, self.output, tuple(self.tasks))

    def _hashed(self, files: Sequence[Path]) -> tuple[RawFile, ...]:
        return tuple(_hashed(self.hashes, file) for file in files)

    def _task(self, path: str, stage: type[Stage], number: int, scene: str, files: tuple[RawFile, ...]) -> PlannedTask:
        dataset = stage.granularity == "dataset"
        everyone = tuple(source.scene for source in self.scenes) if dataset else ()
        return PlannedTask(
            stage=stage.name,
            path=path,
            version=stage.version,
            granularity=stage.granularity,
            round=number,
            scene=scene,
            folder=_folder(self.output, stage, number, scene),
            seed=scene_seed(self.config.seed, stage.name, scene),
            reason=Reason.MISSING,
            fingerprint=None,
            inputs={} if dataset else self._inputs(stage, scene),
            files=files,
            unfingerprinted=stage.unfingerprinted,
            members=tuple(Member(one, self._inputs(stage, one)) for one in everyone),
        )

    def _inputs(self, stage: type[Stage], scene: str) -> dict[str, Input]:
        producers = {name: self._producer(name, scene) for name in stage.inputs}
        return {name: Input(task.folder, task.fingerprint) for name, task in producers.items()}

    def _producer(self, stage: str, scene: str) -> PlannedTask:
        return self.latest[stage, DATASET if self.stages[stage].granularity == "dataset" else scene]

    def _add(self, task: PlannedTask, runs: bool) -> None:
        section = self.resolved[task.stage]
        if task.granularity == "scene":
            task = _settled(task, section)
        elif self._waits(task):
            # which scenes it will have is open: the reason is a guess, the fingerprint comes when it is pinned
            task = replace(task, reason=_reason(task, section, None))
        else:
            task = _pinned(task, section, lambda _: None)
        if runs:
            if task.stage in self.force and task.reason is not Reason.MISSING:
                task = replace(task, reason=Reason.FORCED)
            self.tasks.append(task)
            if task.reason is not Reason.DONE:
                self.runs.add(task.folder)
        self.latest[task.stage, task.scene] = task

    def _waits(self, task: PlannedTask) -> bool:
        """Whether a result that a dataset-level task reads is still to be computed."""
        return any(one.folder in self.runs for member in task.members for one in member.inputs.values())


def _folder(output: Path, stage: type[Stage], number: int, scene: str) -> Path:
    parent = output / f"round_{number:02d}" / stage.name if stage.every_round else output / stage.name
    return parent if stage.granularity == "dataset" else parent / scene


def _hashed(hashes: InputHashes, file: Path) -> RawFile:
    try:
        return RawFile(file.absolute(), hashes.sha256(file))
    except OSError as error:
        # the scene's own task will fail with its reader's words, and the others go on
        return RawFile(file.absolute(), f"unreadable: {error.strerror}")


def _chosen(found: Sequence[Source], wanted: Sequence[str] | None) -> list[Source]:
    """The discovered scenes that the run is about, in sorted order."""
    if not found:
        raise InputError("no scene was found: check the scenes section of the configuration")
    by_scene: dict[str, Source] = {}
    for source in found:
        files = ", ".join(str(file) for file in source.files) or "generated"
        if SCENE_ID.fullmatch(source.scene) is None:
            raise InputError(
                f"{source.scene!r} ({files}) is no scene id: letters, digits, `.`, `_` and `-`, the first a letter or "
                "digit; rename the file"
            )
        if source.scene in by_scene:
            other = ", ".join(str(file) for file in by_scene[source.scene].files)
            raise InputError(f"scene {source.scene} exists twice: {other} and {files}; rename or remove one of them")
        by_scene[source.scene] = source
    for scene in wanted or ():
        _check_known("scene", scene, by_scene, InputError)
    chosen = by_scene if wanted is None else set(wanted)
    return [by_scene[scene] for scene in sorted(chosen)]


def _check_known(kind: str, name: str, known: Collection[str], error: type[Exception]) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        some = ", ".join(list(known)[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")
        raise error(f"there is no {kind} {name!r}{hint} There are: {some}")
