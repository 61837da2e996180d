"""Hands the chunks of each stage to dask workers and brings their records back."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from distributed import CancelledError, Client, Future
from distributed.scheduler import KilledWorker

from pipeline.errors import ConfigurationError, LostError, SceneError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask.checks import check_workers
from pipeline.executors.dask.child import end_children, run_in_child
from pipeline.executors.dask.quiet import quiet
from pipeline.executors.dask.sites import Site, site_of
from pipeline.executors.stepwise import StepwiseExecutor
from pipeline.records import Record
from pipeline.tasks import Chunk
from pipeline.worker import log_path, record_failure

_WINDOW_A_SLOT = 10
"""chunks a slot that the scheduler holds: enough for a cluster to see that more workers have work"""
_LOOK_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
"""without any worker, until a line says so"""
_STOP_SECONDS = 3.0


@dataclass
class _Link:
    """The connection to a scheduler and what has been handed to it."""

    client: Client
    slots: int
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    """tells this run from others that use the same workers"""
    ended: SimpleQueue[Future[Any]] = field(default_factory=SimpleQueue)
    running: dict[str, tuple[Future[Any], Chunk]] = field(default_factory=dict)

    def submit(self, chunks: Iterable[Chunk]) -> None:
        """Hands chunks to the scheduler, which tries those of lost workers again on others."""
        for chunk in chunks:
            # the dashboard counts by what stands before the dash
            key = f"{chunk.tasks[0].stage}-{uuid.uuid4().hex}"
            future = self.client.submit(run_in_child, chunk, self.run, key=key, pure=False)
            self.running[key] = (future, chunk)
            future.add_done_callback(self.ended.put)

    def stop(self) -> None:
        """Takes back what is not done and ends the processes that work for this run."""
        self.client.cancel([future for future, _ in self.running.values()])
        self.client.run(end_children, self.run, on_error="ignore")


class DaskClusterExecutor(StepwiseExecutor):
    """Tasks on the dask workers that ``config`` describes; logs go below the folder of the run, ``output``.

    A running scheduler is asked at once, everything else starts with the first chunk. Raises ConfigurationError where
    the scheduler does not answer, its workers are not of this boxgp, or the options of a queue are wrong.
    """

    def __init__(self, config: DaskExecutor, output: Path) -> None:
        self._logs = output / "logs" / "dask"
        self._site: Site = site_of(config, self._logs)
        self._stack = ExitStack()
        self._link: _Link | None = None
        if self._site.slots is None:
            self._linked()

    @property
    def description(self) -> str:
        """``with 4 dask workers``."""
        return self._site.description

    @property
    def slots(self) -> int:
        """The threads of all workers."""
        return self._site.slots or self._linked().slots

    def records(self, chunks: Sequence[Chunk]) -> Iterator[Record]:
        """Runs the chunks of one stage; a worker that is lost costs them nothing but time.

        Raises LostError where the scheduler is lost, ConfigurationError where a queue takes no job.
        """
        if not chunks:
            return
        link = self._linked()
        waiting = iter(chunks)
        link.submit(islice(waiting, _WINDOW_A_SLOT * link.slots))
        while link.running:
            future = self._next(link)
            _, chunk = link.running.pop(str(future.key))
            link.submit(islice(waiting, 1))
            yield from self._outcome(future, chunk)

    def close(self) -> None:
        """Takes back what is not done; ends workers that were started for this run, and their children in any case."""
        link, self._link = self._link, None
        try:
            if link is not None and link.client.status == "running":
                # in a thread: a worker that does not answer must not hold the end up
                stopping = threading.Thread(target=_stop, args=(link,), daemon=True)
                stopping.start()
                stopping.join(_STOP_SECONDS)
        finally:
            self._stack.close()

    def _linked(self) -> _Link:
        if self._link is None:
            try:
                self._link = self._open()
            except BaseException:
                self._stack.close()
                raise
        return self._link

    def _open(self) -> _Link:
        self._stack.enter_context(quiet(self._logs / "scheduler.log"))
        client = self._stack.enter_context(self._site.open())
        _tell(_dashboard(client))
        if not self._site.ours:
            _await_workers(client)
            check_workers(client)
        return _Link(client, self._site.slots or sum(client.nthreads().values()))

    def _next(self, link: _Link) -> Future[Any]:
        """Waits for a chunk to end."""
        lonely_since = time.monotonic()
        told = False
        while True:
            with suppress(Empty):
                return link.ended.get(timeout=_LOOK_SECONDS)
            if _workers(link.client):
                lonely_since, told = time.monotonic(), False
                continue
            refusal = self._site.refusal()
            if refusal is not None:
                raise ConfigurationError(f"the queue takes no jobs; correct executor.jobs, then run again:\n{refusal}")
            if not told and time.monotonic() - lonely_since > _PATIENCE_SECONDS:
                _tell(f"waiting for dask workers: there is none now (logs: {self._logs}); Ctrl-C stops")
                told = True

    def _outcome(self, future: Future[Any], chunk: Chunk) -> Iterator[Record]:
        """The records of a chunk that has ended, one way or the other."""
        try:
            if future.cancelled():
                raise CancelledError
            error = future.exception()
            records: list[Record] = [] if error else future.result()
        except (CancelledError, asyncio.CancelledError, OSError) as lost:
            raise LostError(
                "the dask scheduler is gone or cannot be reached; what is finished is kept, and the same command goes "
                "on from there once a scheduler runs"
            ) from lost
        yield from records
        for task in chunk.tasks if error else ():
            log = log_path(chunk.output, chunk.tasks)
            yield record_failure(chunk.output, task, self._explained(error, chunk, task.scene), log=log)

    def _explained(self, error: Exception, chunk: Chunk, scene: str) -> Exception:
        if not isinstance(error, KilledWorker):
            return error
        return SceneError(
            f"{scene}: {error.allowed_failures + 1} dask workers were lost while they worked on it (its chunk has "
            f"{len(chunk.tasks)} tasks), the last one at {error.last_worker.address}: jobs may end too early or nodes "
            f"run out of memory; see the logs of the workers (in {self._logs}, if boxgp started them), then run again"
        )


def _stop(link: _Link) -> None:
    with suppress(Exception, asyncio.CancelledError):  # whatever happens, everything is closed next
        link.stop()


def _workers(client: Client) -> int:
    """The number of workers; 1 where the scheduler does not answer, which its chunks will tell."""
    try:
        return len(client.nthreads())
    except (OSError, CancelledError):
        return 1


def _await_workers(client: Client) -> None:
    if not _workers(client):
        _tell("waiting for dask workers: the scheduler has none yet; Ctrl-C stops")
        client.wait_for_workers(1)


def _dashboard(client: Client) -> str:
    if importlib.util.find_spec("bokeh") is None:
        return "dashboard: none (pip install bokeh for one)"
    return f"dashboard: {client.dashboard_link}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
