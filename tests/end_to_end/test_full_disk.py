"""A full disk costs results, never half of one: readable messages, and the next run completes it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOMS, assert_complete, boxgp, completed, differences, results, temporaries
from tests.end_to_end.disk import fill_up, free_bytes, small_file_system

_DISK = "32m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of ``_DISK`` bytes, in memory."""
    with small_file_system(tmp_path / "disk", _DISK) as disk:
        yield disk


@pytest.mark.slow
@pytest.mark.parametrize(("share", "workers"), [(0.1, "0"), (0.3, "0"), (0.6, "2"), (0.9, "0")])
def test_a_disk_that_fills_up(share: float, workers: str, undisturbed: Path, small_disk: Path) -> None:
    """``share`` is the part of what the run needs for which there is space."""
    output = Path(shutil.copytree(undisturbed, small_disk / "out"))
    free = free_bytes(small_disk)
    shutil.rmtree(output)
    needed = free_bytes(small_disk) - free
    filler = fill_up(small_disk, int(share * needed))
    line = ("run", *ROOMS, "--output", output, "--workers", workers)

    ended = boxgp(*line, cwd=small_disk.parent)
    assert ended.code == 1, ended.out + ended.err
    assert re.search(
        r"^  (room_000.|\(all scenes\)), \w+: .* the disk is full: free some space, then run again$", ended.out, re.M
    )
    assert temporaries(output) == []
    left = results(output)
    assert len(left) < len(results(undisturbed))
    for result in left:
        assert_complete(result)

    filler.unlink()
    completed(*line, cwd=small_disk.parent)
    assert differences(output, undisturbed) == []
    assert "no failures" in completed("failures", output, cwd=small_disk.parent).out


@pytest.mark.slow
def test_a_disk_without_any_space(small_disk: Path) -> None:
    fill_up(small_disk, 0)
    ended = boxgp("run", *ROOMS, "--output", small_disk / "out", cwd=small_disk.parent)
    assert ended.code == 2
    assert "boxgp: the output folder " in ended.err
    assert "the disk is full: free some space, then run again" in ended.err
    assert results(small_disk / "out") == []


@pytest.mark.slow
def test_a_read_only_disk(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ended = boxgp("run", *ROOMS, "--output", small_disk / "out", cwd=small_disk.parent)
    assert ended.code == 2
    assert "the file system is read-only: choose another output folder" in ended.err
