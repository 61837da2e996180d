"""Workers as jobs of SLURM, PBS, LSF or SGE, by way of dask-jobqueue."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import dask
from distributed.core import Status
from distributed.deploy.spec import SpecCluster

from pipeline.errors import ConfigurationError
from pipeline.executors.config import DaskExecutor
from pipeline.executors.dask.child import ENVIRONMENT
from pipeline.executors.dask.walltime import lifetime_and_stagger, walltime_seconds

_DEFAULT_WORKERS = 2
_CLASSES = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster", "sge": "SGECluster"}
_NOT_OPTIONS = ("asynchronous", "dashboard_address", "host", "job_cls", "loop", "n_workers", "scheduler_cls")
_SHARED_OPTIONS = ("config_name", "interface", "protocol")
"""options of the cluster that each job has as well"""
_PROLOGUE = [f"export {name}={value}" for name, value in ENVIRONMENT.items()] + [
    "export DASK_DISTRIBUTED__WORKER__DAEMON=False"  # a worker has a child, which a daemon may not have
]
_T = TypeVar("_T")


class JobQueue:
    """The jobs that a configuration asks for; what they print goes to the folder ``logs``.

    Raises ConfigurationError where dask-jobqueue is missing or an option is wrong; starts nothing.
    """

    def __init__(self, config: DaskExecutor, logs: Path) -> None:
        self.name = config.cluster
        self.logs = logs
        self.refusals: dict[str, str] = {}
        """name of a worker -> what the queue said about its job, which it did not take"""
        self._config = config
        self._cluster_class = _cluster_class(config.cluster)
        self._job_class = _telling(self._cluster_class.job_cls, self.refusals)
        own = [name for name in _NOT_OPTIONS if name in config.jobs]
        if own:
            raise ConfigurationError(
                f"executor.jobs.{own[0]} cannot be set: executor.workers is the number of workers; options of the "
                "scheduler go into executor.jobs.scheduler_options"
            )
        self._options = self._job_options()
        self._job(log_directory=None)  # else it would make the folder

    @property
    def workers(self) -> int:
        """Workers at most."""
        return self._config.workers or _DEFAULT_WORKERS

    @property
    def slots(self) -> int:
        """Chunks at the same time, at most."""
        return self.workers * max(1, int(self._options["cores"]) // int(self._options["processes"]))

    def job_script(self) -> str:
        """What is submitted, but for the scheduler's address and the worker's name."""
        script: str = self._job().job_script()
        return script

    def start(self, dashboard_port: int) -> SpecCluster:
        """Starts a scheduler in this process that asks for jobs; raises ConfigurationError where it cannot."""
        options = {**self._options, "silence_logs": False, "job_cls": self._job_class}
        scheduler = {"dashboard_address": f":{dashboard_port}", **options.pop("scheduler_options", {})}
        self.logs.mkdir(parents=True, exist_ok=True)
        cluster = self._accepted(lambda: self._cluster_class(scheduler_options=scheduler, **options))
        # a fixed number adapts as well: jobs that end, by their walltime or else, are replaced
        minimum = min(self._config.minimum, self.workers) if self._config.adaptive else self.workers
        cluster.adapt(minimum=minimum, maximum=self.workers)
        started: SpecCluster = cluster
        return started

    def _job(self, **changes: Any) -> Any:
        of_cluster = set(inspect.signature(self._cluster_class.__mro__[1]).parameters) - set(_SHARED_OPTIONS)
        options = {name: value for name, value in self._options.items() if name not in of_cluster} | changes
        return self._accepted(lambda: self._job_class("tcp://scheduler:8786", name="worker", **options))

    def _job_options(self) -> dict[str, Any]:
        jobs = self._config.jobs
        prologue, arguments = (_lines(jobs, name) for name in ("job_script_prologue", "worker_extra_args"))
        return {
            "cores": 1,
            "processes": 1,
            "python": shlex.quote(sys.executable),
            **jobs,
            **_log_options(self.name, self.logs, jobs),
            "job_script_prologue": [*_PROLOGUE, *prologue],
            # memory is used by the worker's child, and the queue limits it; the last value of an argument counts
            "worker_extra_args": ["--memory-limit", "0", *self._lifetime(), *arguments],
        }

    def _lifetime(self) -> list[str]:
        walltime = self._config.jobs.get("walltime", dask.config.get(f"jobqueue.{self.name}.walltime", None))
        if walltime is None:
            return []
        lifetime, stagger = lifetime_and_stagger(walltime_seconds(walltime, self.name))
        return ["--lifetime", f"{lifetime}s", "--lifetime-stagger", f"{stagger}s"]

    def _accepted(self, make: Callable[[], _T]) -> _T:
        try:
            return make()
        except (TypeError, ValueError, RuntimeError, OSError) as error:
            message = re.sub(r"^\S*__init__\(\) ", "", str(error).partition("\n")[0])
            unknown = re.search(r"unexpected keyword argument '(\w+)'", message)
            key = f"executor.jobs.{unknown[1]}" if unknown else "executor.jobs"
            raise ConfigurationError(f"{key}: {self._cluster_class.__name__} refuses the options: {message}") from error


def _cluster_class(queue: str) -> Any:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise ConfigurationError(
            f"executor.cluster: {queue} needs dask-jobqueue ({error}): pip install 'boxgp[cluster]'"
        ) from error
    return getattr(dask_jobqueue, _CLASSES[queue])


def _telling(job_class: Any, refusals: dict[str, str]) -> Any:
    """The class of jobs, which notes what the queue says when it does not take one: dask only logs it."""

    async def submit(self: Any, script: str) -> str:
        try:
            answer: str = await job_class._submit_job(self, script)
        except (RuntimeError, OSError) as error:
            refusals[self.name] = str(error).strip()
            self.status = Status.failed  # as a cluster expects it of what it closes
            raise
        refusals.pop(self.name, None)
        return answer

    return type(job_class.__name__, (job_class,), {"_submit_job": submit})


def _lines(jobs: dict[str, Any], name: str) -> list[str]:
    value = jobs.get(name) or []
    if not isinstance(value, list | tuple):
        raise ConfigurationError(f"executor.jobs.{name}: {value!r} is no list of lines")
    return [str(line) for line in value]


def _log_options(queue: str, logs: Path, jobs: dict[str, Any]) -> dict[str, Any]:
    """The folder of logs in words that job scripts can hold: only SLURM's know quotes."""
    if "log_directory" in jobs:
        return {}
    if re.fullmatch(r"[\w@+=:,./~-]+", str(logs), re.ASCII):
        return {"log_directory": str(logs)}
    if queue == "slurm" and not re.search(r'["%\\]', str(logs)) and str(logs).isprintable():
        quoted = [f'--{kind}="{logs}/dask-worker-%J.{end}"' for kind, end in (("output", "out"), ("error", "err"))]
        return {"job_extra_directives": [*quoted, *_lines(jobs, "job_extra_directives")]}
    raise ConfigurationError(
        f"{logs} cannot stand in a job script of {queue}: choose an output folder without spaces and special "
        "characters, or set executor.jobs.log_directory"
    )
