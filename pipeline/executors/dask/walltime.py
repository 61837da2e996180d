"""How long a worker in a job of a queue may live, so that it ends before the queue ends it."""

from __future__ import annotations

import re

from pipeline.errors import ConfigurationError

_UNITS = {
    # what a plain number, two and three numbers between colons mean, in seconds each
    "slurm": {1: (60,), 2: (60, 1), 3: (3600, 60, 1)},
    "lsf": {1: (60,), 2: (3600, 60)},
    "pbs": {1: (1,), 2: (60, 1), 3: (3600, 60, 1)},
    "sge": {1: (1,), 2: (60, 1), 3: (3600, 60, 1)},
}
_DAY = 86400
_AFTER_DAYS = (3600, 60, 1)
_SHORTEST_SECONDS = 60


def walltime_seconds(walltime: object, queue: str) -> int:
    """The seconds of a walltime as ``queue`` (slurm, pbs, lsf, sge) reads it; raises ConfigurationError."""
    if not isinstance(walltime, str):
        raise ConfigurationError(
            f"executor.jobs.walltime: {walltime!r} is no text: write it in quotes, such as '01:00:00' (YAML reads "
            "12:00:00 without quotes as a number)"
        )
    days, dash, clock = walltime.strip().rpartition("-")
    numbers = clock.split(":")
    units = _AFTER_DAYS[: len(numbers)] if dash else _UNITS[queue].get(len(numbers), ())
    valid = len(units) == len(numbers) and all(re.fullmatch("[0-9]+", number) for number in numbers)
    if not valid or (dash and (queue != "slurm" or not days.isdecimal())):
        raise ConfigurationError(f"executor.jobs.walltime: {walltime!r} is no walltime that {queue} knows")
    seconds = sum(int(number) * unit for number, unit in zip(numbers, units, strict=True))
    return seconds + (int(days) * _DAY if dash else 0)


def lifetime_and_stagger(seconds: int) -> tuple[int, int]:
    """How long a worker lives and by how much that may vary, in seconds, in a job of so many seconds.

    Their sum ends a tenth of the job (30 s to 5 min) before the job does: Python has to start, results have to be
    written. The stagger keeps workers that started together from ending together. Raises ConfigurationError where the
    job is too short.
    """
    if seconds < _SHORTEST_SECONDS:
        raise ConfigurationError(
            f"executor.jobs.walltime: {seconds} s are too short for a worker to start and end; give at least a minute"
        )
    spare = min(max(30, seconds // 10), 300)
    stagger = min(seconds // 20, 600)
    return seconds - spare - stagger, stagger
