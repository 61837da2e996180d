"""Whole files or none, and what remains of killed processes."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.atomic import sweep, temporary_sibling, write_text_atomic
from pipeline.errors import StoreError


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_text_replaces_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "stats.json"
    write_text_atomic(path, "one")
    write_text_atomic(path, "zwei ä")
    assert path.read_text(encoding="utf-8") == "zwei ä"
    assert [entry.name for entry in path.parent.iterdir()] == ["stats.json"]


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stats.json"
    write_text_atomic(path, "old")

    def full(self: Path, text: str, encoding: str) -> int:
        self.write_bytes(text[:1].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StoreError, match=r"stats.json cannot be written: the disk is full: free some space"):
        write_text_atomic(path, "new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "records").write_text("")
    with pytest.raises(StoreError, match=r"records/a.json cannot be written: a file stands where a folder is needed"):
        write_text_atomic(tmp_path / "records" / "a.json", "")


def test_a_dead_process_that_nobody_waited_for_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        left = tmp_path / f".a@{socket.gethostname()}@{process.pid}@1"
        left.mkdir()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        os.kill(process.pid, 0)  # its number is still taken
        assert sweep(tmp_path) == [left]


def test_sweep_removes_what_the_dead_left(tmp_path: Path) -> None:
    host, dead = socket.gethostname(), _dead_pid()
    stage = tmp_path / "round_00" / "features"
    stage.mkdir(parents=True)
    torn = stage / f".a@{host}@{dead}@123"
    torn.mkdir()
    (torn / "data.zarr.zip").touch()
    dataset = tmp_path / "round_00" / f".total@{host}@{dead}@4"
    dataset.mkdir()
    text = tmp_path / f".stats.json@{host}@{dead}@5"
    text.write_text("")
    ours = temporary_sibling(stage / "b")
    ours.mkdir()
    elsewhere = stage / f".c@elsewhere@{dead}@6"
    elsewhere.mkdir()
    old = stage / f".d@elsewhere@{dead}@7"
    old.mkdir()
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    reused = stage / f".e@{host}@{os.getpid()}@8"  # by a process that died before this one got its number
    reused.mkdir()
    os.utime(reused, (yesterday, yesterday))
    (stage / "result").mkdir()
    (stage / ".hidden").mkdir()
    assert set(sweep(tmp_path)) == {torn, dataset, text, old, reused}
    assert set(stage.iterdir()) == {ours, elsewhere, stage / "result", stage / ".hidden"}
    assert sweep(tmp_path / "nowhere") == []
