"""The log of a task: one file, each line with time, level, stage, round, scene and attempt."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pipeline.atomic import writing

LOGGER = logging.getLogger("boxgp")


@dataclass
class LogContext:
    """What the lines of a log are about; the worker changes scene and attempt as it goes on."""

    stage: str
    round: int
    scene: str
    attempt: int


class _Formatter(logging.Formatter):
    def __init__(self, context: LogContext) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        context = self._context
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        start = (
            f"{moment} {record.levelname} {context.stage} round={context.round} scene={context.scene} "
            f"attempt={context.attempt}: "
        )
        lines = record.getMessage().splitlines() or [""]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(start + line for line in lines)


@contextmanager
def task_log(path: Path, context: LogContext) -> Iterator[None]:
    """Sends everything logged or warned inside to the end of ``path``, and nothing of it to the terminal."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Formatter(context))
    root = logging.getLogger()
    handlers, level, raises = root.handlers, root.level, logging.raiseExceptions
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False  # a log that cannot be written (full disk) must not fail the scene
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _log_warning
            yield
    finally:
        root.handlers, logging.raiseExceptions = handlers, raises
        root.setLevel(level)
        with suppress(OSError):
            handler.close()


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del file, line  # part of the interface of warnings.showwarning
    LOGGER.warning("%s: %s (%s:%d)", category.__name__, message, filename, lineno)
