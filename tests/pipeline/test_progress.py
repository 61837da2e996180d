"""Lines and bars."""

from __future__ import annotations

import io

import pytest

from pipeline.progress import BarProgress, PlainProgress, progress_on, watched
from pipeline.records import Record, TaskOutcome


def _record(outcome: TaskOutcome) -> Record:
    return Record("features", 0, "a", outcome, None)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines() -> None:
    stream, moments = io.StringIO(), iter([0.0, 1.0, 5.0, 6.0, 130.0, 7400.0])
    progress = PlainProgress(stream, clock=lambda: next(moments))
    with progress:
        progress.start("features", 4, 2)
        for outcome in (TaskOutcome.DONE, TaskOutcome.FAILED, TaskOutcome.BLOCKED, TaskOutcome.DONE):
            progress.advance(_record(outcome))
        progress.finish()
    assert stream.getvalue().splitlines() == [
        "features: 4 to do, 2 done before",
        "features: 2/4, 1 failed, 5 s elapsed, about 5 s remaining",
        "features: 4/4 in 2 h 03 min, 1 failed, 1 blocked",
    ]


def test_each_stage_counts_anew() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=lambda: 65.0)
    for stage in ("features", "posteriors"):
        progress.start(stage, 1, 0)
        progress.advance(_record(TaskOutcome.FAILED))
        progress.finish()
    assert stream.getvalue().splitlines()[-2:] == ["posteriors: 1 to do", "posteriors: 1/1 in 0 s, 1 failed"]


def test_nothing_to_do_is_one_line() -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream)
    progress.start("features", 0, 3)
    progress.finish()
    assert stream.getvalue() == "features: 0 to do, 3 done before\n"


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    stream = _Terminal()
    progress = progress_on(stream)
    assert isinstance(progress, BarProgress)
    with progress:
        progress.start("features", 2, 1)
        progress.advance(_record(TaskOutcome.FAILED))
        progress.advance(_record(TaskOutcome.DONE))
        progress.finish()
    text = stream.getvalue()
    assert "features" in text
    assert "3/3" in text
    assert "1 failed" in text


def test_lines_elsewhere() -> None:
    assert isinstance(progress_on(io.StringIO()), PlainProgress)


def test_watching_says_nothing_of_what_is_quick() -> None:
    stream = io.StringIO()
    assert list(watched([1, 2, 3], "scenes", stream)) == [1, 2, 3]
    assert stream.getvalue() == ""


def test_watching_says_now_and_then_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0.0, 1.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr("pipeline.progress.time.monotonic", lambda: next(moments))
    stream = io.StringIO()
    assert list(watched("abc", "scenes", stream)) == ["a", "b", "c"]
    assert stream.getvalue() == "scenes: 1/3\n"


def test_watching_on_a_terminal_gives_every_item(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    assert list(watched([1, 2], "scenes", stream)) == [1, 2]
