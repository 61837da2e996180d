"""What is remembered of results never hides that they were replaced, torn or removed."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pipeline import known
from pipeline.known import finding, found_in
from pipeline.stage import Array, Result
from pipeline.store import DATA, MANIFEST, commit, fingerprint_of

NAMES = ("a", "b", "c", "d")


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "WORTH", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        store(tmp_path / "out" / "stage" / name, f"print of {name}")
    return tmp_path / "out" / "stage"


@pytest.fixture
def memory(folder: Path) -> Path:
    """What was remembered when all was well."""
    path = folder.parent / "memory.json"
    assert found_in(folder, NAMES, path) == {name: f"print of {name}" for name in NAMES}
    return path


def store(result: Path, fingerprint: str) -> None:
    values = np.arange(len(fingerprint), dtype=np.float32)
    commit(result, Result({"value": Array(values, ("value",))}), {"fingerprint": fingerprint})


def test_what_is_remembered_is_not_read_again(folder: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "fingerprint_of", lambda _: pytest.fail("a result was read"))
    assert found_in(folder, NAMES, memory) == {name: f"print of {name}" for name in NAMES}


def test_only_what_was_asked_for_is_found(folder: Path, memory: Path) -> None:
    assert found_in(folder, ["b", "unknown"], memory) == {"b": "print of b"}


def test_whatever_happens_to_results_is_seen(folder: Path, memory: Path) -> None:
    store(folder / "a", "another")
    os.truncate(folder / "b" / DATA, 10)
    (folder / "c" / MANIFEST).unlink()
    os.truncate(folder / "d" / MANIFEST, 20)
    assert found_in(folder, NAMES, memory) == {"a": "another"}
    shutil.rmtree(folder)
    assert found_in(folder, NAMES, memory) == {}


def test_a_torn_result_that_was_computed_again_is_found(folder: Path, memory: Path) -> None:
    os.truncate(folder / "b" / DATA, 10)
    assert "b" not in found_in(folder, NAMES, memory)
    store(folder / "b", "print of b")
    assert found_in(folder, NAMES, memory)["b"] == fingerprint_of(folder / "b") == "print of b"


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": ""}', json.dumps({"a": "0 0 0 0 wrong"})])
def test_a_spoilt_memory_is_as_good_as_none(content: str, folder: Path, memory: Path) -> None:
    memory.write_text(content)
    assert found_in(folder, NAMES, memory) == {name: f"print of {name}" for name in NAMES}


def test_few_results_leave_no_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "WORTH", len(NAMES) + 1)
    found_in(folder, NAMES, folder.parent / "memory.json")
    assert not (folder.parent / "memory.json").exists()


def test_a_memory_that_cannot_be_written_is_no_error(folder: Path) -> None:
    (folder.parent / "file").write_text("")
    assert len(found_in(folder, NAMES, folder.parent / "file" / "memory.json")) == len(NAMES)


@pytest.mark.parametrize("many", [1, 100])
def test_processes_find_the_same(many: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MANY", many)
    nowhere = folder.parent / "round_00" / "nowhere"
    with finding([folder, nowhere], NAMES, folder.parent) as find:
        assert find(nowhere) == {}
        assert find(folder) == {name: f"print of {name}" for name in NAMES}


def killed_unless_first(folder: Path, names: Sequence[str], memory: Path) -> dict[str, str]:
    """As ``found_in`` in the process that plans; any other is killed, as when memory runs out."""
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return found_in(folder, names, memory)


def no_process(*_: object) -> None:
    raise OSError(12, "Cannot allocate memory")


@pytest.mark.parametrize("killed", [True, False])
def test_without_processes_this_one_looks(
    killed: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(known, "MANY", 1)
    if killed:
        monkeypatch.setattr(known, "found_in", killed_unless_first)
    else:
        monkeypatch.setattr(ProcessPoolExecutor, "_spawn_process", no_process)
    second = folder.parent / "second"
    store(second / "b", "print of another b")
    with caplog.at_level(logging.WARNING), finding([folder, second], NAMES, folder.parent) as find:
        assert find(folder) == {name: f"print of {name}" for name in NAMES}
        assert find(second) == {"b": "print of another b"}
    (message,) = caplog.messages
    assert message.startswith("processes that look for results were killed or could not start (")


def test_each_folder_is_listed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    listdir = os.listdir

    def noted(path: Path) -> list[str]:
        listed.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", noted)
    with finding([folder], NAMES, folder.parent) as find:
        find(folder)
    assert listed == [folder]
