"""The job scripts that dask-jobqueue submits, and what is refused before anything is submitted."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from pipeline.errors import ConfigurationError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask.queues import JobQueue

QueueName = Literal["slurm", "pbs", "lsf", "sge"]
QUEUES: tuple[QueueName, ...] = ("slurm", "pbs", "lsf", "sge")
CONFIGS = Path(__file__).parents[3] / "configs" / "executors"


def _queue(logs: Path, cluster: QueueName = "slurm", /, workers: int | None = None, **jobs: Any) -> JobQueue:
    return JobQueue(DaskExecutor(cluster=cluster, workers=workers, jobs={"memory": "4GB", **jobs}), logs)


def _worker_line(script: str) -> list[str]:
    (line,) = [line for line in script.splitlines() if "distributed.cli.dask_worker" in line]
    return line.split()


@pytest.mark.parametrize("cluster", QUEUES)
def test_script_of_each_queue(cluster: QueueName, tmp_path: Path) -> None:
    queue = _queue(tmp_path / "logs", cluster, queue="gpu", job_script_prologue=["module load cuda"])
    assert list(tmp_path.iterdir()) == []
    lines = queue.job_script().splitlines()
    assert sum(line.startswith("#") and "gpu" in line for line in lines) == 1
    assert sum(line.startswith("#") and f"{tmp_path}/logs/" in line for line in lines) == 2
    exports = [place for place, line in enumerate(lines) if line.startswith("export ")]
    assert {"export PYTHONSAFEPATH=1", "export OMP_NUM_THREADS=1"} < {lines[place] for place in exports}
    assert lines.index("module load cuda") == exports[-1] + 1
    words = _worker_line("\n".join(lines))
    assert words[:3] == [sys.executable, "-m", "distributed.cli.dask_worker"]
    assert words[words.index("--nthreads") + 1] == "1"
    # the last one counts: the worker's child is where memory goes
    assert [after for word, after in pairwise(words) if word == "--memory-limit"][-1] == "0"


@pytest.mark.parametrize("cluster", QUEUES)
def test_built_in_configuration(cluster: QueueName, tmp_path: Path) -> None:
    section = yaml.safe_load((CONFIGS / f"dask-{cluster}.yaml").read_text())["executor"]
    queue = JobQueue(DaskExecutor(**section), tmp_path)
    assert (queue.name, queue.workers, queue.slots) == (cluster, 8, 8)
    words = _worker_line(queue.job_script())
    assert words[words.index("--lifetime") :] == ["--lifetime", "3120s", "--lifetime-stagger", "180s"]


def test_walltime_of_dask_jobqueue_counts_where_none_is_given(tmp_path: Path) -> None:
    words = _worker_line(_queue(tmp_path).job_script())
    assert words[words.index("--lifetime") + 1] == "1530s"


def test_own_arguments_come_last(tmp_path: Path) -> None:
    words = _worker_line(_queue(tmp_path, worker_extra_args=["--lifetime", "5m"]).job_script())
    assert words[-2:] == ["--lifetime", "5m"]


def test_slots_are_threads(tmp_path: Path) -> None:
    assert _queue(tmp_path, workers=3, cores=8, processes=2).slots == 12
    assert _queue(tmp_path).slots == 2


class TestFolderOfLogs:
    def test_with_spaces_under_slurm(self, tmp_path: Path) -> None:
        script = _queue(tmp_path / "my run" / "logs", job_extra_directives=["--gres=gpu:1"]).job_script()
        assert f'#SBATCH --output="{tmp_path}/my run/logs/dask-worker-%J.out"' in script
        assert f'#SBATCH --error="{tmp_path}/my run/logs/dask-worker-%J.err"' in script
        assert "#SBATCH --gres=gpu:1" in script

    @pytest.mark.parametrize(("cluster", "name"), [("pbs", "my run"), ("slurm", 'a"b'), ("slurm", "% j")])
    def test_that_no_script_can_hold(self, cluster: QueueName, name: str, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=f"cannot stand in a job script of {cluster}.*log_directory"):
            _queue(tmp_path / name, cluster)
        script = _queue(tmp_path / name, cluster, log_directory=str(tmp_path / "elsewhere")).job_script()
        assert f"{tmp_path}/elsewhere/" in script


class TestRefusals:
    def test_unknown_option(self, tmp_path: Path) -> None:
        message = r"executor\.jobs\.qeue: SLURMCluster refuses the options: .*unexpected keyword argument 'qeue'"
        with pytest.raises(ConfigurationError, match=message):
            _queue(tmp_path, qeue="gpu")

    def test_memory_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"executor\.jobs: PBSCluster .*how much cores and memory"):
            JobQueue(DaskExecutor(cluster="pbs"), tmp_path)

    def test_what_boxgp_decides(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"executor\.jobs\.n_workers cannot be set: executor\.workers"):
            _queue(tmp_path, n_workers=3)

    def test_lines_that_are_no_list(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"executor\.jobs\.job_script_prologue: 'x' is no list"):
            _queue(tmp_path, job_script_prologue="x")

    def test_dask_jobqueue_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
        with pytest.raises(ConfigurationError, match=r"pip install 'boxgp\[cluster\]'"):
            _queue(tmp_path)
