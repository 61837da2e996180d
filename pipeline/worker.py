"""Runs one chunk of tasks of one stage, in the same way in every executor: log, result, record, failure."""

from __future__ import annotations

import importlib
import socket
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.errors import BoxgpError, ConfigurationError, InputError, StoreError
from pipeline.failures import Failure, clear_failure, failure_path, write_failure
from pipeline.logs import LOGGER, LogContext, moment, task_log
from pipeline.memory import PeakMemory
from pipeline.plan import input_fingerprints
from pipeline.provenance import git_commit, software_versions
from pipeline.records import Record, TaskOutcome, record_from_manifest
from pipeline.run_files import check_unchanged
from pipeline.stage import BatchStage, DatasetJob, DatasetStage, Result, SceneJob, SceneStage, Stage
from pipeline.store import commit, fingerprint_of, intact_manifest
from pipeline.tasks import Chunk, Input, PlannedTask, Reason
from pipeline.threads import use_one_thread
from pipeline.workspace import clear_workspaces, reporter, workspace_of


def run_chunk(chunk: Chunk) -> list[Record]:
    """Runs the tasks of a chunk, commits each result, and returns their records in the order in which they ended.

    Errors end up in records and failure files, never in the caller; KeyboardInterrupt passes through.
    """
    use_one_thread()
    first = chunk.tasks[0]
    context = LogContext(first.stage, first.round, _label(first.scene, chunk.tasks), chunk.attempt)
    worker = _Worker(chunk, context)
    try:
        with task_log(chunk.output / log_path(chunk.output, chunk.tasks), context):
            worker.run()
    except StoreError as error:
        # not even the log can be written
        for task in worker.remaining():
            worker.fail(task, error)
    return worker.records


def load_stage(path: str, section: Mapping[str, Any]) -> Stage:
    """The stage ``module:Class`` with its configuration; raises ConfigurationError where the values do not fit."""
    module, _, name = path.partition(":")
    stage: type[Stage] = getattr(importlib.import_module(module), name)
    try:
        config = TypeAdapter(stage.Config).validate_python(section)
    except ValueError as error:
        raise ConfigurationError(f"section {stage.name} of the planned configuration is not valid: {error}") from error
    return stage(config)


def log_path(output: Path, tasks: Sequence[PlannedTask]) -> Path:
    """Where the log of a chunk lies, relative to the output folder: beside the first result, but below ``logs/``."""
    folder = tasks[0].folder.relative_to(output)
    return Path("logs") / folder.parent / f"{_label(folder.name, tasks)}.log"


def record_failure(
    output: Path, task: PlannedTask, error: Exception, *, log: Path, attempt: int = 1, seconds: float = 0.0
) -> Record:
    """Notes that a task failed after some seconds: in a failure file, as far as it can be written, and a record."""
    message = str(error) or type(error).__name__
    failure = Failure(
        stage=task.stage,
        round=task.round,
        scene=task.scene,
        folder=str(task.folder.relative_to(output)),
        error=type(error).__name__,
        message=message,
        expected=isinstance(error, BoxgpError),
        traceback="".join(traceback.format_exception(error)),
        log=str(log),
        fingerprint=task.fingerprint,
        attempt=attempt,
        seconds=seconds,
        ended=moment(time.time()),
        inputs={name: str(one.folder) for name, one in task.inputs.items()},
        files=tuple(str(file.path) for file in task.files),
    )
    with suppress(StoreError):  # a full disk: the record that is returned still tells it
        write_failure(output, failure)
    return Record(
        task.stage, task.round, task.scene, TaskOutcome.FAILED, task.fingerprint, attempt, seconds, message=message
    )


def _label(first: str, tasks: Sequence[PlannedTask]) -> str:
    return first if len(tasks) == 1 else f"{first}+{len(tasks) - 1}"


