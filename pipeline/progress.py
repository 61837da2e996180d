"""How far a run is: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, TypeVar

from pipeline.records import Record, TaskOutcome
from pipeline.workspace import Report

if TYPE_CHECKING:
    from rich.progress import TaskID

SECONDS_BETWEEN_LINES = 5.0
Item = TypeVar("Item")


class Progress:
    """What an executor tells about a run; this one shows nothing."""

    def start(self, stage: str, total: int, kept: int) -> None:
        """A stage begins with ``total`` tasks to run; ``kept`` more were done before."""

    def advance(self, record: Record) -> None:
        """A task of the current stage has ended."""

    def note(self, report: Report) -> None:
        """A task over all scenes tells how far it is."""

    def finish(self) -> None:
        """The current stage has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


@dataclass
class _Count:
    stage: str
    total: int
    kept: int
    started: float
    ended: int = 0
    failed: int = 0
    blocked: int = 0

    def add(self, record: Record) -> None:
        self.ended += 1
        self.failed += record.outcome is TaskOutcome.FAILED
        self.blocked += record.outcome is TaskOutcome.BLOCKED

    def problems(self) -> str:
        """`` 2 failed, 1 blocked``, or nothing."""
        counts = [f"{count} {word}" for count, word in ((self.failed, "failed"), (self.blocked, "blocked")) if count]
        return "".join(f", {count}" for count in counts)


class PlainProgress(Progress):
    """Lines of text: one when a stage starts and ends, and at most one each few seconds between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._count = _Count("", 0, 0, 0.0)
        self._last = 0.0

    def start(self, stage: str, total: int, kept: int) -> None:
        """Prints what is to be done."""
        self._count = _Count(stage, total, kept, self._clock())
        self._last = self._count.started
        before = f", {kept} done before" if kept else ""
        self._print(f"{stage}: {total} to do{before}")

    def advance(self, record: Record) -> None:
        """Prints how far the stage is, if the last line is some time ago."""
        count, now = self._count, self._clock()
        count.add(record)
        if now - self._last < SECONDS_BETWEEN_LINES or count.ended == count.total:
            return
        self._last = now
        elapsed = now - count.started
        remaining = elapsed / count.ended * (count.total - count.ended)
        times = f"{_duration(elapsed)} elapsed, about {_duration(remaining)} remaining"
        self._print(f"{count.stage}: {count.ended}/{count.total}{count.problems()}, {times}")

    def note(self, report: Report) -> None:
        """Prints how far the task is, if the last line is some time ago."""
        now = self._clock()
        if now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        elapsed = _duration(now - self._count.started)
        self._print(f"{self._count.stage}: {report.done}/{report.total}, {report.text}, {elapsed} elapsed")

    def finish(self) -> None:
        """Prints how the stage ended."""
        count = self._count
        if count.total:
            elapsed = _duration(self._clock() - count.started)
            self._print(f"{count.stage}: {count.ended}/{count.total} in {elapsed}{count.problems()}")

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class BarProgress(Progress):
    """One bar a stage: name, done and total, problems, time elapsed and remaining."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[problems]}"),
            console=Console(file=stream),
        )
        self._count = _Count("", 0, 0, 0.0)
        self._bar: TaskID | None = None

    def start(self, stage: str, total: int, kept: int) -> None:
        """Adds a bar."""
        self._count = _Count(stage, total, kept, 0.0)
        self._bar = self._bars.add_task(stage, total=total + kept, completed=kept, problems="")

    def advance(self, record: Record) -> None:
        """Moves the bar on."""
        self._count.add(record)
        if self._bar is not None:
            done, total = self._count.ended + self._count.kept, self._count.total + self._count.kept
            problems = self._count.problems().removeprefix(", ")
            self._bars.update(self._bar, completed=done, total=total, problems=problems)

    def note(self, report: Report) -> None:
        """Moves the bar as far as the task is."""
        if self._bar is not None:
            self._bars.update(self._bar, completed=report.done, total=report.total, problems=report.text)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()


def progress_on(stream: TextIO) -> Progress:
    """Bars where ``stream`` is a terminal, lines elsewhere."""
    return BarProgress(stream) if stream.isatty() else PlainProgress(stream)


def watched(items: Sequence[Item], what: str, stream: TextIO) -> Iterator[Item]:
    """``items`` one after the other, with a bar on a terminal and a line now and then elsewhere, if it takes long."""
    if stream.isatty():
        from rich.console import Console
        from rich.progress import track

        yield from track(items, what, console=Console(file=stream), transient=True)
        return
    last = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{what}: {done}/{len(items)}", file=stream, flush=True)
        yield item


def _duration(seconds: float) -> str:
    """``42 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
