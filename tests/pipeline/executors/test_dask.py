"""Runs on dask workers of this machine: workers that are lost, interrupts, decoys, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process_groups import wait_for_the_end_of_group
from toy_stages import Toy, array_bytes, complete, plan_of

from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask import DaskClusterExecutor, quiet
from pipeline.executors.dask.executor import _Link
from pipeline.failures import read_failures
from pipeline.progress import Progress
from pipeline.run import run_plan
from pipeline.tasks import Reason

SCENES = {f"scene_{number}": f"{number} 1 {'2 ' * number}" for number in range(6)}
RUN = Path(__file__).parent / "run_dask_toy.py"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, which has to be empty in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield folder
    assert [path.name for path in folder.iterdir()] == []


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    toy = Toy(tmp_path / "toy", SCENES)
    toy.write()
    return toy


class _Meddling(Progress):
    """Does something in a thread, a moment after a stage has begun."""

    def __init__(self, stage: str, action: Any, after: float = 0.5) -> None:
        self._stage = stage
        self._timer = threading.Timer(after, action)

    def start(self, stage: str, total: int, kept: int) -> None:  # noqa: ARG002 (the interface)
        if stage == self._stage:
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.join()


def _link(executor: DaskClusterExecutor) -> _Link:
    assert executor._link is not None
    return executor._link


def _kill_a_worker(executor: DaskClusterExecutor) -> None:
    pids = _link(executor).client.run(os.getpid)
    os.kill(next(iter(pids.values())), signal.SIGKILL)


def _reference(toy: Toy, tmp_path: Path, **sections: Any) -> dict[str, bytes]:
    other = Toy(tmp_path / "other", SCENES)
    other.write()
    complete(plan_of(other, sections))
    return array_bytes(other.output)


@pytest.mark.slow
def test_a_worker_that_is_lost_costs_time_alone(toy: Toy, tmp_path: Path) -> None:
    executor = DaskClusterExecutor(DaskExecutor(workers=2), toy.output)
    progress = _Meddling("double", lambda: _kill_a_worker(executor))
    outcome = run_plan(plan_of(toy, {"double": {"seconds": 0.6}}), executor, progress)
    assert (outcome.exit_code, outcome.failed) == (0, [])
    assert sum(counts.total() for counts in outcome.counts.values()) == 3 * len(SCENES) + 2
    assert array_bytes(toy.output) == _reference(toy, tmp_path, double={"seconds": 0.6})


@pytest.mark.slow
def test_a_task_that_costs_workers_ends_as_failed(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a task does ends a worker; a node that dies each time does."""
    monkeypatch.setitem(quiet._SETTINGS, "distributed.scheduler.allowed-failures", 0)
    executor = DaskClusterExecutor(DaskExecutor(workers=1), toy.output)
    progress = _Meddling("double", lambda: _kill_a_worker(executor))
    outcome = run_plan(plan_of(toy, {"double": {"seconds": 1.0}}), executor, progress)
    assert outcome.exit_code == 1
    failures = [failure for failure in read_failures(toy.output) if failure.stage == "double"]
    # the scene that it worked on, and the next one where that was waiting at the worker already
    assert 1 <= len(failures) <= 2
    for failure in failures:
        assert (failure.error, failure.expected) == ("SceneError", True)
        assert "1 dask workers were lost while they worked on it" in failure.message
        assert str(toy.output / "logs" / "dask") in failure.message


def test_nothing_to_do_starts_nothing(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    complete(plan_of(toy))
    executor = DaskClusterExecutor(DaskExecutor(workers=3), toy.output)
    assert (executor.description, executor.slots) == ("with 3 dask workers", 3)
    assert run_plan(plan_of(toy), executor, Progress()).exit_code == 0
    assert executor._link is None
    assert capsys.readouterr().err == ""


class TestWorkersOfThisMachine:
    @pytest.fixture(autouse=True)
    def _dashboard_port_is_taken(self) -> Iterator[None]:
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", 8787))
                listener.listen()
            except OSError:
                pass  # it is taken by somebody else
            yield

    def test_environment_gpus_and_dashboard(
        self, toy: Toy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
        before = dict(os.environ)
        (current := tmp_path / "current").mkdir()
        monkeypatch.chdir(current)
        executor = DaskClusterExecutor(DaskExecutor(), toy.output)
        assert executor.slots == 2
        try:
            client = executor._linked().client
            for name, values in {
                "CUDA_VISIBLE_DEVICES": ["4", "6"],
                "OMP_NUM_THREADS": ["1", "1"],
                "PYTHONSAFEPATH": ["1", "1"],
            }.items():
                assert sorted(client.run(os.getenv, name).values()) == values
            assert sorted(client.nthreads().values()) == [1, 1]
            assert all(address.startswith("tcp://127.0.0.1:") for address in client.nthreads())
        finally:
            executor.close()
        error = capfd.readouterr().err
        assert error.startswith("dashboard: http://127.0.0.1:")
        assert ":8787" not in error
        assert error.count("\n") == 1
        assert list(current.iterdir()) == []
        assert dict(os.environ) == before


def _program(toy: Toy, seconds: float, **options: Any) -> tuple[list[str], dict[str, str]]:
    command = [sys.executable, str(RUN), str(toy.folder), str(seconds), json.dumps({"workers": 2, **options})]
    root = Path(__file__).parents[3]
    return command, {**os.environ, "PYTHONPATH": f"{root / 'tests' / 'pipeline'}:{root}"}


@pytest.mark.slow
def test_nothing_in_the_current_folder_is_imported(toy: Toy, tmp_path: Path) -> None:
    decoy = tmp_path / "decoy"
    for name in ("pipeline", "stages", "numpy", "zarr", "distributed"):
        (decoy / name).mkdir(parents=True)
        (decoy / name / "__init__.py").write_text("raise RuntimeError('the decoy was imported')")
    command, environment = _program(toy, 0.0)
    ended = subprocess.run(
        command, cwd=decoy, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr.startswith("dashboard: ")
    assert ended.stderr.count("\n") == 1
    assert {path.name for path in decoy.iterdir()} == {"pipeline", "stages", "numpy", "zarr", "distributed"}


@pytest.mark.slow
def test_interrupt_from_the_terminal(toy: Toy) -> None:
    command, environment = _program(toy, 1.0)
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, env=environment, start_new_session=True, **pipes) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("double"):
                break
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (130, "")
    wait_for_the_end_of_group(process.pid)
    assert list(toy.output.glob("**/.*")) == []
    plan = plan_of(toy, {"double": {"seconds": 1.0}})
    assert plan.counts()["numbers"] == {Reason.DONE: len(SCENES)}
    assert plan.counts()["double"][Reason.MISSING] > 0