@dataclass
class _Worker:
    chunk: Chunk
    context: LogContext
    records: list[Record] = field(default_factory=list)
    memory: PeakMemory = field(default_factory=PeakMemory)
    started: float | None = None
    """when the current task began, as ``time.perf_counter`` tells it"""

    def run(self) -> None:
        """Runs all tasks that are neither done nor blocked."""
        ready = [task for task in self.chunk.tasks if self._is_ready(task)]
        if not ready:
            return
        try:
            stage = load_stage(ready[0].path, self.chunk.config)
            _check_version(stage, ready[0])
        except Exception as error:  # noqa: BLE001 (whatever an import raises)
            for task in ready:
                self.fail(task, error)
            return
        if isinstance(stage, SceneStage):
            # nothing is shared between its scenes: one by one, each has its own time, memory and log lines
            for task in ready:
                self._run_batch(stage, [task])
        else:
            self._run_batch(stage, ready)

    def remaining(self) -> list[PlannedTask]:
        """The tasks that have not ended."""
        ended = {record.scene for record in self.records}
        return [task for task in self.chunk.tasks if task.scene not in ended]

    def fail(self, task: PlannedTask, error: Exception) -> None:
        """Ends a task with an error."""
        LOGGER.error("failed", exc_info=error)
        output, attempt = self.chunk.output, self.context.attempt
        log = log_path(output, self.chunk.tasks)
        self.records.append(record_failure(output, task, error, log=log, attempt=attempt, seconds=self._seconds()))

    def _is_ready(self, task: PlannedTask) -> bool:
        """Whether a task has to run; ends it as kept, blocked or refused where it has not."""
        self.context.scene = task.scene
        if task.missing:
            LOGGER.warning("%d scenes are missing: %s", len(task.missing), ", ".join(task.missing))
        absent = [
            f"{name} ({one.folder})" for name, one in _inputs(task) if fingerprint_of(one.folder) != one.fingerprint
        ]
        if task.fingerprint is None or absent:
            self._block(task, absent)
            return False
        if task.missing and self.chunk.strict:
            self.fail(task, _incomplete(task))
            return False
        manifest = intact_manifest(task.folder)
        if manifest is None or manifest["fingerprint"] != task.fingerprint or task.reason is Reason.FORCED:
            return True
        LOGGER.info("kept: the result is there already")
        self._end(task, record_from_manifest(manifest))
        return False

    def _block(self, task: PlannedTask, absent: Sequence[str]) -> None:
        message = f"not tried: {', '.join(absent) or 'every scene it reads'} is missing or not as planned"
        known = [failure_path(self.chunk.output, one.folder) for one in task.inputs.values()]
        failures = [str(path.relative_to(self.chunk.output)) for path in known if path.exists()]
        if failures:
            message += f"; see {', '.join(failures)}"
        LOGGER.warning("%s", message)
        self._end(
            task, Record(task.stage, task.round, task.scene, TaskOutcome.BLOCKED, task.fingerprint, message=message)
        )

    def _run_batch(self, stage: Stage, tasks: Sequence[PlannedTask]) -> None:
        """One call of ``run``; where it raises as a whole, the scenes that remain are tried one by one."""
        waiting = {task.scene: task for task in tasks}
        self.context.scene = _label(tasks[0].scene, tasks)
        self._start_clock()
        try:
            for scene, result in self._results(stage, tasks):
                if scene not in waiting:
                    raise RuntimeError(f"stage {stage.name} gave a result for {scene!r}, which it was not asked for")
                self._conclude(waiting.pop(scene), result)
            if waiting:
                raise RuntimeError(f"stage {stage.name} gave no result for {', '.join(waiting)}")
        except Exception as error:  # noqa: BLE001 (a stage may raise anything; its scenes must not take others along)
            if len(tasks) == 1:
                for task in waiting.values():
                    self.fail(task, error)
                return
            LOGGER.warning("the chunk failed as a whole and is tried scene by scene", exc_info=error)
            self.context.attempt += 1
            for task in waiting.values():
                self._run_batch(stage, [task])

    def _results(self, stage: Stage, tasks: Sequence[PlannedTask]) -> Iterable[tuple[str, Result | Exception]]:
        if isinstance(stage, DatasetStage):
            return [(task.scene, stage.run_dataset(_dataset_job(self.chunk.output, task))) for task in tasks]
        if isinstance(stage, BatchStage):
            return stage.run([_scene_job(task) for task in tasks])
        raise TypeError(f"stage {stage.name} is neither a BatchStage nor a DatasetStage")

    def _conclude(self, task: PlannedTask, result: Result | Exception) -> None:
        """Commits the result of one scene, or notes its error."""
        self.context.scene = task.scene
        if isinstance(result, Exception):
            self.fail(task, result)
        else:
            try:
                self._commit(task, result)
            except Exception as error:  # noqa: BLE001 (values that JSON or zarr refuse)
                self.fail(task, error)
        self._start_clock()

    def _commit(self, task: PlannedTask, result: Result) -> None:
        check_unchanged(self.chunk.output, task)
        ended = time.time()
        seconds = self._seconds()
        manifest = {
            **_manifest(task, self.chunk.config, result),
            "attempt": self.context.attempt,
            "host": socket.gethostname(),
            "started": moment(ended - seconds),
            "ended": moment(ended),
            "seconds": seconds,
            "peak_memory_bytes": self.memory.bytes(),
            "peak_memory_of": self.memory.scope,
        }
        for warning in result.warnings:
            LOGGER.warning("%s", warning)
        # before the commit, after which nothing that must not be lost may follow
        clear_failure(self.chunk.output, task.folder)
        stored = commit(task.folder, result, manifest, replace=task.reason is Reason.FORCED)
        if task.granularity == "dataset":
            clear_workspaces(self.chunk.output, task.folder)
        LOGGER.info("%s in %.2f s", "done" if stored else "kept: another process was first", seconds)
        self.records.append(record_from_manifest(manifest, TaskOutcome.DONE if stored else TaskOutcome.KEPT))

    def _end(self, task: PlannedTask, record: Record) -> None:
        """Ends a task that had nothing to compute; an earlier failure no longer counts."""
        clear_failure(self.chunk.output, task.folder)
        self.records.append(record)

    def _start_clock(self) -> None:
        self.memory.reset()
        self.started = time.perf_counter()

    def _seconds(self) -> float:
        """How long the current task has taken; 0 where none has begun."""
        return 0.0 if self.started is None else time.perf_counter() - self.started


