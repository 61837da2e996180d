"""Why tasks failed: one small file each, for people, where the result would be but below ``failures/``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipeline.atomic import write_text_atomic

FAILURES = "failures"
_SUFFIX = ".json"


@dataclass(frozen=True)
class Failure:
    """Why one task failed, kept in ``failures/<folder>.json`` until it succeeds."""

    stage: str
    round: int
    scene: str
    folder: str
    """folder of the result relative to the output folder"""
    error: str
    """class of the error"""
    message: str
    expected: bool
    """True for an error that boxgp raised on purpose: its message says what to do; False: see the traceback"""
    traceback: str
    log: str
    """path of the log relative to the output folder"""
    fingerprint: str | None
    attempt: int
    seconds: float
    """how long the task took until it failed"""
    ended: str
    """when, in UTC: 2026-01-31T23:59:59.123456Z"""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """input stage -> folder; raw files are under ``files``"""
    files: tuple[str, ...] = ()


def failure_path(output: Path, folder: Path) -> Path:
    """Where the failure of the task that would have written ``folder``, which lies below ``output``, is kept."""
    relative = folder.relative_to(output)
    return output / FAILURES / relative.parent / f"{relative.name}{_SUFFIX}"


def write_failure(output: Path, failure: Failure) -> None:
    """Stores a failure; raises StoreError where it cannot be written."""
    text = json.dumps(asdict(failure), indent=2) + "\n"
    write_text_atomic(failure_path(output, output / failure.folder), text)


def clear_failure(output: Path, folder: Path) -> None:
    """Forgets an earlier failure of the task that writes ``folder``."""
    with suppress(OSError):
        failure_path(output, folder).unlink()


def read_failures(output: Path) -> list[Failure]:
    """All failures of a run by round, stage and scene; files that are none are passed over."""
    found = []
    for path in _files(str(output / FAILURES)):
        with suppress(OSError, ValueError, TypeError, KeyError):
            values = json.loads(Path(path).read_text(encoding="utf-8"))
            found.append(Failure(**{**values, "files": tuple(values["files"])}))
    return sorted(found, key=lambda failure: (failure.round, failure.stage, failure.scene))


def _files(folder: str) -> Iterator[str]:
    """All failure files below a folder; those that are being written are hidden."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _files(entry.path)
            elif entry.name.endswith(_SUFFIX):
                yield entry.path
