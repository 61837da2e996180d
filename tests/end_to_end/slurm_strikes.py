"""What may hit a run on SLURM: its jobs, their processes, the daemon of their node."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np

from tests.end_to_end.faults import Kind, Strike
from tests.end_to_end.marked_run import MarkedRun
from tests.end_to_end.strikes import FAILED, KILLED, STOPPED, command, one_of, second_run

if TYPE_CHECKING:
    from slurm_cluster import SlurmCluster

ARRAYS = (
    *("--executor", "slurm", "--set", "executor.time=10", "--set", "executor.memory=500M"),
    *("--set", "executor.scenes_per_job=3"),
)
DASK_JOBS = (
    *("--executor", "dask-slurm", "--workers", "2", "--set"),
    "executor.jobs={queue: debug, cores: 1, memory: 1GB, walltime: '00:10:00', interface: lo}",
)
_LONGEST_SILENCE_SECONDS = 2.0


def on_slurm(cluster: SlurmCluster) -> dict[str, Kind]:
    """Faults of a run of job arrays."""

    def kind(strike: Strike, *codes: int) -> Kind:
        return Kind(ARRAYS, strike, codes, watch=cluster.state_of_node, settle=cluster.wait_until_idle)

    return {
        "scancel of one job": kind(_tell_one("scancel"), 0, FAILED),
        "scancel of one array": kind(_cancel_one_array, 0, FAILED),
        "scontrol requeue of a job": kind(_tell_one("scontrol", "requeue", state="RUNNING"), 0),
        "kill -9 of slurmd": kind(_kill_slurmd(cluster), 0, FAILED),
        "kill -9 of the command of a job": kind(one_of(_commands_of_jobs, signal.SIGKILL), 0, FAILED),
        "kill -9 of a worker": kind(one_of(MarkedRun.workers, signal.SIGKILL), 0),
        "kill -9 of the command": kind(one_of(command, signal.SIGKILL), KILLED),
        "SIGTERM to the command": kind(one_of(command, signal.SIGTERM), *STOPPED),
        "two runs at once": second_run(*ARRAYS),
    }


def on_dask_jobs(cluster: SlurmCluster) -> dict[str, Kind]:
    """Faults of a run whose dask workers are jobs."""

    cancel = _tell_one("scancel", state="RUNNING")
    return {"scancel of a dask worker": Kind(DASK_JOBS, cancel, settle=cluster.wait_until_idle)}


def _kill_slurmd(cluster: SlurmCluster) -> Strike:
    """kill -9 of the node's daemon while jobs run, which go on, and its start a moment later."""

    def strike(run: MarkedRun, generator: np.random.Generator) -> bool:
        if not _commands_of_jobs(run):
            return False
        cluster.processes["slurmd"].kill()
        cluster.stop_daemon("slurmd")
        time.sleep(generator.uniform(0, _LONGEST_SILENCE_SECONDS))
        cluster.start_daemon("slurmd")
        return True

    return strike


def _tell_one(*words: str, state: str | None = None) -> Strike:
    """A command of SLURM about one job, chosen at random among those in a state."""

    def strike(run: MarkedRun, generator: np.random.Generator) -> bool:
        jobs = [] if run.over else [job for job, found in _jobs() if state in {None, found}]
        return bool(jobs) and _told(*words, str(generator.choice(jobs)))

    return strike


def _cancel_one_array(run: MarkedRun, generator: np.random.Generator) -> bool:
    arrays = [] if run.over else sorted({job.partition("_")[0] for job, _ in _jobs()})
    return bool(arrays) and _told("scancel", str(generator.choice(arrays)))


def _commands_of_jobs(run: MarkedRun) -> list[int]:
    return [one.pid for one in run.processes() if " worker --plan " in one.command]


def _jobs() -> list[tuple[str, str]]:
    """Number and state of all jobs in the queue."""
    listed = subprocess.run(
        ["squeue", "--noheader", "--array", "--format=%i %T"], capture_output=True, text=True, check=True
    )
    return [(job, state) for job, _, state in (line.partition(" ") for line in listed.stdout.splitlines())]


def _told(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