def _manifest(task: PlannedTask, config: Mapping[str, Any], result: Result) -> dict[str, Any]:
    """What is known about a result apart from how long it took."""
    members = {"scenes": [member.scene for member in task.members], "missing": list(task.missing)}
    return {
        "fingerprint": task.fingerprint,
        "stage": task.stage,
        "version": task.version,
        "round": task.round,
        "scene": task.scene,
        **(members if task.granularity == "dataset" else {}),
        "inputs": input_fingerprints(task),
        "files": [[file.path.name, file.content] for file in task.files],
        "config": dict(config),
        "seed": task.seed,
        "versions": software_versions(),
        "commit": git_commit(),
        "warnings": list(result.warnings),
        "statistics": {name: float(value) for name, value in result.statistics.items()},
    }


def _scene_job(task: PlannedTask) -> SceneJob:
    return SceneJob(task.scene, _folders(task.inputs), tuple(file.path for file in task.files), task.seed, task.split)


def _dataset_job(output: Path, task: PlannedTask) -> DatasetJob:
    workspace = workspace_of(output, task)
    scenes = [
        SceneJob(member.scene, _folders(member.inputs), seed=task.seed, split=member.split or "")
        for member in task.members
    ]
    return DatasetJob(tuple(scenes), task.seed, workspace, reporter(workspace))


def _folders(inputs: Mapping[str, Input]) -> dict[str, Path]:
    return {name: one.folder for name, one in inputs.items()}


def _inputs(task: PlannedTask) -> Iterator[tuple[str, Input]]:
    """All results that a task reads, those of the members of a dataset-level task included."""
    for inputs in (task.inputs, *(member.inputs for member in task.members)):
        yield from inputs.items()


def _incomplete(task: PlannedTask) -> InputError:
    names = ", ".join(task.missing[:10]) + (", ..." if len(task.missing) > 10 else "")
    return InputError(
        f"stage {task.stage} needs all {len(task.missing) + len(task.members)} scenes under `strict: true`, but "
        f"{len(task.missing)} are missing: {names}; see their failures, or set strict to false to go on without them"
    )


def _check_version(stage: Stage, task: PlannedTask) -> None:
    if (stage.name, stage.version) != (task.stage, task.version):
        raise ConfigurationError(
            f"the plan is about {task.stage} version {task.version}, but {task.path} is {stage.name} version "
            f"{stage.version}: plan again"
        )
