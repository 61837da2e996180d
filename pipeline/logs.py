"""The log of a chunk: one file, each line with time, level, stage, round, scene and attempt."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from pipeline.atomic import writing

LOGGER = logging.getLogger("boxgp")


@dataclass
class LogContext:
    """What the lines of a log are about; the worker changes scene and attempt as it goes on."""

    stage: str
    round: int
    scene: str
    attempt: int


def moment(seconds: float) -> str:
    """A time (as of ``time.time``) in UTC: 2026-01-31T23:59:59.123456Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Formatter(logging.Formatter):
    def __init__(self, context: LogContext) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        context = self._context
        start = (
            f"{moment(record.created)} {record.levelname} {context.stage} round={context.round} "
            f"scene={context.scene} attempt={context.attempt}: "
        )
        lines = record.getMessage().splitlines() or [""]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        return "\n".join(start + line for line in lines)


@contextmanager
def task_log(path: Path, context: LogContext) -> Iterator[None]:
    """Sends everything logged, warned or printed inside to the end of ``path``, and nothing of it to the terminal.

    Only Python's own prints: what C code or a child process writes to the file descriptors 1 and 2 passes by.
    """
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
        with warnings.catch_warnings(), _printed("stdout") as out, _printed("stderr") as err:
            warnings.showwarning = _log_warning
            with redirect_stdout(out), redirect_stderr(err):
                yield
    finally:
        root.handlers, logging.raiseExceptions = handlers, raises
        root.setLevel(level)
        with suppress(OSError):
            handler.close()


class _Lines(io.BufferedIOBase):
    """Logs each line that is written to it; of a progress bar, which is written over and over, the last state."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._rest = b""
        self._logging = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        for line in lines:
            self._log(line)
        return len(data)

    def end(self) -> None:
        """Logs what no end of line followed."""
        rest, self._rest = self._rest, b""
        self._log(rest)

    def _log(self, line: bytes) -> None:
        text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        if not text.strip() or self._logging:  # a library may log to the stream that it found here
            return
        self._logging = True
        try:
            LOGGER.info("%s: %s", self.name, text)
        finally:
            self._logging = False


@contextmanager
def _printed(name: str) -> Iterator[TextIO]:
    """A stream that logs. It is never closed: libraries keep the streams that they find when they are imported."""
    lines = _Lines(name)
    stream = io.TextIOWrapper(lines, encoding="utf-8", errors="backslashreplace", write_through=True)
    try:
        yield stream
    finally:
        with suppress(ValueError):  # closed by a stage
            stream.flush()
        lines.end()


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
