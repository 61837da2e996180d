"""What became of each task: one small JSON file a scene, failure files for people, and statistics that add up."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from pipeline.atomic import write_text_atomic
from pipeline.memory import MemoryScope

_Summand = TypeVar("_Summand", int, Fraction, "StageStatistics")


class TaskOutcome(StrEnum):
    """How a task ended."""

    DONE = "done"
    """computed and committed"""
    KEPT = "kept"
    """the planned result was there already"""
    FAILED = "failed"
    BLOCKED = "blocked"
    """not tried, because an input is missing"""


@dataclass(frozen=True)
class Record:
    """The end of one task, kept in ``records/<stage>/<scene>.json``; that of a later run replaces it."""

    stage: str
    round: int
    scene: str
    outcome: TaskOutcome
    fingerprint: str | None
    attempt: int = 1
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    peak_memory_of: MemoryScope = "process"
    """``task``, or ``process`` where the peak of earlier tasks in the same process is in it"""
    statistics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    message: str = ""
    """what failed, or what blocked it"""


@dataclass(frozen=True)
class Failure:
    """Why one task failed, kept in ``failures/<stage>/<scene>.json`` until it succeeds."""

    stage: str
    round: int
    scene: str
    error: str
    """class of the error"""
    message: str
    expected: bool
    """True for an error that boxgp raised on purpose: its message says what to do; False: see the traceback"""
    traceback: str
    log: str
    """path of the log relative to the output folder"""
    inputs: Mapping[str, str]
    """input stage -> folder; raw files are under ``files``"""
    files: tuple[str, ...] = ()


def write_record(output: Path, record: Record) -> None:
    """Stores a record; raises StoreError where it cannot be written."""
    write_text_atomic(_path(output, "records", record.stage, record.scene), _text(asdict(record)))


def read_record(output: Path, stage: str, scene: str) -> Record | None:
    """The record of one task, None where there is none that can be read."""
    return next(_records([_path(output, "records", stage, scene)]), None)


def read_records(output: Path) -> Iterator[Record]:
    """All records of a run in the order of stages and scenes; files that are no records are passed over."""
    return _records(_all(output / "records"))


def record_from_manifest(manifest: Mapping[str, Any], attempt: int = 1) -> Record:
    """The record of a result that was found on disk."""
    return Record(
        stage=manifest["stage"],
        round=manifest["round"],
        scene=manifest["scene"],
        outcome=TaskOutcome.KEPT,
        fingerprint=manifest["fingerprint"],
        attempt=attempt,
        seconds=manifest["seconds"],
        peak_memory_bytes=manifest["peak_memory_bytes"],
        peak_memory_of=manifest["peak_memory_of"],
        statistics=manifest["statistics"],
        warnings=tuple(manifest["warnings"]),
    )


def write_failure(output: Path, failure: Failure) -> None:
    """Stores a failure; raises StoreError where it cannot be written."""
    write_text_atomic(_path(output, "failures", failure.stage, failure.scene), _text(asdict(failure)))


def clear_failure(output: Path, stage: str, scene: str) -> None:
    """Forgets an earlier failure."""
    with suppress(OSError):
        failure_path(output, stage, scene).unlink()


def failure_path(output: Path, stage: str, scene: str) -> Path:
    """Where the failure of one task is kept."""
    return _path(output, "failures", stage, scene)


def read_failures(output: Path) -> list[Failure]:
    """All failures of a run in the order of stages and scenes."""
    failures = []
    for values in _values(_all(output / "failures")):
        with suppress(TypeError, KeyError):
            failures.append(Failure(**{**values, "files": tuple(values["files"])}))
    return failures


@dataclass(frozen=True)
class StageStatistics:
    """Sums over tasks of one stage, exact, so that merging gives the same in every order and grouping."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    seconds: Fraction = Fraction(0)
    peak_memory_bytes: int = 0
    warnings: int = 0
    sums: Mapping[str, Fraction] = field(default_factory=dict)

    @staticmethod
    def of(record: Record) -> StageStatistics:
        """The statistics of one task; a value that is not finite cannot be added up and is left out."""
        sums = {name: Fraction(value) for name, value in record.statistics.items() if math.isfinite(value)}
        return StageStatistics(
            {record.outcome.value: 1},
            Fraction(record.seconds),
            record.peak_memory_bytes,
            len(record.warnings),
            sums,
        )

    def __add__(self, other: StageStatistics) -> StageStatistics:
        return StageStatistics(
            _added(self.outcomes, other.outcomes, 0),
            self.seconds + other.seconds,
            max(self.peak_memory_bytes, other.peak_memory_bytes),
            self.warnings + other.warnings,
            _added(self.sums, other.sums, Fraction(0)),
        )

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "outcomes": dict(sorted(self.outcomes.items())),
            "seconds": float(self.seconds),
            "peak_memory_bytes": self.peak_memory_bytes,
            "warnings": self.warnings,
            "statistics": {name: float(value) for name, value in sorted(self.sums.items())},
        }


@dataclass(frozen=True)
class RunStatistics:
    """Statistics of each stage."""

    stages: Mapping[str, StageStatistics] = field(default_factory=dict)

    @staticmethod
    def of(records: Iterable[Record]) -> RunStatistics:
        """The statistics of some tasks."""
        stages: dict[str, StageStatistics] = {}
        for record in records:
            stages[record.stage] = stages.get(record.stage, StageStatistics()) + StageStatistics.of(record)
        return RunStatistics(stages)

    def __add__(self, other: RunStatistics) -> RunStatistics:
        return RunStatistics(_added(self.stages, other.stages, StageStatistics()))

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        return {name: statistics.plain() for name, statistics in sorted(self.stages.items())}


def write_statistics(output: Path) -> RunStatistics:
    """Adds up all records of a run into ``stats.json``."""
    statistics = RunStatistics.of(read_records(output))
    write_text_atomic(output / "stats.json", _text(statistics.plain()))
    return statistics


def _added(one: Mapping[str, _Summand], other: Mapping[str, _Summand], zero: _Summand) -> dict[str, _Summand]:
    return {name: one.get(name, zero) + other.get(name, zero) for name in {**one, **other}}


def _path(output: Path, kind: str, stage: str, scene: str) -> Path:
    return output / kind / stage / f"{scene}.json"


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2) + "\n"


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.json"))


def _records(paths: Iterable[Path]) -> Iterator[Record]:
    for values in _values(paths):
        with suppress(TypeError, ValueError, KeyError):
            values["outcome"] = TaskOutcome(values["outcome"])
            values["warnings"] = tuple(values["warnings"])
            yield Record(**values)


def _values(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        with suppress(OSError, ValueError):
            values = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(values, dict):
                yield values
