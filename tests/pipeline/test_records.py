"""Records on their way from a worker to whoever started the run."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from pipeline.errors import StoreError
from pipeline.records import Record, TaskOutcome, record_from_json, record_from_manifest, record_to_json

RECORDS = [
    Record("features", 1, "a", TaskOutcome.DONE, "f", 2, 0.1, 100, "task", {"regions": 0.1}, ("careful",)),
    Record("features", 0, "b", TaskOutcome.FAILED, None, message="no"),
    Record("features", 0, "c", TaskOutcome.BLOCKED, None, message="not tried"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_records_come_back(record: Record) -> None:
    assert record_from_json(json.loads(json.dumps(record_to_json(record)))) == record
    assert pickle.loads(pickle.dumps(record)) == record


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        "done",
        {"outcome": "done", "warnings": []},
        record_to_json(RECORDS[0]) | {"outcome": "else"},
        record_to_json(RECORDS[0]) | {"more": 1},
        record_to_json(RECORDS[0]) | {"warnings": None},
    ],
)
def test_anything_else_is_refused(values: Any) -> None:
    with pytest.raises(StoreError, match="no record of boxgp"):
        record_from_json(values)


def test_a_manifest_is_the_record_of_a_result() -> None:
    manifest = record_to_json(RECORDS[0]) | {"version": 1, "config": {}, "host": "h"}
    assert record_from_manifest(manifest, TaskOutcome.DONE) == RECORDS[0]
    assert record_from_manifest(manifest).outcome is TaskOutcome.KEPT
