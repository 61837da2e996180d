"""Which scenes each job of a stage treats, and the records that it leaves behind."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from pipeline.atomic import write_text_atomic
from pipeline.errors import StoreError
from pipeline.plan import Pins
from pipeline.records import Record, record_from_json, record_to_json
from pipeline.tasks import Plan, PlannedTask, Reason


class StepChunks:
    """The tasks of one step that are not done, cut into the chunks that jobs treat.

    Whoever reads the same saved plan gets the same chunks.
    """

    def __init__(self, plan: Plan, step: int) -> None:
        self._plan = plan
        self._step = step
        self._pins = Pins(plan)

    @property
    def scenes(self) -> list[str]:
        """The scenes of all chunks, in order."""
        rows = self._plan.steps[self._step].rows
        return [rows[row].scene for row in self._rows]

    def tasks(self, index: int, size: int) -> list[PlannedTask]:
        """The tasks of chunk ``index``, pinned: everything that they read must have ended."""
        dataset = self._plan.steps[self._step].granularity == "dataset"
        rows = [0] if dataset else self._rows[index * size : (index + 1) * size]
        return [self._pins.pin(self._plan.task(self._step, row)) for row in rows]

    @cached_property
    def _rows(self) -> list[int]:
        step = self._plan.steps[self._step]
        rows = [row for row, values in enumerate(step.rows) if values.reason is not Reason.DONE]
        if rows or step.granularity == "scene" or not self._plan.strict:
            return rows
        incomplete = self._pins.pin(self._plan.task(self._step, 0)).missing
        return [0] if incomplete else []


def write_records(folder: Path, step: int, index: int, records: Sequence[Record]) -> None:
    """Keeps the records of one job for whoever follows; raises StoreError where they cannot be written."""
    write_text_atomic(folder / f"{step:02d}_{index}.json", json.dumps([record_to_json(one) for one in records]) + "\n")


def recorded(folder: Path) -> set[tuple[int, int]]:
    """Step and chunk of all jobs that have left their records."""
    found = set()
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):  # noqa: PTH208 (a large run has many)
            step, _, index = name.removesuffix(".json").partition("_")
            if step.isdecimal() and index.isdecimal():
                found.add((int(step), int(index)))
    return found


def read_records(folder: Path, step: int, indices: Collection[int]) -> dict[int, list[Record]]:
    """The records of those of some jobs that have left them; files that hold none are passed over."""
    found = {}
    for index in sorted(index for one, index in recorded(folder) if one == step):
        if index in indices:
            with suppress(OSError, ValueError, TypeError, StoreError):
                values = json.loads((folder / f"{step:02d}_{index}.json").read_text(encoding="utf-8"))
                found[index] = [record_from_json(one) for one in values]
    return found
