"""Where a dataset-level task keeps what it needs to go on after an interruption, and tells how far it is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.atomic import remove, write_text_atomic
from pipeline.errors import StoreError
from pipeline.tasks import PlannedTask

WORKSPACES = "work"
_FINGERPRINT_DIGITS = 16
_REPORT = "report.json"
_SECONDS_BETWEEN_REPORTS = 0.5


@dataclass(frozen=True)
class Report:
    """How far a task is."""

    done: int
    total: int
    text: str


def workspace_of(output: Path, task: PlannedTask) -> Path:
    """The folder of a task: below ``work/`` as its result lies in the run, apart for each fingerprint."""
    return _place(output, task.folder) / str(task.fingerprint)[:_FINGERPRINT_DIGITS]


def reporter(workspace: Path) -> Callable[[int, int, str], None]:
    """Writes reports into a workspace, not too many of them; a full disk does not stop the task."""
    last = 0.0

    def report(done: int, total: int, text: str) -> None:
        nonlocal last
        if time.monotonic() - last < _SECONDS_BETWEEN_REPORTS and done < total:
            return
        with suppress(StoreError):
            write_text_atomic(workspace / _REPORT, json.dumps([done, total, text]))
        last = time.monotonic()

    return report


def reports(output: Path, folder: Path) -> Iterator[Report]:
    """What the tasks that write to the result ``folder`` have reported last, as long as they have not ended."""
    for path in sorted(_place(output, folder).glob(f"*/{_REPORT}")):
        with suppress(OSError, ValueError, TypeError):
            yield Report(*json.loads(path.read_text(encoding="utf-8")))


def clear_workspaces(output: Path, folder: Path) -> None:
    """Removes all workspaces of a result, those of other fingerprints too, and the folders above that are empty now."""
    place = _place(output, folder)
    remove(place)
    with suppress(OSError):  # one of them holds something else
        for parent in place.parents[: len(folder.relative_to(output).parts)]:
            parent.rmdir()


def _place(output: Path, folder: Path) -> Path:
    return output / WORKSPACES / folder.relative_to(output)
