"""What became of a task, as it goes from a worker to whoever started the run; a committed manifest says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.errors import StoreError
from pipeline.memory import MemoryScope
from pipeline.tasks import step_label


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
    """The end of one task. What lasts of it is the manifest of its result, or its failure file."""

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

    @property
    def label(self) -> str:
        """Stage and round, for people."""
        return step_label(self.stage, self.round)


def record_from_manifest(manifest: Mapping[str, Any], outcome: TaskOutcome = TaskOutcome.KEPT) -> Record:
    """The record of a committed result."""
    return Record(
        stage=manifest["stage"],
        round=manifest["round"],
        scene=manifest["scene"],
        outcome=outcome,
        fingerprint=manifest["fingerprint"],
        attempt=manifest.get("attempt", 1),  # results of version 0.1 do not tell
        seconds=manifest["seconds"],
        peak_memory_bytes=manifest["peak_memory_bytes"],
        peak_memory_of=manifest["peak_memory_of"],
        statistics=manifest["statistics"],
        warnings=tuple(manifest["warnings"]),
    )


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as values of JSON."""
    return {**asdict(record), "outcome": record.outcome.value, "warnings": list(record.warnings)}


def record_from_json(values: Any) -> Record:
    """The record that ``record_to_json`` was given; raises StoreError for anything else."""
    try:
        return Record(
            **{**values, "outcome": TaskOutcome(values["outcome"]), "warnings": tuple(map(str, values["warnings"]))}
        )
    except (TypeError, ValueError, KeyError) as error:
        raise StoreError(f"this is no record of boxgp ({error}): run again") from error
