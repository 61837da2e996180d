"""What may hit a run on this machine or on dask: each strike tells whether there was something to hit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from tests.end_to_end.dask_cluster import DaskCluster
from tests.end_to_end.disk import fill_up
from tests.end_to_end.faults import ROOMS, Kind, Strike
from tests.end_to_end.marked_run import MarkedRun

LOCAL = ("--executor", "local", "--workers", "2")
DASK = ("--executor", "dask", "--workers", "2")
KILLED = -signal.SIGKILL
TERMINATED = 143
STOPPED = (TERMINATED, -signal.SIGTERM)
"""exit codes of a command that got SIGTERM: the second while Python was still starting"""
FAILED, NOTHING = 1, 2


def one_of(choose: Callable[[MarkedRun], list[int]], number: signal.Signals) -> Strike:
    """A signal to one of some processes, chosen at random."""

    def strike(run: MarkedRun, generator: np.random.Generator) -> bool:
        found = choose(run)
        return bool(found) and send(int(generator.choice(found)), number)

    return strike


def all_of(choose: Callable[[MarkedRun], list[int]], number: signal.Signals) -> Strike:
    """A signal to all of some processes."""

    def strike(run: MarkedRun, generator: np.random.Generator) -> bool:
        del generator
        return True in [send(pid, number) for pid in choose(run)]

    return strike


def command(run: MarkedRun) -> list[int]:
    """The process of the command itself."""
    return [] if run.over else [run.command.pid]


def dask_workers(run: MarkedRun) -> list[int]:
    """The dask workers that the command has started."""
    return [one.pid for one in run.processes() if one.is_spawned and one.parent == run.command.pid]


def whole_group(run: MarkedRun, generator: np.random.Generator) -> bool:
    """kill -9 of the command and everything in its process group."""
    del generator
    if run.over:
        return False
    os.killpg(run.command.pid, signal.SIGKILL)
    return True


def send(pid: int, number: signal.Signals) -> bool:
    """Sends a signal; False where the process has gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


class SecondRun:
    """The same command once more in the same folder, while the first one runs."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._run: MarkedRun | None = None

    def strike(self, run: MarkedRun, generator: np.random.Generator) -> bool:
        """Starts it."""
        del generator
        if run.over:
            return False
        said = run.output.parent / "second.txt"
        self._run = MarkedRun(*ROOMS, *self._options, output=run.output, said=said)
        return True

    def repair(self, run: MarkedRun) -> None:
        """Waits for its end."""
        del run
        second, self._run = self._run, None
        if second is not None:
            with second:
                assert second.wait() == 0, second.said
                assert "Traceback" not in second.said, second.said


def full_disk(disk: Path) -> Kind:
    """A disk without any space left, until the run has ended."""

    def strike(run: MarkedRun, generator: np.random.Generator) -> bool:
        del generator
        return not run.over and fill_up(disk, 0).exists()

    def repair(run: MarkedRun) -> None:
        del run
        (disk / "filler").unlink(missing_ok=True)

    return Kind(LOCAL, strike, (0, FAILED, NOTHING), repair, place=disk, sudden=False)


def second_run(*options: str) -> Kind:
    """Two runs at once."""
    second = SecondRun(*options)
    return Kind(options, second.strike, repair=second.repair)


def on_this_machine(options: tuple[str, ...]) -> dict[str, Kind]:
    """Faults of a run whose processes are all children of the command."""
    workers = MarkedRun.workers
    return {
        "kill -9 of a worker": Kind(options, one_of(workers, signal.SIGKILL)),
        "kill -9 of all workers": Kind(options, all_of(workers, signal.SIGKILL)),
        "SIGTERM to a worker": Kind(options, one_of(workers, signal.SIGTERM)),
        "kill -9 of the command": Kind(options, one_of(command, signal.SIGKILL), (KILLED,)),
        "kill -9 of the process group": Kind(options, whole_group, (KILLED,)),
        "SIGTERM to the command": Kind(options, one_of(command, signal.SIGTERM), STOPPED, sudden=False),
        "two runs at once": second_run(*options),
    }


def on_dask() -> dict[str, Kind]:
    """Faults of a run with dask workers of its own."""
    return {
        "kill -9 of a dask worker": Kind(DASK, one_of(dask_workers, signal.SIGKILL)),
        "kill -9 of all dask workers": Kind(DASK, all_of(dask_workers, signal.SIGKILL)),
        "SIGTERM to a dask worker": Kind(DASK, one_of(dask_workers, signal.SIGTERM)),
        **on_this_machine(DASK),
    }


def on_dask_cluster(cluster: DaskCluster) -> dict[str, Kind]:
    """Faults of a run on the workers of a scheduler that somebody else started."""
    scheduler = f"executor.scheduler={cluster.address}"
    options = ("--executor", "dask", "--set", "executor.cluster=scheduler", "--set", scheduler)

    def restart(run: MarkedRun) -> None:
        del run
        cluster.restart()

    def kind(choose: Callable[[], list[int]], *codes: int) -> Kind:
        return Kind(options, one_of(lambda _: choose(), signal.SIGKILL), codes, restart)

    return {
        "kill -9 of the scheduler": kind(lambda: [cluster.scheduler.pid], FAILED),
        "kill -9 of a nanny": kind(lambda: [nanny.pid for nanny in cluster.nannies], 0),
        "kill -9 of a worker": kind(cluster.workers, 0),
        "kill -9 of the command": Kind(options, one_of(command, signal.SIGKILL), (KILLED,)),
        "two runs at once": second_run(*options),
    }
