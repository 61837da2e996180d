"""Runs on the workers of a scheduler that somebody else started, and what is refused before work begins."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from toy_stages import Toy, array_bytes, complete, plan_of

from pipeline.errors import ConfigurationError, LostError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask import DaskClusterExecutor, sites
from pipeline.executors.dask.checks import check_workers
from pipeline.progress import Progress
from pipeline.run import run_plan
from pipeline.store import read_manifest
from pipeline.tasks import Reason

ROOT = Path(__file__).parents[3]
PATH = {"PYTHONPATH": f"{ROOT / 'tests' / 'pipeline'}:{ROOT}"}
RUN = Path(__file__).parent / "run_dask_toy.py"


@dataclass
class Dask:
    """`dask scheduler` and `dask worker` as processes of their own."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """The scheduler file."""
        return self.folder / "scheduler.json"

    def scheduler(self) -> subprocess.Popen[bytes]:
        """Starts the scheduler and waits for its file."""
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        process = self._start(self.folder, {}, "scheduler", "--scheduler-file", str(self.file), *options)
        _wait_until(self.file.exists)
        return process

    def worker(self, folder: Path | None = None, threads: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a worker in a folder."""
        options = ["--nthreads", str(threads), "--no-dashboard", "--local-directory", str(self.folder / "scratch")]
        arguments = ["worker", "--scheduler-file", str(self.file), *options]
        return self._start(folder or self.folder, PATH | environment, *arguments)

    def close(self) -> None:
        """Ends everything."""
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                cwd=folder,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process


def _wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30.0
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    (folder := tmp_path / "dask").mkdir()
    dask = Dask(folder)
    with ExitStack() as stack:
        stack.callback(dask.close)
        yield dask


def _executor(scheduler: object, toy: Toy) -> DaskClusterExecutor:
    return DaskClusterExecutor(DaskExecutor(cluster="scheduler", scheduler=str(scheduler)), toy.output)


class _Meddling(Progress):
    """Does something in a thread, a moment after stage `double` has begun."""

    def __init__(self, action: Callable[[], object]) -> None:
        self._timer = threading.Timer(0.7, action)

    def start(self, stage: str, total: int, kept: int) -> None:  # noqa: ARG002 (the interface)
        if stage == "double":
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.join()


@pytest.mark.slow
class TestRuns:
    def test_waits_for_workers_and_leaves_them_to_others(
        self, dask: Dask, toy: Toy, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        dask.scheduler()
        starting = threading.Timer(2.0, dask.worker, kwargs={"threads": 2})
        starting.start()
        executor = _executor(dask.file, toy)
        starting.join()
        assert executor.slots == 2
        address = json.loads(dask.file.read_text())["address"]
        assert executor.description == f"on the dask scheduler {address}"
        assert run_plan(plan_of(toy), executor, Progress()).exit_code == 0
        other = Toy(tmp_path / "other")
        other.write()
        complete(plan_of(other))
        assert array_bytes(toy.output) == array_bytes(other.output)
        error = capfd.readouterr().err
        assert "waiting for dask workers: the scheduler has none yet" in error
        assert error.count("\n") == 2  # and the dashboard
        assert [process.poll() for process in dask.processes] == [None, None]
        _wait_until(lambda: not _children_of_boxgp(dask))

    def test_a_scheduler_that_is_lost(self, dask: Dask, toy: Toy) -> None:
        scheduler = dask.scheduler()
        dask.worker()
        executor = _executor(dask.file, toy)
        sections = {"double": {"seconds": 1.0}}
        with pytest.raises(LostError, match="what is finished is kept, and the same command goes on"):
            run_plan(plan_of(toy, sections), executor, _Meddling(scheduler.kill))
        plan = plan_of(toy, sections)
        assert plan.counts()["numbers"] == {Reason.DONE: 3}
        assert plan.counts()["double"][Reason.MISSING] > 0
        complete(plan)
        assert not (toy.output / "failures").exists()

    def test_another_run_on_the_same_workers_is_interrupted(self, dask: Dask, toy: Toy, tmp_path: Path) -> None:
        dask.scheduler()
        dask.worker(threads=2)
        other = Toy(tmp_path / "other", {"d": "1 2 3 4"})
        other.write()
        executor = _executor(dask.file, toy)
        options = json.dumps({"cluster": "scheduler", "scheduler": str(dask.file)})
        command = [sys.executable, str(RUN), str(other.folder), "30", options]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, env={**os.environ, **PATH}, **pipes) as process:
            assert process.stdout is not None
            next(line for line in process.stdout if line.startswith("double"))
            progress = _Meddling(lambda: process.send_signal(signal.SIGINT))
            outcome = run_plan(plan_of(toy, {"double": {"seconds": 1.5}}), executor, progress)
            process.communicate(timeout=20)  # its task of 30 s ends with it
        assert process.returncode == 130
        assert (outcome.exit_code, outcome.failed) == (0, [])
        assert {read_manifest(toy.output / "round_00" / "double" / scene)["attempt"] for scene in toy.scenes} == {1}


