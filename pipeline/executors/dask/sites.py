"""Where dask's workers are: on this machine, in jobs of a queue, or wherever a running scheduler has them."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from distributed import Client, Nanny, Scheduler
from distributed.deploy.spec import SpecCluster

from pipeline.errors import ConfigurationError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask.child import ENVIRONMENT
from pipeline.executors.dask.queues import JobQueue
from pipeline.gpus import visible_gpus
from pipeline.show import count

_HOST = "127.0.0.1"
_DASHBOARD_PORT = 8787
_CONNECT_SECONDS = 6


class Site(ABC):
    """A place of dask workers. Making one checks what can be checked without starting anything."""

    description: str
    """as it follows `12 tasks to run`"""
    ours = True
    """whether the workers start from the Python of this process"""

    @property
    @abstractmethod
    def slots(self) -> int | None:
        """Chunks at the same time; None where only the scheduler knows."""

    @abstractmethod
    def open(self) -> AbstractContextManager[Client]:
        """Starts what is to be started, ends it in the end; raises ConfigurationError where it cannot."""

    def refusal(self) -> str | None:
        """Why no worker comes, where that is known."""
        return None


def site_of(config: DaskExecutor, logs: Path) -> Site:
    """The site that a configuration describes; raises ConfigurationError where it cannot be."""
    match config.cluster:
        case "local":
            return ThisMachine(config.workers)
        case "scheduler":
            return RunningScheduler(config.scheduler)
        case _:
            return Queue(JobQueue(config, logs))


class ThisMachine(Site):
    """A scheduler in this process and worker processes of one thread each, with one GPU each where there are GPUs.

    ``workers`` is their number; by default one a GPU, or one a core where there is no GPU.
    """

    def __init__(self, workers: int | None) -> None:
        self._gpus = visible_gpus()
        self._workers = workers or len(self._gpus) or len(os.sched_getaffinity(0))
        self.description = f"with {count(self._workers, 'dask worker')}"

    @property
    def slots(self) -> int:
        """One a worker."""
        return self._workers

    @contextmanager
    def open(self) -> Iterator[Client]:
        """Scheduler and workers listen to this machine only."""
        with ExitStack() as stack:
            with _interrupts_held():
                cluster = SpecCluster(
                    scheduler={
                        "cls": Scheduler,
                        "options": {"host": _HOST, "port": 0, "dashboard_address": f"{_HOST}:{_dashboard_port()}"},
                    },
                    workers={place: self._worker(place) for place in range(self._workers)},
                    name="boxgp",
                )
                client = stack.enter_context(Client(stack.enter_context(cluster), set_as_default=False))
            yield client

    def _worker(self, place: int) -> dict[str, Any]:
        gpu = {"CUDA_VISIBLE_DEVICES": self._gpus[place % len(self._gpus)]} if self._gpus else {}
        options = {
            "host": _HOST,
            "nthreads": 1,
            "memory_limit": 0,  # it is the worker's child that uses memory
            "env": {**ENVIRONMENT, **gpu},
        }
        return {"cls": Nanny, "options": options}


class Queue(Site):
    """Workers in jobs of a queue, with a scheduler in this process."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self._cluster: SpecCluster | None = None
        self.description = f"with up to {count(queue.workers, 'dask worker')} in jobs of {queue.name}"

    @property
    def slots(self) -> int:
        """Threads of all workers, when all have come."""
        return self._queue.slots

    @contextmanager
    def open(self) -> Iterator[Client]:
        """Asks for jobs when there is work; cancels them in the end."""
        with ExitStack() as stack:
            with _interrupts_held():
                self._cluster = stack.enter_context(self._queue.start(_dashboard_port()))
                client = stack.enter_context(Client(self._cluster, set_as_default=False))
            yield client

    def refusal(self) -> str | None:
        """What the queue said, where it has taken none of the jobs that are wanted now."""
        wanted = set() if self._cluster is None else set(self._cluster.worker_spec)
        refusals = self._queue.refusals
        return refusals[min(wanted)] if wanted and wanted <= refusals.keys() else None


class RunningScheduler(Site):
    """The workers of a scheduler that somebody else started, given by its address or file."""

    ours = False

    def __init__(self, scheduler: str | None) -> None:
        if scheduler is None:
            raise ConfigurationError(
                "executor.cluster: scheduler needs executor.scheduler, the address or the scheduler file of a running "
                "dask scheduler, such as tcp://host:8786"
            )
        self._address = _address(scheduler)
        self.description = f"on the dask scheduler {self._address}"

    @property
    def slots(self) -> None:
        """Known to the scheduler alone."""
        return

    @contextmanager
    def open(self) -> Iterator[Client]:
        """Connects; raises ConfigurationError where no scheduler answers."""
        try:
            client = Client(self._address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"executor.scheduler: no dask scheduler answers at {self._address} ({type(error).__name__}): start one "
                "with `dask scheduler`, and its workers with `dask worker ADDRESS`, or correct the address"
            ) from error
        with client:
            yield client


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back until everything that starts inside can be closed.

    The threads that start inside, and all processes that they ever start, never see a Ctrl-C: this process ends them.
    """
    resource_tracker.ensure_running()  # starting it later would let interrupts through again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    came: list[int] = []
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # threads from before take signals as well
        for kind in (signal.SIGINT, signal.SIGTERM):
            handlers[kind] = signal.signal(kind, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
    for number in came[:1]:
        signal.raise_signal(number)


def _dashboard_port() -> int:
    """dask's usual port, or 0 (any) where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", _DASHBOARD_PORT))
        except OSError:
            return 0
    return _DASHBOARD_PORT


def _address(scheduler: str) -> str:
    host, _, port = scheduler.rpartition(":")
    if "://" in scheduler or (host and port.isdecimal() and "/" not in scheduler):
        return scheduler
    try:
        return str(json.loads(Path(scheduler).expanduser().read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"executor.scheduler: {scheduler} is neither an address (tcp://host:8786) nor a scheduler file that can be "
            f"read ({type(error).__name__}: {error}); `dask scheduler --scheduler-file FILE` writes one"
        ) from error
