"""Nothing is lost: whatever hits a run at a random moment, the same command completes it to the same bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end import slurm_strikes, strikes
from tests.end_to_end.command import checksums, measure
from tests.end_to_end.dask_cluster import DaskCluster
from tests.end_to_end.disk import small_file_system
from tests.end_to_end.faults import ROOMS, Kind, Verdict, strike_and_complete

if TYPE_CHECKING:
    from slurm_cluster import SlurmCluster

_DISK = "64m"
_FAULTS = (  # where it runs, what hits it, seed of the moment
    ("local", "kill -9 of a worker", 1),
    ("local", "kill -9 of a worker", 2),
    ("local", "kill -9 of all workers", 3),
    ("local", "kill -9 of the command", 4),
    ("local", "kill -9 of the command", 5),
    ("local", "kill -9 of the process group", 6),
    ("local", "SIGTERM to a worker", 7),
    ("local", "SIGTERM to the command", 8),
    ("local", "two runs at once", 9),
    ("disk", "full disk", 10),
    ("disk", "full disk", 11),
    ("dask", "kill -9 of a worker", 12),
    ("dask", "kill -9 of a dask worker", 13),
    ("dask", "kill -9 of all dask workers", 14),
    ("dask", "kill -9 of the command", 15),
    ("dask", "SIGTERM to the command", 16),
    ("cluster", "kill -9 of the scheduler", 17),
    ("cluster", "kill -9 of the scheduler", 18),
    ("cluster", "kill -9 of a nanny", 19),
    ("cluster", "two runs at once", 20),
)
_FAULTS_ON_SLURM = (
    ("arrays", "scancel of one job", 21),
    ("arrays", "scancel of one array", 22),
    ("arrays", "scontrol requeue of a job", 23),
    ("arrays", "kill -9 of slurmd", 24),
    ("arrays", "two runs at once", 25),
    ("arrays", "kill -9 of the command of a job", 26),
    ("arrays", "kill -9 of a worker", 27),
    ("arrays", "kill -9 of the command", 28),
    ("arrays", "SIGTERM to the command", 29),
    ("dask_jobs", "scancel of a dask worker", 30),
)


@dataclass
class Tally:
    """All verdicts so far."""

    verdicts: list[Verdict] = field(default_factory=list)

    def __str__(self) -> str:
        missing, different, replaced = (
            sum(len(names) for names in lists)
            for lists in zip(*((one.missing, one.different, one.replaced) for one in self.verdicts), strict=True)
        )
        compared = sum(one.compared for one in self.verdicts)
        return (
            f"{len(self.verdicts)} faults, {compared:,} results compared, {missing} missing, {different} different, "
            f"{replaced} replaced"
        )


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """Printed when the last fault has struck; see it with ``pytest -s``."""
    tally = Tally()
    yield tally
    print(f"\n{tally}", file=sys.stderr)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The checksums of a run that nothing disturbed."""
    return checksums(measure(ROOMS, tmp_path_factory.mktemp("undisturbed")).output)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kind]]:
    """Faults of a small file system."""
    with small_file_system(tmp_path_factory.mktemp("small") / "disk", _DISK) as disk:
        yield {"full disk": strikes.full_disk(disk)}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kind]]:
    """Faults of a dask cluster that somebody else started."""
    with DaskCluster(tmp_path_factory.mktemp("dask")) as cluster:
        yield strikes.on_dask_cluster(cluster)


@pytest.fixture(scope="module")
def arrays(slurm: SlurmCluster) -> dict[str, Kind]:
    """Faults of SLURM."""
    return slurm_strikes.on_slurm(slurm)


@pytest.fixture(scope="module")
def dask_jobs(slurm: SlurmCluster) -> dict[str, Kind]:
    """Faults of dask workers that are jobs of SLURM."""
    return slurm_strikes.on_dask_jobs(slurm)


@pytest.fixture
def kinds(request: pytest.FixtureRequest) -> Callable[[str], dict[str, Kind]]:
    """The faults of one place."""

    def of(place: str) -> dict[str, Kind]:
        match place:
            case "local":
                return strikes.on_this_machine(strikes.LOCAL)
            case "dask":
                return strikes.on_dask()
        found: dict[str, Kind] = request.getfixturevalue(place)
        return found

    return of


@pytest.mark.parametrize(
    ("place", "what", "seed"),
    [
        *(pytest.param(*fault, marks=pytest.mark.slow) for fault in _FAULTS),
        *(pytest.param(*fault, marks=pytest.mark.slurm) for fault in _FAULTS_ON_SLURM),
    ],
)
def test_nothing_is_lost(
    place: str,
    what: str,
    seed: int,
    kinds: Callable[[str], dict[str, Kind]],
    reference: Mapping[str, str],
    tally: Tally,
    tmp_path: Path,
) -> None:
    verdict = strike_and_complete(f"{place}: {what}", kinds(place)[what], seed, reference, tmp_path)
    print(f"\n{verdict}", file=sys.stderr)
    tally.verdicts.append(verdict)
    assert (verdict.missing, verdict.different, verdict.replaced) == ([], [], [])
    assert verdict.compared == len(reference)
