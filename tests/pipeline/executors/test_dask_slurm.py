"""Dask workers as jobs of a real SLURM: jobs that are refused or cancelled, logs, what is left behind."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from toy_stages import Toy, array_bytes, complete, plan_of

from pipeline.errors import ConfigurationError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask import DaskClusterExecutor
from pipeline.progress import Progress
from pipeline.run import run_plan

pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm")]
ROOT = Path(__file__).parents[3]
SCENES = {f"scene_{number}": f"{number} 1" for number in range(6)}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Below a folder whose name has to be quoted."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tests' / 'pipeline'}:{ROOT}")
    (current := tmp_path / "current").mkdir()
    monkeypatch.chdir(current)
    toy = Toy(tmp_path / "it's mine", SCENES)
    toy.write()
    return toy


def _executor(toy: Toy, **jobs: Any) -> DaskClusterExecutor:
    options = {"queue": "debug", "memory": "500MB", "walltime": "00:10:00", "interface": "lo", **jobs}
    return DaskClusterExecutor(DaskExecutor(cluster="slurm", workers=2, jobs=options), toy.output)


def _jobs(*states: str) -> list[str]:
    command = ["squeue", "--noheader", "--format=%A", *(f"--states={state}" for state in states)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


class _CancelAJob(Progress):
    """Cancels a running job a moment after stage `double` has begun."""

    def __init__(self) -> None:
        self.cancelled = ""
        self._timer = threading.Timer(0.7, self._cancel)

    def start(self, stage: str, total: int, kept: int) -> None:  # noqa: ARG002 (the interface)
        if stage == "double":
            self._timer.start()

    def _cancel(self) -> None:
        self.cancelled = _jobs("RUNNING")[0]
        subprocess.run(["scancel", self.cancelled], check=True)

    def __exit__(self, *_: object) -> None:
        self._timer.join()


def test_a_job_that_is_cancelled_costs_time_alone(toy: Toy, tmp_path: Path) -> None:
    sections = {"double": {"seconds": 1.0}}
    progress = _CancelAJob()
    executor = _executor(toy)
    assert executor.description == "with up to 2 dask workers in jobs of slurm"
    outcome = run_plan(plan_of(toy, sections), executor, progress)
    assert progress.cancelled
    assert (outcome.exit_code, outcome.failed) == (0, [])
    other = Toy(tmp_path / "other", SCENES)
    other.write()
    complete(plan_of(other, sections))
    assert array_bytes(toy.output) == array_bytes(other.output)
    assert list(Path.cwd().iterdir()) == []
    logs = toy.output / "logs" / "dask"
    assert f"dask-worker-{progress.cancelled}.err" in {path.name for path in logs.iterdir()}
    assert "CANCELLED" in (logs / f"dask-worker-{progress.cancelled}.err").read_text()
    assert _jobs("PENDING", "RUNNING") == []


def test_a_job_that_slurm_does_not_take(toy: Toy) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)the queue takes no jobs; correct executor\.jobs.*partition"):
        run_plan(plan_of(toy), _executor(toy, queue="nowhere"), Progress())
    assert not (toy.output / "failures").exists()
