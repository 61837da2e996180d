"""A real run whose processes can all be found, whoever their parents are."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.end_to_end.command import BOXGP, PATIENCE_SECONDS

_MARK = "BOXGP_TEST_RUN"
"""environment variable that every process of a run inherits"""
LOOK_SECONDS = 0.01
_ORPHANS_SECONDS = 60.0


@dataclass(frozen=True)
class Process:
    """A process of a run."""

    pid: int
    parent: int
    command: str

    @property
    def is_spawned(self) -> bool:
        """Whether Python started it to run a function, as it does for workers."""
        return "spawn_main" in self.command


class MarkedRun:
    """One ``boxgp run`` under way: the command, the processes that belong to it, and what it prints."""

    def __init__(self, *line: str, output: Path, said: Path) -> None:
        self.output = output
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        self._said = said
        name, _, value = self._mark.partition("=")
        with said.open("ab") as file:
            self.command = subprocess.Popen(
                [BOXGP, "run", *line, "--output", output],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=output.parent,
                env={**os.environ, name: value},
                process_group=0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends whatever still belongs to the run."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.command.wait()

    @property
    def over(self) -> bool:
        """Whether the command itself has ended."""
        return self.command.poll() is not None

    @property
    def said(self) -> str:
        """What the command and its workers have printed."""
        return self._said.read_text(errors="replace")

    def wait(self) -> int:
        """The exit code of the command."""
        return self.command.wait(PATIENCE_SECONDS)

    def processes(self) -> list[Process]:
        """All living processes of the run, those that its end has orphaned included."""
        return [process for process in all_processes() if _has(process.pid, self._mark)]

    def workers(self) -> list[int]:
        """Its worker processes: those that Python spawned and that spawned none themselves."""
        everyone = self.processes()
        parents = {process.parent for process in everyone if process.is_spawned}
        return [one.pid for one in everyone if one.is_spawned and one.pid not in parents]

    def wait_for_orphans(self) -> list[Process]:
        """The processes that are still there a good while after the command has ended."""
        until = time.monotonic() + _ORPHANS_SECONDS
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return left


def all_processes() -> Iterator[Process]:
    """All living processes of this machine."""
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                command = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state, parent = (place / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state not in {"Z", "X"}:
                yield Process(int(place.name), int(parent), command)


def _has(pid: int, mark: str) -> bool:
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
