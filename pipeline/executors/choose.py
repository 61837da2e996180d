"""The executor that a configuration asks for; each is imported when it is chosen."""

from __future__ import annotations

from pathlib import Path

from pipeline.executors import config
from pipeline.executors.base import Executor


def executor_for(chosen: config.ExecutorConfig, output: Path) -> Executor:
    """The executor; ``output`` is the folder of the run, where it may keep scripts and logs.

    Raises ConfigurationError where it cannot be had: a package is missing, or a scheduler does not answer.
    """
    match chosen:
        case config.LocalExecutor():
            from pipeline.executors.local import LocalExecutor

            return LocalExecutor(chosen.workers)
        case config.DaskExecutor():
            from pipeline.executors.dask import DaskClusterExecutor

            return DaskClusterExecutor(chosen, output)
        case config.SlurmExecutor():
            from pipeline.executors.slurm import SlurmArrayExecutor

            return SlurmArrayExecutor(chosen, output)
