"""Strikes a real run at a random moment, runs the same command again to its end, and counts what was lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.store import fingerprint_of
from tests.end_to_end.command import PATIENCE_SECONDS, STAGES, checksums, results, temporaries
from tests.end_to_end.marked_run import LOOK_SECONDS, MarkedRun

ROOMS = ("demo", "--set", "scenes.count=6", "--set", "scenes.points=1500", "--set", "scenes.maximum_side=3.5")
_LONGEST_DELAY_SECONDS = 0.1
_BEFORE_FIRST_RESULT_SECONDS = 1.5
_ATTEMPTS = 4


Strike = Callable[[MarkedRun, np.random.Generator], bool]
"""hits a run; False where there is nothing to hit at this moment"""


@dataclass(frozen=True)
class Kind:
    """One kind of fault: how the command runs, what hits it, and what has to be mended before it runs again."""

    options: tuple[str, ...]
    strike: Strike
    codes: tuple[int, ...] = (0,)
    """the exit codes with which the command that was hit may end"""
    repair: Callable[[MarkedRun], None] = lambda _: None
    settle: Callable[[], None] = lambda: None
    """waits for what no process of the run waits for"""
    watch: Callable[[], object] = lambda: None
    """does now and then, while the command runs, what an administrator would do"""
    place: Path | None = None
    """where the run writes, instead of the folder of the test"""
    sudden: bool = True
    """False where the command itself has to clean up before it ends"""


@dataclass(frozen=True)
class Verdict:
    """What one fault did."""

    name: str
    compared: int
    code: int = 0
    at: int = 0
    """results that were there when it struck"""
    missing: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.name}: struck at {self.at} results, exit code {self.code}; {self.compared} compared, "
            f"{len(self.missing)} missing, {len(self.different)} different, {len(self.replaced)} replaced"
        )


class Watcher:
    """Looks all the time at the results of a run and notes each that is replaced under the same fingerprint."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._seen: dict[tuple[Path, str], tuple[int, int]] = {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.looks = 0
        self.replaced: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()

    def look(self) -> None:
        """Compares every complete result with what was seen of it before."""
        with self._lock:
            self.looks += 1
            for folder in results(self._output):
                self._compare(folder)

    def _watch(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            self.look()

    def _compare(self, folder: Path) -> None:
        before = _identity(folder)
        fingerprint = fingerprint_of(folder)
        if before is None or fingerprint is None or before != _identity(folder):
            return  # being written, or torn
        if self._seen.setdefault((folder, fingerprint), before) != before:
            self._seen[folder, fingerprint] = before
            self.replaced.append(str(folder.relative_to(self._output)))


def strike_and_complete(name: str, kind: Kind, seed: int, reference: Mapping[str, str], folder: Path) -> Verdict:
    """Lets one fault hit a fresh run in ``folder``, runs the same command again and compares with ``reference``.

    ``reference`` holds the checksums of a run that nothing disturbed. Fails where the command shows a traceback, ends
    with another exit code than it should, or leaves something behind.
    """
    generator = np.random.default_rng(seed)
    for attempt in range(_ATTEMPTS):
        output = (kind.place or folder) / f"{seed}_{attempt}" / "out"
        output.parent.mkdir()
        with Watcher(output) as watcher, _run(kind, output, folder / f"struck_{attempt}.txt") as run:
            try:
                at = _strike(run, kind, generator, int(generator.integers(len(reference) >> attempt)))
                code = _end(run, kind)
            finally:
                kind.repair(run)
            if at is None:
                continue  # it had ended before: once more, earlier
            watcher.look()
            assert code in kind.codes, f"{name}: exit code {code}\n{run.said}"
            assert "Traceback" not in run.said, run.said
            if not kind.sudden:
                assert_nothing_left(run)
            with _run(kind, output, folder / "again.txt") as again:
                assert _end(again, kind) == 0, f"{name}\n{run.said}\n{again.said}"
                kind.settle()
                watcher.look()
                assert run.wait_for_orphans() == [], run.processes()
                assert_nothing_left(again)
        return replace(_compared(name, output, reference), code=code, at=at, replaced=watcher.replaced)
    raise AssertionError(f"{name}: none of {_ATTEMPTS} strikes came before the end of the run")


def _run(kind: Kind, output: Path, said: Path) -> MarkedRun:
    return MarkedRun(*ROOMS, *kind.options, output=output, said=said)


def assert_nothing_left(run: MarkedRun) -> None:
    """A command that was able to clean up has left no temporary and no process that works."""
    assert temporaries(run.output) == [], temporaries(run.output)
    assert run.workers() == [], run.processes()
    assert run.wait_for_orphans() == [], run.processes()


def _strike(run: MarkedRun, kind: Kind, generator: np.random.Generator, after: int) -> int | None:
    """Strikes after so many results and a random delay; how many there were, None where it was too late."""
    for _ in _while_running(run):
        if len(results(run.output)) >= after:
            break
    time.sleep(generator.uniform(0, _LONGEST_DELAY_SECONDS if after else _BEFORE_FIRST_RESULT_SECONDS))
    for _ in _while_running(run):
        there = len(results(run.output))
        if kind.strike(run, generator):
            return there
    return None


def _end(run: MarkedRun, kind: Kind) -> int:
    """The exit code of the command, when it has ended."""
    for _ in _while_running(run, 1.0):
        kind.watch()
    return run.wait()


def _while_running(run: MarkedRun, pause: float = LOOK_SECONDS) -> Iterator[None]:
    until = time.monotonic() + PATIENCE_SECONDS
    while not run.over:
        assert time.monotonic() < until, f"the run does not go on\n{run.said}"
        yield
        time.sleep(pause)


def _compared(name: str, output: Path, reference: Mapping[str, str]) -> Verdict:
    found = checksums(output, STAGES)
    there = found.keys() & reference.keys()
    return Verdict(
        name,
        len(there),
        missing=sorted(reference.keys() - found.keys()),
        different=sorted(file for file in found if found[file] != reference.get(file)),
    )


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = (folder / "manifest.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
