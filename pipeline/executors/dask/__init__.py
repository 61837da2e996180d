"""Tasks on dask.distributed. Nothing else imports dask, and nothing imports this package before it is asked for."""

from pipeline.executors.dask.executor import DaskClusterExecutor

__all__ = ["DaskClusterExecutor"]
