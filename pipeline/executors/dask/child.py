"""What a dask worker does with a chunk: it hands it to a child of its own, so that no task can end the worker.

The children stay for the next chunks. A worker with several threads has as many children as chunks at a time.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from multiprocessing import util

from pipeline.executors.processes import Death, WorkerPool, surviving
from pipeline.records import Record
from pipeline.tasks import Chunk
from pipeline.threads import THREAD_VARIABLES

ENVIRONMENT = {**dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONSAFEPATH": "1"}
"""of every worker and of its children"""


class RunEndedError(Exception):
    """The run that a chunk belongs to has been stopped."""


class _Child(WorkerPool):
    """One process, whose run may be stopped by another thread."""

    def __init__(self) -> None:
        super().__init__(1)
        self._stopped = False

    def run(self, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, list[Record] | Death]]:
        """As ``WorkerPool.run``; raises RunEndedError after ``stop``."""
        for chunk, answer in super().run(chunks):
            if self._stopped:
                raise RunEndedError
            yield chunk, answer

    def stop(self) -> None:
        """Ends the process and, by that, the chunk that it runs."""
        self._stopped = True
        for worker in list(self._workers):
            worker.process.kill()


_LOCK = threading.Lock()
_IDLE: list[_Child] = []
_BUSY: dict[_Child, str] = {}
"""child -> the run that it works for"""


def run_in_child(chunk: Chunk, run: str) -> list[Record]:
    """The records of a chunk that runs in a child of this process; a death of the child is not one of this process."""
    with _LOCK:
        _prepare()
        child = _IDLE.pop() if _IDLE else _Child()
        _BUSY[child] = run
    try:
        records = [record for answer in surviving(child, [chunk]) for record in answer]
    except BaseException:
        with _LOCK:
            del _BUSY[child]
        child.close()
        raise
    with _LOCK:
        del _BUSY[child]
        _IDLE.append(child)
    return records


def end_children(run: str | None = None) -> None:
    """Ends the children that are idle and those that work for ``run``; all by default."""
    with _LOCK:
        idle = list(_IDLE)
        _IDLE.clear()
        busy = [child for child, busy_for in _BUSY.items() if run in {None, busy_for}]
    for child in busy:
        child.stop()
    for child in idle:
        child.close()


def _prepare() -> None:
    """Makes this process one that may have children, whoever started it."""
    process = multiprocessing.current_process()
    if process.daemon:  # a nanny made it so; such a process is not allowed to have children
        process.daemon = False
    os.environ.update(ENVIRONMENT)


# before multiprocessing waits for its children, which wait for their next chunk
util.Finalize(None, end_children, exitpriority=100)
