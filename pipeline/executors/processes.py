"""Worker processes that may die: each has its own pipe, so that a death costs the chunk it had and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from pipeline.errors import SceneError
from pipeline.gpus import visible_gpus
from pipeline.records import Record
from pipeline.tasks import Chunk
from pipeline.threads import THREAD_VARIABLES
from pipeline.worker import log_path, record_failure, run_chunk

_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Death:
    """What is known about a worker that died while it had a chunk."""

    exit_code: int | None

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it, as the system does when memory runs out."""
        return self.exit_code == -signal.SIGKILL

    def __str__(self) -> str:
        code = self.exit_code
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        return f"was ended by signal {-code} ({name})"


@dataclass(eq=False)
class _Worker:
    process: Any
    connection: Connection
    gpu: str | None
    """the one that it uses"""
    chunk: Chunk | None = None


class WorkerPool:
    """Up to ``size`` spawned processes; started when there is work, kept between the stages of a run."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._workers: list[_Worker] = []
        self._gpus: tuple[str, ...] | None = None
        """of this machine, None until the first worker starts"""

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Record] | Death]]:
        """Each chunk with its records, or with the death of the worker that had it, in the order in which they end."""
        waiting = deque(chunks)
        while waiting or self._busy():
            while waiting and (worker := self._idle()) is not None:
                chunk = waiting.popleft()
                try:
                    worker.connection.send(chunk)
                    worker.chunk = chunk
                except OSError:  # it has died this very moment
                    yield chunk, Death(self._bury(worker))
            for worker in self._ready():
                answer = self._answer(worker)
                ended, worker.chunk = worker.chunk, None
                if ended is not None:
                    yield ended, answer

    def close(self) -> None:
        """Ends the workers, whatever they are doing."""
        for worker in self._workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join(_PATIENCE_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.chunk is not None]

    def _idle(self) -> _Worker | None:
        for worker in [worker for worker in self._workers if worker.chunk is None]:
            if worker.process.is_alive():
                return worker
            self._bury(worker)  # it has died without a chunk: no scene is to blame
        if len(self._workers) < self.size:
            self._workers.append(_start(self._free_gpu()))
            return self._workers[-1]
        return None

    def _free_gpu(self) -> str | None:
        """The GPU that fewest workers use, None where there is none."""
        if self._gpus is None:
            self._gpus = visible_gpus()
        used = [worker.gpu for worker in self._workers]
        return min(self._gpus, key=used.count, default=None)

    def _ready(self) -> list[_Worker]:
        """Waits until busy workers have answered or died."""
        busy = self._busy()
        # the sentinel too: a process that a stage started may keep the pipe of a dead worker open
        ready = wait([one for worker in busy for one in (worker.connection, worker.process.sentinel)])
        return [worker for worker in busy if worker.connection in ready or worker.process.sentinel in ready]

    def _answer(self, worker: _Worker) -> list[Record] | Death:
        with suppress(EOFError, OSError):
            if worker.connection.poll():
                records: list[Record] = worker.connection.recv()
                return records
        return Death(self._bury(worker))

    def _bury(self, worker: _Worker) -> int | None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_PATIENCE_SECONDS)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        code: int | None = worker.process.exitcode
        return code


def surviving(pool: WorkerPool, chunks: Iterable[Chunk]) -> Iterator[list[Record]]:
    """The records of each chunk; those of a worker that died are tried once more, scene by scene, in new workers.

    A scene that costs a second worker its life ends as failed.
    """
    again: list[Chunk] = []
    for chunk, answer in pool.run(chunks):
        if isinstance(answer, Death):
            again += [replace(chunk, tasks=(task,), attempt=chunk.attempt + 1) for task in chunk.tasks]
        else:
            yield answer
    if again:
        pool.close()  # what killed one worker may be about to kill the others, which no scene must pay for
    for chunk, answer in pool.run(again):
        yield [_lost(chunk, answer)] if isinstance(answer, Death) else answer


def _lost(chunk: Chunk, death: Death) -> Record:
    """The record of a task that cost two workers their lives."""
    task = chunk.tasks[0]
    cause = (
        "most likely memory ran out: use fewer workers, or a machine with more memory"
        if death.killed
        else "a library crashed: run this scene alone with --workers 0 to see its last words"
    )
    log = log_path(chunk.output, chunk.tasks)
    error = SceneError(f"{task.scene}: the worker process {death}, twice; {cause} (log: {log})")
    return record_failure(chunk.output, task, error, log=log, attempt=chunk.attempt)


def _start(gpu: str | None) -> _Worker:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), name="boxgp worker")
    resource_tracker.ensure_running()  # before signals are blocked: starting it unblocks them
    with _worker_environment(gpu), _signals_blocked():
        process.start()
    theirs.close()
    return _Worker(process, ours, gpu)


def _serve(connection: Connection) -> None:
    """The life of a worker: chunks in, records out, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the parent decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            connection.send(run_chunk(connection.recv()))


def _end_with_parent() -> None:
    """Ends this process when its parent was killed, in the middle of a chunk too: nobody would take its records."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _worker_environment(gpu: str | None) -> Iterator[None]:
    """Lets processes that start inside run on one thread and one GPU, and import nothing from the current folder."""
    wanted = {**dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONSAFEPATH": "1"}
    if gpu is not None:
        wanted["CUDA_VISIBLE_DEVICES"] = gpu
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Holds back what would stop this process between the two halves of a start; the new one inherits that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
