"""The real scans through every executor: the same bytes, whoever computed them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.end_to_end.command import checksums, completed, results

SCANS = (
    *("scene0000_00", "scene0000_01", "scene0000_02", "scene0001_00", "scene0001_01", "scene0002_00"),
    *("scene0002_01", "scene0003_00", "scene0003_01", "scene0003_02", "scene0005_00", "scene0005_01"),
)
STAGES = 7
EXECUTORS = {
    "local": ("--workers", "2"),
    "dask": ("--executor", "dask", "--workers", "2"),
    "dask-slurm": ("--executor", "dask-slurm", "--workers", "2", "--set", "executor.jobs.walltime='00:20:00'"),
    "slurm": ("--executor", "slurm", "--set", "executor.time=20", "--set", "executor.scenes_per_job=3"),
}


@pytest.mark.real
@pytest.mark.slurm
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("slurm")
def test_twelve_scans(real_scans: Path, tmp_path: Path) -> None:
    scenes = ",".join(SCANS)
    found = {}
    for name, options in EXECUTORS.items():
        line = ("run", "folder", "--set", f"scenes.path={real_scans}", "--scenes", scenes, "--output", name)
        completed(*line, *options, cwd=tmp_path)
        assert len(results(tmp_path / name)) == (STAGES - 1) * len(SCANS) + 1
        found[name] = checksums(tmp_path / name)
        digest = hashlib.sha256(repr(sorted(found[name].items())).encode()).hexdigest()
        print(f"{name:12} {len(found[name])} stores, sha256 of their checksums {digest}")
    assert len(found["local"]) == (STAGES - 1) * len(SCANS) + 1
    assert [name for name, files in found.items() if files != found["local"]] == []
