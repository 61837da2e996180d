"""Stages x scenes x fingerprints -> tasks, each with the reason why it runs or need not. Nothing is computed here."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import compress, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.fingerprint import SceneFingerprints, digest, scene_seed, task_fingerprint
from pipeline.inputs import InputHashes
from pipeline.known import Find, finding
from pipeline.run_files import run_files
from pipeline.stage import DATASET, SCENE_ID, DatasetStage, Source, Stage
from pipeline.store import fingerprint_of, intact_manifest
from pipeline.tasks import Input, Member, Plan, PlannedTask, RawFile, Reason, Row, Step, many_rows

if TYPE_CHECKING:
    from pipeline.config import RunConfig

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
    """The tasks of a run; reads manifests and raw files, writes nothing but caches of both.

    ``stages`` are (``module:Class``, class), each after its inputs. ``first`` and ``last`` bound the stages that run;
    results of earlier ones are taken as they are. Of several rounds, ``first`` is meant in the first one and ``last``
    in the last. ``scenes`` restricts the run, dataset-level stages included, to some scenes. Stages in ``force`` run
    although they are done. Raises ConfigurationError for unknown names of stages and for stages that the configuration
    leaves out, and InputError where there is nothing to run on.
    """
    names = [stage.name for _, stage in stages]
    for name in [*force, *(name for name in (first, last) if name is not None)]:
        _check_known("stage", name, names, ConfigurationError)
    chain = _chain(config, stages)
    begin = _place(chain, first, config, stages)
    end = len(chain) - _place(chain[::-1], last, config, stages)
    if begin >= end:
        raise ConfigurationError(f"stage {first} comes after {last}: nothing lies between them; the order is {names}")
    left_out = {stage.name for _, stage in stages if stage.left_out(config.sections) is not None}
    planner = _Planner(config, output.absolute(), frozenset(force), frozenset(left_out))
    folders = [planner.folder(link) for link in chain[:end] if link.stage.granularity == "scene"]
    with many_rows():
        planner.discover([stage for _, stage in stages], scenes)
        with finding(folders, [source.scene for source in planner.sources], planner.output) as planner.find:
            for place, link in enumerate(chain[:end]):
                planner.add(link, runs=begin <= place)
        return planner.plan()


class _Link(NamedTuple):
    """One stage in one round."""

    round: int
    path: str
    stage: type[Stage]


def _chain(config: RunConfig, stages: Sequence[tuple[str, type[Stage]]]) -> list[_Link]:
    """Everything that a run consists of, in order."""
    return [
        _Link(number, path, stage)
        for number in range(config.rounds)
        for path, stage in stages
        if (number == 0 or stage.every_round) and stage.left_out(config.sections) is None
    ]


def _place(
    chain: Sequence[_Link], name: str | None, config: RunConfig, stages: Sequence[tuple[str, type[Stage]]]
) -> int:
    """Where a stage occurs first, 0 where none is named; raises ConfigurationError where it is left out."""
    if name is None:
        return 0
    places = [place for place, link in enumerate(chain) if link.stage.name == name]
    if not places:
        (why,) = [stage.left_out(config.sections) for _, stage in stages if stage.name == name]
        raise ConfigurationError(f"stage {name} does not take part in this run: {why}")
    return places[0]


class Pins:
    """Fingerprints that could not be planned, as they are once everything before a task has run.

    Where nothing has run since the plan was made, ``unchanged``, its reasons say which results exist, and none is
    looked at again.
    """

    def __init__(self, plan: Plan, *, unchanged: bool = False) -> None:
        self._plan = plan
        self._unchanged = unchanged
        self._known: dict[Path, str | None] = {}

    def pin(self, task: PlannedTask) -> PlannedTask:
        """``task`` with the fingerprint that it has now; the steps that it reads must have ended.

        Dataset-level tasks keep the members whose inputs exist as planned and list the others as missing; without any
        member, or with an input that still cannot be known, the fingerprint stays None.
        """
        if task.fingerprint is not None and task.granularity == "scene":
            return task
        everyone = [member._replace(inputs=self._inputs(member.inputs)) for member in task.members]
        exists = self._exist(task, everyone)
        members = tuple(compress(everyone, exists))
        missing = tuple(member.scene for member, there in zip(everyone, exists, strict=True) if not there)
        pinned = replace(task, inputs=self._inputs(task.inputs), members=members, missing=missing)
        return _settled(pinned, self._plan.config[task.stage], self._plan.config["seed"])

    def _exist(self, task: PlannedTask, members: Sequence[Member]) -> list[bool]:
        """Of each member, whether all that it reads is there."""
        if not self._unchanged:
            return [all(map(_exists, member.inputs.values())) for member in members]
        step = next(step for step in self._plan.steps if step.folder == task.folder)
        read = [self._plan.steps[place] for place in step.inputs]
        return [
            all(self._was_there(one.row(self._plan.position(member.scene)), member.inputs[one.stage]) for one in read)
            for member in members
        ]

    @staticmethod
    def _was_there(row: Row, one: Input) -> bool:
        # the reason of a row whose fingerprint could not be planned is a guess
        return _exists(one) if row.fingerprint is None else row.reason is Reason.DONE

    def _inputs(self, inputs: Mapping[str, Input]) -> dict[str, Input]:
        return {name: one if one.fingerprint else self._input(one.folder) for name, one in inputs.items()}

    def _input(self, folder: Path) -> Input:
        if folder not in self._known:
            producer = self._plan.task_of(folder)
            self._known[folder] = None if producer is None else self.pin(producer).fingerprint
        return Input(folder, self._known[folder])


def pin(plan: Plan, task: PlannedTask) -> PlannedTask:
    """``task`` with the fingerprint that it has now; see ``Pins.pin``."""
    return Pins(plan).pin(task)


def _exists(one: Input) -> bool:
    return one.fingerprint is not None and fingerprint_of(one.folder) == one.fingerprint


def _settled(task: PlannedTask, section: Mapping[str, Any], run_seed: int) -> PlannedTask:
    """``task`` with fingerprint, where all its inputs are known, and reason."""
    inputs = input_fingerprints(task)
    fingerprint = None
    deciding = _deciding(section, task.unfingerprinted)
    if inputs is not None:
        fingerprint = task_fingerprint(
            task.stage, task.version, config=deciding, seed=task.seed, inputs=inputs, files=_named(task.files)
        )
    reason = task.reason
    if reason is not Reason.FORCED:
        reasons = _Reasons(task.stage, task.version, deciding, task.unfingerprinted)
        reason = reasons.of(str(task.folder), fingerprint_of(task.folder), fingerprint, run_seed, task.scene)
    return replace(task, fingerprint=fingerprint, reason=reason)


def input_fingerprints(task: PlannedTask) -> dict[str, str] | None:
    """Input stage -> fingerprint; that of all scenes, sorted, for dataset-level tasks. None while one is unknown."""
    if task.granularity == "scene":
        known = {name: one.fingerprint for name, one in task.inputs.items() if one.fingerprint is not None}
        return known if len(known) == len(task.inputs) else None
    scenes: dict[str, list[tuple[str, ...]]] = {}
    for member in task.members:
        for name, one in member.inputs.items():
            if one.fingerprint is None:
                return None
            split = () if member.split is None else (member.split,)
            scenes.setdefault(name, []).append((member.scene, *split, one.fingerprint))
    return {name: digest(sorted(facts)) for name, facts in scenes.items()} or None


def _deciding(section: Mapping[str, Any], unfingerprinted: Collection[str]) -> dict[str, Any]:
    """The options that decide the bytes of a result."""
    return {name: value for name, value in section.items() if name not in unfingerprinted}


def _named(files: Sequence[RawFile]) -> list[tuple[str, str]]:
    return [(file.path.name, file.content) for file in files] if files else []


class _Reasons:
    """Compares results of one stage with what is planned."""

    def __init__(self, stage: str, version: int, deciding: Mapping[str, Any], unfingerprinted: Collection[str]) -> None:
        self._stage = stage
        self._version = version
        self._config = json.loads(json.dumps(deciding, default=str))  # as a manifest has it
        self._unfingerprinted = unfingerprinted

    def of(self, folder: str, found: str | None, fingerprint: str | None, run_seed: int, scene: str) -> Reason:
        """Why the task that writes ``folder``, in which the result ``found`` lies, has to run, or that it need not."""
        if found is None:
            return Reason.MISSING
        if found == fingerprint:
            return Reason.DONE
        manifest = intact_manifest(Path(folder))
        if manifest is None:
            return Reason.MISSING
        if manifest.get("version") != self._version:
            return Reason.VERSION
        before = _deciding(manifest.get("config") or {}, self._unfingerprinted)
        seed = scene_seed(run_seed, self._stage, scene)
        return Reason.INPUT if (before, manifest.get("seed")) == (self._config, seed) else Reason.CONFIG


@dataclass
class _Planner:
    """Collects the steps of a run, each after those it reads."""

    config: RunConfig
    output: Path
    force: frozenset[str]
    left_out: frozenset[str]
    find: Find = field(init=False)

    def __post_init__(self) -> None:
        self.resolved = self.config.resolved()
        self.steps: list[Step] = []
        self.latest: dict[str, int] = {}
        """stage -> position of its newest step"""

    def discover(self, stages: Sequence[type[Stage]], wanted: Sequence[str] | None) -> None:
        """Finds the scenes of the source stage and hashes their files."""
        sources = [stage for stage in stages if not stage.inputs]
        if len(sources) != 1:
            raise ConfigurationError(f"a run needs one stage without inputs, not {[stage.name for stage in sources]}")
        found = sources[0](self.config.sections[sources[0].name]).discover()
        self.sources = _chosen(found, wanted)
        self.hashes = InputHashes(self.output)

    def folder(self, link: _Link) -> Path:
        """Where the results of a stage lie in one round."""
        stage = link.stage
        return (self.output / f"round_{link.round:02d}" if stage.every_round else self.output) / stage.name

    def add(self, link: _Link, *, runs: bool) -> None:
        """Plans one stage in one round."""
        number, path, stage = link
        # an input that takes no part in the run is one that the stage can do without
        inputs = [name for name in stage.inputs if name not in self.left_out]
        names = (*inputs, *(stage.earlier if number else ()))
        unknown = [name for name in names if name not in self.latest]
        if unknown and unknown[0] in stage.earlier:
            raise ConfigurationError(
                f"rounds: {self.config.rounds}: in its second round, stage {stage.name} reads {unknown[0]}, which does "
                "not take part in this run: set training.network, or rounds to 1"
            )
        if unknown:
            raise ConfigurationError(f"stage {stage.name} reads {unknown[0]}, which is not planned before it")
        step = Step(
            stage=stage.name,
            path=path,
            version=stage.version,
            granularity=stage.granularity,
            round=number,
            folder=self.folder(link),
            inputs=tuple(self.latest[name] for name in names),
            unfingerprinted=(*stage.unfingerprinted, *(() if number else stage.only_later)),
            runs=runs,
            splits=stage.splits if issubclass(stage, DatasetStage) else (),
            rows=(),
        )
        rows = self._dataset_rows(step, stage) if stage.granularity == "dataset" else self._scene_rows(step, stage)
        if runs and stage.name in self.force:
            rows = [row if row.reason is Reason.MISSING else row._replace(reason=Reason.FORCED) for row in rows]
        self.latest[stage.name] = len(self.steps)
        self.steps.append(replace(step, rows=rows))

    def plan(self) -> Plan:
        """The plan of all steps added so far."""
        with suppress(StoreError):  # where nothing can be written, a plan can still be shown
            self.hashes.save()
        return self._so_far()

    def _so_far(self) -> Plan:
        return Plan(self.config.name, self.resolved, self.output, tuple(self.steps))

    def _scene_rows(self, step: Step, stage: type[Stage]) -> list[Row]:
        deciding = _deciding(self.resolved[step.stage], step.unfingerprinted)
        run_seed = self.config.seed
        fingerprints = SceneFingerprints(
            step.stage,
            step.version,
            config=deciding,
            run_seed=run_seed,
            inputs=[self.steps[place].stage for place in step.inputs],
        )
        reasons = _Reasons(step.stage, step.version, deciding, step.unfingerprinted)
        instance = stage(self.config.sections[step.stage])
        found = self.find(step.folder)
        of_run = run_files(self.output, stage.run_files)
        parent = str(step.folder)  # half a million Paths would take seconds
        rows = []
        for source, inputs in zip(self.sources, self._input_fingerprints(step), strict=True):
            scene = source.scene
            files = self._hashed(instance.files(scene) if stage.inputs else source.files)
            if scene in of_run:
                files += self._hashed(of_run[scene])
            known = [one for one in inputs if one is not None]
            fingerprint = fingerprints.of(scene, known, _named(files)) if len(known) == len(inputs) else None
            reason = reasons.of(f"{parent}/{scene}", found.get(scene), fingerprint, run_seed, scene)
            rows.append(Row(scene, reason, fingerprint, files))
        return rows

    def _input_fingerprints(self, step: Step) -> Iterable[tuple[str | None, ...]]:
        """Of each scene, the fingerprints of the results that the step reads."""
        if not step.inputs:
            return repeat((), len(self.sources))
        producers = [self.steps[place] for place in step.inputs]
        columns = [
            repeat(one.rows[0].fingerprint) if one.granularity == "dataset" else [row.fingerprint for row in one.rows]
            for one in producers
        ]
        return islice(zip(*columns, strict=False), len(self.sources))

    def _dataset_rows(self, step: Step, stage: type[Stage]) -> list[Row]:
        files = self._hashed(stage(self.config.sections[step.stage]).files(DATASET))
        if any(self._waits(self.steps[place]) for place in step.inputs):
            # which scenes it will have is open: the reason is a guess, the fingerprint comes when it is pinned
            deciding = _deciding(self.resolved[step.stage], step.unfingerprinted)
            reasons = _Reasons(step.stage, step.version, deciding, step.unfingerprinted)
            found = fingerprint_of(step.folder)
            return [Row(DATASET, reasons.of(str(step.folder), found, None, self.config.seed, DATASET), None, files)]
        steps = [*self.steps, replace(step, rows=[Row(DATASET, Reason.MISSING, None, files)])]
        plan = replace(self._so_far(), steps=tuple(steps))
        task = plan.task(len(self.steps), 0)
        pinned = Pins(plan, unchanged=True).pin(task)
        return [Row(DATASET, pinned.reason, pinned.fingerprint, files)]

    def _hashed(self, files: Sequence[Path]) -> tuple[RawFile, ...]:
        if not files:
            return ()
        return tuple(_hashed(self.hashes, file) for file in files)

    @staticmethod
    def _waits(step: Step) -> bool:
        """Whether a result of ``step`` is still to be computed."""
        return step.runs and any(row.reason is not Reason.DONE for row in step.rows)


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