def _children_of_boxgp(dask: Dask) -> list[str]:
    """Processes that tasks of ours ran in, below the dask workers."""
    sessions = {process.pid for process in dask.processes}
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(folder.name)) in sessions and b"toy_stages" in (folder / "maps").read_bytes():
                found.append(folder.name)
    return found


class TestRefusals:
    def test_nobody_answers(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sites, "_CONNECT_SECONDS", 1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=rf"executor\.scheduler: no dask scheduler answers at {address}"):
            _executor(address, toy)
        assert not toy.output.exists()

    def test_no_address(self, toy: Toy) -> None:
        with pytest.raises(ConfigurationError, match=r"executor\.cluster: scheduler needs executor\.scheduler"):
            DaskClusterExecutor(DaskExecutor(cluster="scheduler"), toy.output)

    @pytest.mark.parametrize("content", [None, "{}", "no json", "[1]"])
    def test_a_file_that_is_no_scheduler_file(self, content: str | None, toy: Toy, tmp_path: Path) -> None:
        path = tmp_path / "scheduler.json"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigurationError, match=r"scheduler\.json is neither an address"):
            _executor(path, toy)

    def test_a_decoy_in_the_folder_of_a_worker(self, dask: Dask, toy: Toy, tmp_path: Path) -> None:
        decoy = tmp_path / "decoy"
        (decoy / "pipeline").mkdir(parents=True)
        (decoy / "pipeline" / "__init__.py").write_text("raise RuntimeError('the decoy was imported')")
        dask.scheduler()
        dask.worker(decoy)
        with pytest.raises(ConfigurationError, match=rf"pipeline in {decoy}.*PYTHONSAFEPATH=1") as caught:
            _executor(dask.file, toy)
        assert "the dask worker tcp://" in str(caught.value)
        dask.close()
        dask.file.unlink()
        dask.scheduler()
        dask.worker(decoy, PYTHONSAFEPATH="1")
        _executor(dask.file, toy).close()


class _Client:
    """Answers as a worker would, except where it is told another answer."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers

    def run(self, function: Callable[..., object], *arguments: str, on_error: str) -> dict[str, object]:
        assert on_error == "return"
        key = "_".join([function.__name__, *arguments]).replace(".", "_")
        return {"tcp://node:1": self._answers[key] if key in self._answers else function(*arguments)}


class TestChecks:
    def test_the_same_everywhere(self) -> None:
        check_workers(_Client())  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("answers", "message"),
        [
            ({"python_version": "3.9.1"}, f"runs Python 3.9.1, but this is {platform.python_version()}"),
            ({f"find_spec_{name}": None for name in ("boxgp", "configs", "pipeline", "stages")}, "has no boxgp"),
            ({"find_spec_stages": None}, "finds other packages of the same names.*stages in no folder"),
            ({"version_boxgp": "0.0.7"}, f"has boxgp 0.0.7, but this is {importlib.metadata.version('boxgp')}"),
            ({"version_boxgp": importlib.metadata.PackageNotFoundError()}, "has a boxgp that is not installed"),
            ({"find_spec_pipeline_executors_dask_child": ImportError("no dask")}, r"cannot import boxgp \(no dask\)"),
            ({"find_spec_pipeline_executors_dask_child": None}, r"cannot import boxgp \(incomplete\)"),
        ],
    )
    def test_a_worker_that_is_not_as_this_process(self, answers: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigurationError, match=f"^the dask worker tcp://node:1 {message}.*then run again$"):
            check_workers(_Client(**answers))  # type: ignore[arg-type]
