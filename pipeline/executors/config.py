"""Where a run computes: this machine, a dask cluster, or SLURM. No result depends on it, so no fingerprint holds it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from pipeline.stage import StageConfig


def _one_line(text: str) -> str:
    """Refuses what could end a line of a job script and begin another."""
    if any(not character.isprintable() for character in text):
        raise ValueError("a line break or another control character is not allowed here")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""text that fits on one line of a job script"""
Word = Line | int
"""a value of an option, which YAML may take for a number"""


class LocalExecutor(StageConfig):
    """This machine: this process, or worker processes of its own."""

    kind: Literal["local"] = "local"
    workers: int = Field(0, ge=0, description="processes that work at the same time; 0: everything in this process")


class DaskExecutor(StageConfig):
    """dask.distributed: workers on this machine, those of a running scheduler, or jobs of a queue (dask-jobqueue)."""

    kind: Literal["dask"] = "dask"
    cluster: Literal["local", "scheduler", "slurm", "pbs", "lsf", "sge"] = Field(
        "local", description="who starts the workers: boxgp here, whoever started the scheduler, or jobs of a queue"
    )
    scheduler: Line | None = Field(
        None, description="address (tcp://host:8786) or scheduler file of a running scheduler, for `cluster: scheduler`"
    )
    workers: int | None = Field(
        None, ge=1, description="workers, at most; null: one a GPU or core here, two jobs of a queue"
    )
    adaptive: bool = Field(True, description="start jobs of a queue when there is work and end them when there is none")
    minimum: int = Field(0, ge=0, description="workers that are kept while others come and go")
    jobs: dict[str, Any] = Field(
        default_factory=dict,
        description="options of the dask-jobqueue cluster: queue, account, cores, memory, walltime, ...",
    )


class SlurmResources(StageConfig):
    """What SLURM gives the jobs of one stage; null: as for all stages."""

    partition: Word | None = Field(None, description="partition (sbatch --partition)")
    time: Word | None = Field(None, description="longest time of one job: 01:00:00, or minutes")
    memory: Word | None = Field(None, description="memory of one job: 4G, or MiB")
    cpus: int | None = Field(None, ge=1, description="cores of one job")
    gpus: Word | None = Field(None, description="GPUs of one job: a number, or kind and number (a100:1)")
    scenes_per_job: int | None = Field(None, ge=1, description="scenes that one job of the array treats")


class SlurmExecutor(StageConfig):
    """SLURM job arrays of `boxgp worker`: one array a stage, each after the one before it."""

    kind: Literal["slurm"] = "slurm"
    partition: Word | None = Field(None, description="partition (sbatch --partition); null: the cluster's default")
    account: Word | None = Field(None, description="account that is charged (sbatch --account)")
    time: Word = Field("01:00:00", description="longest time of one job: 01:00:00, or minutes")
    memory: Word = Field("4G", description="memory of one job: 4G, or MiB")
    cpus: int = Field(1, ge=1, description="cores of one job; a job runs one thread")
    gpus: Word | None = Field(None, description="GPUs of one job: a number, or kind and number (a100:1)")
    scenes_per_job: int = Field(16, ge=1, description="scenes that one job of an array treats")
    simultaneous: int | None = Field(None, ge=1, description="jobs of one array that may run at the same time")
    sbatch: tuple[Line, ...] = Field((), description="further options of sbatch, such as --qos=high")
    setup: tuple[Line, ...] = Field(
        (), description="shell lines before the work of each job, such as `module load cuda`"
    )
    stages: dict[str, SlurmResources] = Field(
        default_factory=dict,
        description="stage -> what its jobs get instead: partition, time, memory, cpus, gpus, scenes_per_job",
    )


ExecutorConfig = Annotated[LocalExecutor | DaskExecutor | SlurmExecutor, Field(discriminator="kind")]
