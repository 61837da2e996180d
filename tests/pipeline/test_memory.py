"""Peak memory and software versions."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline import provenance
from pipeline.memory import PeakMemory
from pipeline.provenance import git_commit, software_versions

MEBIBYTE = 2**20


def test_peak_is_that_of_the_task() -> None:
    memory = PeakMemory()
    if memory.scope != "task":
        pytest.skip("this system cannot reset the peak")
    block = bytearray(b"x") * (150 * MEBIBYTE)
    high = memory.bytes()
    del block
    memory.reset()
    low = memory.bytes()
    assert high - low > 100 * MEBIBYTE
    assert low > MEBIBYTE


def test_peak_of_the_process_where_it_cannot_be_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    memory = PeakMemory()
    assert memory.scope == "process"
    assert memory.bytes() > MEBIBYTE


def test_versions() -> None:
    versions = software_versions()
    assert versions["python"] == platform.python_version()
    assert {"boxgp", "numpy", "zarr"} <= set(versions)


def test_no_commit_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git_commit.cache_clear()
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "pipeline" / "provenance.py"))
    assert git_commit() is None
    git_commit.cache_clear()
