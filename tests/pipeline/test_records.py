"""Records, failures and statistics."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.records import (
    Failure,
    Record,
    RunStatistics,
    TaskOutcome,
    clear_failure,
    read_failures,
    read_record,
    read_records,
    write_failure,
    write_record,
    write_statistics,
)

RECORD = Record("features", 0, "a", TaskOutcome.DONE, "f", 2, 0.1, 100, "task", {"regions": 0.1}, ("careful",))
RECORDS = [
    RECORD,
    Record("features", 0, "b", TaskOutcome.FAILED, None, message="no"),
    Record("features", 0, "c", TaskOutcome.DONE, "g", seconds=1e16, peak_memory_bytes=50, statistics={"regions": 1e16}),
    Record(
        "superpoints", 0, "a", TaskOutcome.KEPT, "h", seconds=0.3, statistics={"regions": -1e16, "bad": float("nan")}
    ),
    Record("features", 0, "d", TaskOutcome.DONE, "i", statistics={"regions": -1e16, "pairs": 2.0}),
]
FAILURE = Failure("features", 0, "a", "ValueError", "no", False, "Traceback", "logs/x.log", {"scenes": "/s"}, ("/f",))


def test_records_come_back(tmp_path: Path) -> None:
    for record in reversed(RECORDS[:3]):
        write_record(tmp_path, record)
    assert list(read_records(tmp_path)) == RECORDS[:3]
    assert read_record(tmp_path, "features", "b") == RECORDS[1]
    assert read_record(tmp_path, "features", "z") is None


def test_the_last_record_of_a_task_counts(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    write_record(tmp_path, replace(RECORD, outcome=TaskOutcome.KEPT))
    assert [record.outcome for record in read_records(tmp_path)] == [TaskOutcome.KEPT]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"outcome": "done"}', '{"outcome": "else", "warnings": []}'])
def test_broken_records_are_passed_over(tmp_path: Path, text: str) -> None:
    write_record(tmp_path, RECORD)
    (tmp_path / "records" / "features" / "b.json").write_text(text)
    assert list(read_records(tmp_path)) == [RECORD]


def test_failures_come_and_go(tmp_path: Path) -> None:
    assert read_failures(tmp_path) == []
    later = replace(FAILURE, scene="b")
    write_failure(tmp_path, later)
    write_failure(tmp_path, FAILURE)
    assert read_failures(tmp_path) == [FAILURE, later]
    clear_failure(tmp_path, "features", "a")
    clear_failure(tmp_path, "features", "a")
    assert read_failures(tmp_path) == [later]


def test_statistics_do_not_depend_on_order_or_grouping() -> None:
    """Floating-point sums would: 0.1 + 1e16 - 1e16 has three values."""
    everything = RunStatistics.of(RECORDS)
    for order in itertools.permutations(RECORDS):
        for cut in range(len(order)):
            assert RunStatistics.of(order[:cut]) + RunStatistics.of(order[cut:]) == everything
    assert everything.plain()["features"]["statistics"] == {"pairs": 2.0, "regions": 0.1}


def test_statistics_file(tmp_path: Path) -> None:
    for record in RECORDS:
        write_record(tmp_path, record)
    write_statistics(tmp_path)
    statistics = json.loads((tmp_path / "stats.json").read_text())
    assert statistics["features"]["outcomes"] == {"done": 3, "failed": 1}
    assert statistics["features"]["peak_memory_bytes"] == 100
    assert statistics["features"]["warnings"] == 1
    assert statistics["superpoints"] == {
        "outcomes": {"kept": 1},
        "seconds": 0.3,
        "peak_memory_bytes": 0,
        "warnings": 0,
        "statistics": {"regions": -1e16},
    }
