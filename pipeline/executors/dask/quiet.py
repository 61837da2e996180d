"""Keeps dask from leaving its words and files about, and sets what its schedulers and workers inherit."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import dask

from pipeline.executors.dask.child import ENVIRONMENT

_SETTINGS = {
    "distributed.scheduler.allowed-failures": 5,  # workers that may be lost over one chunk
    "distributed.worker.daemon": False,  # a worker has a child, which a daemon may not have
    "distributed.admin.large-graph-warning-threshold": "1GB",
}
_INHERITED = {**ENVIRONMENT, "DASK_DISTRIBUTED__WORKER__DAEMON": "False", "DASK_LOGGING__DISTRIBUTED": "critical"}
_LOGGERS = (
    "distributed", "distributed.client", "distributed.gc", "dask_jobqueue", "bokeh", "tornado", "tornado.application",
    "asyncio",
)  # fmt: skip


class _LogFile(logging.FileHandler):
    """Makes its folder when there is something to write; what cannot be written is lost, the run goes on."""

    def _open(self) -> TextIOWrapper:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 (logging's name)
        return


@contextmanager
def quiet(log: Path) -> Iterator[None]:
    """Inside, what dask logs goes to the file ``log``; its other files lie in a temporary folder until the end.

    Processes that start inside inherit one thread and import nothing from the current folder.
    """
    before = {name: os.environ.get(name) for name in _INHERITED}
    os.environ.update(_INHERITED)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="boxgp-dask-", ignore_cleanup_errors=True) as folder,
            warnings.catch_warnings(),
            dask.config.set({**_SETTINGS, "temporary-directory": folder}),
            _logging_to(log),
        ):
            # in every thread: dask's own threads are those that warn
            warnings.filterwarnings("ignore", module=r"(distributed|dask_jobqueue|tornado|bokeh)\b")
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _logging_to(log: Path) -> Iterator[None]:
    handler = _LogFile(log, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate
        handler.close()
