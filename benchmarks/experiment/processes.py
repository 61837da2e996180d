"""All trainings of the experiment in processes of their own: which runs when, and what becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.experiment.rows import Job
from benchmarks.experiment.settings import Experiment, Folder

ROOT = Path(__file__).resolve().parent.parent.parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_LOG = "log.txt"
_LAST_LINES = 15
_SECONDS_BETWEEN_LOOKS = 0.1
_PATIENCE_SECONDS = 5


@dataclass(eq=False)
class _Running:
    job: Job
    process: subprocess.Popen[bytes]
    log: Path
    start: float = field(default_factory=time.monotonic)


class Trainings:
    """The trainings that were asked for, some of which may be done."""

    def __init__(self, folder: Folder, experiment: Experiment, jobs: Sequence[Job], device: str) -> None:
        self._folder = folder
        self._experiment = experiment
        self._device = device
        self._all = jobs
        self._results: dict[Job, Mapping[str, Any]] = {}
        self._failed: set[Job] = set()
        self._ready: deque[Job] = deque()
        """those that can start, the one that waits longest first"""
        self._running: list[_Running] = []
        for job in jobs:
            found = folder.result(job, experiment)
            if found is not None:
                self._results[job] = found
        self._ready.extend(job for job in jobs if job not in self._results and self._can_start(job))

    def run(self, processes: int) -> bool:
        """Runs what is not done, in so many processes; True where everything is done in the end.

        KeyboardInterrupt ends the processes; what they have written is kept.
        """
        print(f"{len(self._results)} of {len(self._all)} trainings are done", flush=True)
        try:
            while self._ready or self._running:
                while self._ready and len(self._running) < processes:
                    self._running.append(self._start(self._ready.popleft()))
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                for one in [one for one in self._running if one.process.poll() is not None]:
                    self._running.remove(one)
                    self._ended(one, processes)
        finally:
            self._end()
        for job in self._all:
            if job.first in self._failed:
                print(f"{job.title}: not trained, since its first phase failed", flush=True)
        return len(self._results) == len(self._all)

    def _can_start(self, job: Job) -> bool:
        return job.first is None or job.first in self._results

    def _start(self, job: Job) -> _Running:
        log = self._folder.work(job) / _LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        with log.open("wb") as words:
            process = subprocess.Popen(
                command_of(job, self._folder, self._device),
                stdin=subprocess.PIPE,  # its end tells the process that nobody waits for it any more
                stdout=words,
                stderr=words,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others
            )
        return _Running(job, process, log)

    def _ended(self, one: _Running, processes: int) -> None:
        """Tells what became of a training, and lets those start that waited for it."""
        if one.process.stdin is not None:
            one.process.stdin.close()
        found = self._folder.result(one.job, self._experiment)
        if one.process.returncode or found is None:
            self._failed.add(one.job)
            lines = one.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            told = "".join(f"\n  {line}" for line in lines)
            print(
                f"{one.job.title}: failed (exit code {one.process.returncode}); {one.log} ends with{told}", flush=True
            )
            return
        self._results[one.job] = found
        self._ready.extend(job for job in self._all if job.first == one.job and job not in self._results)
        figures = f"AP {_figure(found['ap'])}, AP50 {_figure(found['ap50'])}, {found['seconds'] / 60:.1f} min"
        left = f"about {self._minutes_left(processes):.0f} min left"
        print(f"{one.job.title}: {figures}; {len(self._results)} of {len(self._all)} done, {left}", flush=True)

    def _minutes_left(self, processes: int) -> float:
        """By the seconds that a step has taken so far."""
        done = [(self._experiment.steps(job), found["seconds"]) for job, found in self._results.items()]
        each = sum(seconds for _, seconds in done) / sum(steps for steps, _ in done)
        waiting = [job for job in self._all if job not in self._results and not {job, job.first} & self._failed]
        now = time.monotonic()
        spent = sum(now - one.start for one in self._running)
        left = each * sum(self._experiment.steps(job) for job in waiting) - spent
        return max(left, 0.0) / min(processes, max(len(waiting), 1)) / 60

    def _end(self) -> None:
        """Ends what still runs."""
        for one in self._running:
            with suppress(OSError):
                one.process.terminate()
        for one in self._running:
            try:
                one.process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            if one.process.stdin is not None:
                one.process.stdin.close()
        self._running = []


def command_of(job: Job, folder: Folder, device: str) -> list[str]:
    """What trains one job."""
    return [sys.executable, "-m", "benchmarks.experiment", "job", str(folder.path), job.name, "--device", device]


def stop_like_interrupt() -> None:
    """From now on SIGTERM raises KeyboardInterrupt, as Ctrl-C does."""

    def stop(number: int, frame: object) -> None:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)


def end_with_parent() -> None:
    """Ends this process when the one that waits for it is gone: then its standard input ends."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
