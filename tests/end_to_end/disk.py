"""Small file systems that fill up."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_file_system(disk: Path, size: str) -> Iterator[Path]:
    """An empty file system of ``size`` in memory, mounted at the new folder ``disk``; skips where that cannot be."""
    disk.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def free_bytes(disk: Path) -> int:
    """What can still be written."""
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize


def fill_up(disk: Path, left: int) -> Path:
    """Writes a file that leaves ``left`` bytes, or fewer where others write at the same time, and returns it."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        while (wanted := free_bytes(disk) - left) > 0:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), wanted)
            except OSError:  # somebody else has written meanwhile
                continue
            file.seek(wanted, os.SEEK_CUR)
    return filler
