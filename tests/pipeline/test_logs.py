"""What ends up in a log, and what stays on the terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from pipeline.logs import LOGGER, LogContext, task_log

START = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\w+) double round=1 scene=(\w+) attempt=2: (.*)")


@pytest.fixture
def context() -> LogContext:
    return LogContext("double", 1, "a", 2)


@contextmanager
def _logging(folder: Path, context: LogContext) -> Iterator[list[tuple[str, ...]]]:
    """Fills the list with (level, scene, message) of each line in the end."""
    lines: list[tuple[str, ...]] = []
    with task_log(folder / "logs" / "x.log", context):
        yield lines
    for line in (folder / "logs" / "x.log").read_text().splitlines():
        found = START.fullmatch(line)
        assert found is not None, line
        lines.append(found.groups())


def test_every_line_of_a_traceback_has_its_start(tmp_path: Path, context: LogContext) -> None:
    with _logging(tmp_path, context) as lines:
        try:
            raise ValueError("two\nlines")
        except ValueError as error:
            LOGGER.error("failed", exc_info=error)
    assert lines[0] == ("ERROR", "a", "failed")
    assert lines[1] == ("ERROR", "a", "Traceback (most recent call last):")
    assert lines[-2:] == [("ERROR", "a", "ValueError: two"), ("ERROR", "a", "lines")]


def test_prints_are_logged(tmp_path: Path, context: LogContext, capfd: pytest.CaptureFixture[str]) -> None:
    with _logging(tmp_path, context) as lines:
        print("one\ntwo", end="", flush=True)
        print(" and a half")
        context.scene = "b"
        print("thr\u00e9e", file=sys.stderr)
        sys.stdout.buffer.write(b"bytes \xff\n")
        print()
        print("the rest", end="")
    assert lines == [
        ("INFO", "a", "stdout: one"),
        ("INFO", "a", "stdout: two and a half"),
        ("INFO", "b", "stderr: thr\u00e9e"),
        ("INFO", "b", "stdout: bytes \ufffd"),
        ("INFO", "b", "stdout: the rest"),
    ]
    assert capfd.readouterr() == ("", "")
    print("afterwards")
    assert capfd.readouterr().out == "afterwards\n"


def test_of_a_progress_bar_the_last_state_is_logged(tmp_path: Path, context: LogContext) -> None:
    with _logging(tmp_path, context) as lines:
        for state in range(5):
            print(f"\r{state}/4", end="", file=sys.stderr)
        print("\r\n", end="", file=sys.stderr)
    assert lines == [("INFO", "a", "stderr: 4/4")]


def test_a_library_may_log_to_the_stream_it_finds(tmp_path: Path, context: LogContext) -> None:
    root = logging.getLogger()
    before = root.handlers[:]
    with _logging(tmp_path, context) as lines:
        root.addHandler(logging.StreamHandler(sys.stderr))
        LOGGER.warning("once")
        print("twice", file=sys.stderr)
    assert lines[:2] == [("WARNING", "a", "once"), ("INFO", "a", "stderr: once")]
    assert lines[2] == ("INFO", "a", "stderr: twice")
    assert root.handlers == before


def test_a_stream_that_was_closed(tmp_path: Path, context: LogContext, capfd: pytest.CaptureFixture[str]) -> None:
    with _logging(tmp_path, context) as lines:
        print("last words")
        sys.stdout.close()
    assert lines == [("INFO", "a", "stdout: last words")]
    print("alive")
    assert capfd.readouterr().out == "alive\n"


def test_a_kept_stream_does_no_harm(tmp_path: Path, context: LogContext) -> None:
    with _logging(tmp_path, context):
        kept = sys.stderr
    print("too late", file=kept)
    with _logging(tmp_path, context) as lines:
        print("of the next task", file=kept)
    assert lines == [("INFO", "a", "stderr: of the next task")]


def test_no_place_for_a_log(tmp_path: Path, context: LogContext) -> None:
    (tmp_path / "logs").write_text("")
    with pytest.raises(StoreError, match="a file stands where a folder is needed"), _logging(tmp_path, context):
        pass
