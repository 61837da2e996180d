"""Walltimes of queues, and lives of workers that end before them."""

from __future__ import annotations

import pytest

from pipeline.errors import ConfigurationError
from pipeline.executors.dask.walltime import lifetime_and_stagger, walltime_seconds


@pytest.mark.parametrize(
    ("walltime", "queue", "seconds"),
    [
        ("00:30:00", "slurm", 1800),
        ("1-00:00:00", "slurm", 86400),
        ("2-03", "slurm", 2 * 86400 + 3 * 3600),
        ("1-02:30", "slurm", 86400 + 2 * 3600 + 1800),
        ("55:00", "slurm", 3300),
        ("90", "slurm", 5400),
        ("120:00:00", "slurm", 432000),
        ("01:30", "lsf", 5400),
        ("90", "lsf", 5400),
        ("01:00:00", "pbs", 3600),
        ("3600", "pbs", 3600),
        ("10:00", "sge", 600),
    ],
)
def test_each_queue_reads_walltimes_in_its_way(walltime: str, queue: str, seconds: int) -> None:
    assert walltime_seconds(walltime, queue) == seconds


@pytest.mark.parametrize(
    ("walltime", "queue"),
    [("1h", "slurm"), ("", "slurm"), ("1:2:3:4", "slurm"), ("-1", "slurm"), ("1-00:00:00", "pbs"), ("1:00:00", "lsf")],
)
def test_no_walltime(walltime: str, queue: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"executor\.jobs\.walltime: '{walltime}' is no walltime that {queue}"
    ):
        walltime_seconds(walltime, queue)


def test_a_number_is_what_yaml_makes_of_a_time_without_quotes() -> None:
    with pytest.raises(ConfigurationError, match="43200 is no text: write it in quotes"):
        walltime_seconds(43200, "slurm")


@pytest.mark.parametrize("seconds", [60, 61, 119, 300, 1800, 3600, 86400, 7 * 86400])
def test_the_longest_life_ends_before_the_job(seconds: int) -> None:
    lifetime, stagger = lifetime_and_stagger(seconds)
    assert lifetime - stagger > 0
    assert 30 <= seconds - (lifetime + stagger) <= 300
    assert stagger > 0


def test_half_an_hour() -> None:
    assert lifetime_and_stagger(1800) == (1800 - 180 - 90, 90)


def test_jobs_that_are_too_short() -> None:
    with pytest.raises(ConfigurationError, match="59 s are too short"):
        lifetime_and_stagger(59)
