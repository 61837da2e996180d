"""Corrections on disk: what is read back, what is refused, and that nobody's word is lost."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.atomic import sweep
from pipeline.errors import StoreError
from stages.review.corrections import (
    BACKGROUND,
    UNTOUCHED,
    ConflictError,
    Correction,
    Corrections,
    corrections_file,
    read_corrections,
    write_corrections,
)

NOW = "2026-01-02T03:04:05+00:00"
ENTRIES = (
    Correction(2, 1, NOW, "Ada"),
    Correction(0, BACKGROUND, NOW),
    Correction(2, 0, NOW),
    Correction(1, 1, NOW),
    Correction(1, UNTOUCHED, NOW),
)
SAID = Corrections("room_1", "f" * 64, ENTRIES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with ``SAID`` in the folder of a run."""
    path = corrections_file(tmp_path, "room_1")
    write_corrections(path, SAID, expected=0)
    return path


def test_what_was_written_is_read_back(path: Path, tmp_path: Path) -> None:
    assert path == tmp_path / "corrections" / "room_1.json"
    assert read_corrections(path) == SAID
    values = json.loads(path.read_text())
    assert (values["format"], values["version"]) == ("boxgp.corrections", 1)
    assert values["entries"][0] == {"region": 2, "owner": 1, "when": NOW, "reviewer": "Ada"}


def test_the_last_word_on_a_region_counts() -> None:
    assert SAID.owners(regions=4, boxes=2).tolist() == [BACKGROUND, UNTOUCHED, 0, UNTOUCHED]
    assert replace(SAID, entries=()).owners(regions=2, boxes=0).tolist() == [UNTOUCHED] * 2


@pytest.mark.parametrize(
    ("regions", "boxes", "message"),
    [(2, 2, "entry 0 is about region 2, but there are 2 regions"), (3, 1, "entry 0 names box 1, but there are 1")],
)
def test_what_does_not_exist_is_refused(regions: int, boxes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SAID.owners(regions, boxes)


def _changed(**changes: Any) -> str:
    values = {"format": "boxgp.corrections", "version": 1, "scene": "room_1", "superpoints": "f", "entries": []}
    return json.dumps({**values, **changes})


def _entry(**changes: Any) -> str:
    return _changed(entries=[{"region": 0, "owner": 0, "when": NOW, "reviewer": None, **changes}])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is corrupt"),
        ('{"format": "boxgp.corr', "is corrupt"),
        ("[" * 100_000, "is corrupt"),
        ("\udce4", "is corrupt"),
        ("[]", "holds no corrections of boxgp"),
        (_changed(format="boxgp.pseudo_labels"), "holds no corrections of boxgp"),
        (_changed(version=2), "has version 2 of boxgp.corrections; this boxgp reads version 1: use the boxgp that"),
        (_changed(scene="room_2"), "holds the corrections of scene 'room_2'"),
        (_changed(superpoints=7), r"is corrupt \(superpoints is no text\)"),
        (_changed(entries={}), r"is corrupt \(entries are no list\)"),
        (_changed(entries=[3]), r"is corrupt \(entry 0 is none\)"),
        (_changed(entries=[{"region": 0, "owner": 0}]), r"is corrupt \('when' is missing\)"),
        (_entry(region=-1), "entry 0 has region -1 and owner 0"),
        (_entry(region=True), "entry 0 has region True"),
        (_entry(owner=-3), "and owner -3"),
        (_entry(owner=1.5), "and owner 1.5"),
        (_entry(when="yesterday"), "'yesterday'"),
        (_entry(reviewer=1), "reviewer is no text"),
        (_entry(other=1), "entry 0 is none"),
    ],
)
def test_other_files_are_refused_and_stay(path: Path, text: str, message: str) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))
    content = path.read_bytes()
    with pytest.raises(StoreError, match=message) as refused:
        read_corrections(path)
    assert str(path) in str(refused.value)
    assert "review the scene again" in str(refused.value)
    with pytest.raises(StoreError, match=message):
        write_corrections(path, SAID, expected=0)
    assert path.read_bytes() == content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"corrections/room_1.json cannot be read \(No such file"):
        read_corrections(corrections_file(tmp_path, "room_1"))


def test_another_number_of_entries_is_a_conflict(path: Path) -> None:
    shorter = replace(SAID, entries=ENTRIES[:1])
    for expected in (0, 4, 6):
        with pytest.raises(ConflictError, match=f"has 5 entries instead of {expected}: somebody else reviews"):
            write_corrections(path, shorter, expected=expected)
    assert read_corrections(path) == SAID
    write_corrections(path, shorter, expected=5)
    assert read_corrections(path) == shorter


def test_other_superpoints_are_a_conflict(path: Path) -> None:
    with pytest.raises(ConflictError, match="belongs to superpoints ffffffffffff, not 000000000000"):
        write_corrections(path, replace(SAID, superpoints="0" * 64), expected=5)
    assert read_corrections(path) == SAID


def test_without_entries_there_is_no_file(path: Path) -> None:
    nothing = replace(SAID, entries=())
    write_corrections(path, nothing, expected=5)
    assert not path.exists()
    write_corrections(path, nothing, expected=0)
    assert not path.exists()


def test_a_full_disk_keeps_what_was_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, text: str, encoding: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreError, match=r"room_1.json cannot be written: the disk is full"):
        write_corrections(path, replace(SAID, entries=(*ENTRIES, *ENTRIES)), expected=5)
    assert read_corrections(path) == SAID


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = corrections_file(tmp_path, "room_1")

    def review(regions: range) -> None:
        for region in regions:
            while True:
                present = read_corrections(path) if path.exists() else replace(SAID, entries=())
                more = replace(present, entries=(*present.entries, Correction(region, 0, NOW)))
                try:
                    write_corrections(path, more, expected=len(present.entries))
                    break
                except ConflictError:
                    continue

    writers = [threading.Thread(target=review, args=(range(start, 40, 4),)) for start in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    regions = [entry.region for entry in read_corrections(path).entries]
    assert sorted(regions) == list(range(40))


def test_what_a_killed_writer_left_is_swept(path: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os, socket; print(socket.gethostname(), os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    host, pid = ended.stdout.split()
    left = path.with_name(f".room_1.json@{host}@{pid}@1")
    left.write_text("{")
    assert sweep(tmp_path) == [left]
    assert read_corrections(path) == SAID
