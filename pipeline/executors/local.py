"""Runs tasks on this machine: in this process, or in worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.executors.processes import WorkerPool, surviving
from pipeline.executors.stepwise import StepwiseExecutor
from pipeline.records import Record
from pipeline.show import count
from pipeline.tasks import Chunk
from pipeline.worker import run_chunk


class LocalExecutor(StepwiseExecutor):
    """``workers`` processes; with 0 everything runs in this one."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = WorkerPool(workers) if workers else None

    @property
    def description(self) -> str:
        """``with 2 workers``."""
        return f"with {count(self._workers, 'worker')}" if self._workers else "in this process"

    @property
    def slots(self) -> int:
        """The number of processes that work."""
        return max(1, self._workers)

    def records(self, chunks: Sequence[Chunk]) -> Iterator[Record]:
        """Runs the chunks of one stage; a worker that dies costs no other chunk anything."""
        answers = map(run_chunk, chunks) if self._pool is None else surviving(self._pool, chunks)
        for answer in answers:
            yield from answer

    def close(self) -> None:
        """Ends the workers."""
        if self._pool is not None:
            self._pool.close()
