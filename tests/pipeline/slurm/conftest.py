"""Toy stages as SLURM jobs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import SlurmCluster

from pipeline.executors import slurm as executor


@pytest.fixture(autouse=True)
def _empty_queue(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves jobs behind."""
    yield
    if "slurm" in request.fixturenames:
        cluster: Any = request.getfixturevalue("slurm")
        cluster.cancel_all()


@pytest.fixture
def quick_slurm(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """SLURM whose jobs find the toy stages, asked often."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.setattr(executor, "_SHORTEST_PAUSE_SECONDS", 0.3)
    monkeypatch.setattr(executor, "_PAUSE_SHARE", 0.0)
    return slurm
