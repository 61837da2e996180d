"""SLURM's own commands behind small functions. Accounting (sacct) is never asked: many clusters have none."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BoxgpError, DependencyError

_TIMEOUT_SECONDS = 120.0
_MOST_ARGUMENTS = 500
_THOSE_THAT_NEVER_BEGAN = 0xFFFFFFFE
"""index under which SLURM keeps jobs of an array that were cancelled while they waited"""
_RUNNING = frozenset({"RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT"})
_STUCK = re.compile(r"[Hh]eld|PartitionTimeLimit|PartitionNodeLimit|BadConstraints|Invalid|NeverSatisfied")
_WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"})
# sbatch lets these win over the lines of a script
_OVERRIDING = frozenset(
    {"ARRAY_INX", "JOB_NAME", "MEM_PER_CPU", "MEM_PER_GPU", "MEM_PER_NODE", "NO_REQUEUE", "OPEN_MODE", "OUTPUT"}
    | {"REQUEUE", "TIMELIMIT"}
)
_OVERRIDING_WHERE_SAID = frozenset({"ACCOUNT", "GRES", "PARTITION"})


class QueueError(BoxgpError):
    """SLURM refused something, or did not answer."""


@dataclass(frozen=True)
class JobState:
    """What the queue says about one job of an array."""

    state: str
    """such as PENDING, RUNNING, TIMEOUT"""
    reason: str

    @property
    def is_running(self) -> bool:
        """Whether it has a node, or has not quite left it."""
        return self.state in _RUNNING

    @property
    def has_ended(self) -> bool:
        """Whether it will never run again."""
        return not self.is_running and self.state not in _WAITING

    @property
    def is_stuck(self) -> bool:
        """Whether it waits for somebody to change something, not for its turn."""
        return not self.is_running and _STUCK.search(self.reason) is not None

    def __str__(self) -> str:
        return self.state if self.reason in {"", "None", self.state} else f"{self.state} ({self.reason})"


@dataclass(frozen=True)
class Limits:
    """How many jobs a cluster takes; SLURM's defaults."""

    array: int = 1001
    """in one array"""
    jobs: int = 10_000
    """in the whole queue"""


Jobs = Mapping[int, Mapping[int, JobState]]
"""number of an array -> index of a job in it -> its state"""


def user_name() -> str:
    """Who submits jobs here."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())


def limits() -> Limits:
    """What the cluster allows; SLURM's defaults where it is not told."""
    answer = _answer("scontrol", "show", "config")
    found = {name: int(value) for name, value in re.findall(r"^(\w+)\s*=\s*(\d+)\s*$", answer, re.MULTILINE)}
    return Limits(found.get("MaxArraySize", Limits.array), found.get("MaxJobCount", Limits.jobs))


def submit(script: Path, after: Sequence[int] = ()) -> int:
    """Submits a job script that starts when all jobs of the arrays ``after`` have ended; returns its number."""
    dependency = [f"--dependency=afterany:{':'.join(map(str, after))}"] if after else []
    answer = _answer("sbatch", "--parsable", *dependency, str(script), environment=_sbatch_environment(script))
    number = answer.strip().rpartition("\n")[2].partition(";")[0]
    if not number.isdecimal():
        raise QueueError(f"sbatch answered {answer!r} to {script} instead of the number of a job")
    return int(number)


def queued_jobs(user: str) -> dict[int, dict[int, JobState]]:
    """All jobs of arrays of ``user`` that wait or run."""
    jobs: dict[int, dict[int, JobState]] = {}
    for line in _answer("squeue", "--noheader", f"--user={user}", "--format=%F|%K|%T|%r").splitlines():
        array, indices, state, reason = line.split("|", 3)
        for index in array_indices(indices):
            jobs.setdefault(int(array), {})[index] = JobState(state, reason)
    return jobs


def stuck_jobs(jobs: Jobs, arrays: Iterable[int]) -> dict[str, str]:
    """Why jobs of some arrays will not begin by themselves -> one of them, such as ``12_0``."""
    found = ((f"{array}_{index}", state) for array in arrays for index, state in jobs.get(array, {}).items())
    return {state.reason: job for job, state in found if state.is_stuck}


def known_jobs(array: int, indices: Iterable[int]) -> dict[int, JobState]:
    """How some jobs of an array are or ended, as far as SLURM remembers it (by default for five minutes)."""
    try:
        answer = _answer("scontrol", "--oneliner", "show", "job", str(array))
    except QueueError:
        return {}
    found = re.findall(r"\bArrayTaskId=(\S+) .*?\bJobState=(\S+) Reason=(\S+)", answer)
    told = {index: JobState(state, reason) for text, state, reason in found for index in array_indices(text)}
    known = {index: told.get(index, told.get(_THOSE_THAT_NEVER_BEGAN)) for index in indices}
    return {index: state for index, state in known.items() if state is not None}


def cancel(arrays: Iterable[int]) -> None:
    """Ends all jobs of some arrays, those that were submitted last first, so that none of them starts meanwhile."""
    numbers = [str(array) for array in sorted(arrays, reverse=True)]
    for start in range(0, len(numbers), _MOST_ARGUMENTS):
        _answer("scancel", "--quiet", *numbers[start : start + _MOST_ARGUMENTS])


def array_indices(text: str) -> Iterator[int]:
    """The indices in SLURM's writing: ``5``, ``0-3,7``, ``0-9:3``, each perhaps with ``%limit`` behind; none in N/A."""
    for part in text.partition("%")[0].split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if found is not None:
            first, last, step = found.groups()
            yield from range(int(first), int(last or first) + 1, int(step or 1))


def _sbatch_environment(script: Path) -> dict[str, str]:
    text = script.read_text(encoding="utf-8")
    names = _OVERRIDING | {name for name in _OVERRIDING_WHERE_SAID if f"#SBATCH --{name.lower()}=" in text}
    return {name: value for name, value in os.environ.items() if name.removeprefix("SBATCH_") not in names}


def _answer(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; QueueError quotes what it says where it fails."""
    # else squeue shortens long lists of indices, and prints what the user likes to see
    plain = {name: value for name, value in (environment or os.environ).items() if not name.startswith("SQUEUE_")}
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            env={**plain, "SLURM_BITSTR_LEN": "0"},
        )
    except FileNotFoundError as error:
        raise DependencyError(
            f"{command[0]} is not installed: run this on a machine from which jobs are submitted to SLURM"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise QueueError(f"{command[0]} did not answer within {_TIMEOUT_SECONDS:.0f} s: is slurmctld up?") from error
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip() or f"nothing (exit code {ended.returncode})"
        lines = (line.removeprefix(f"{command[0]}: ").removeprefix("error: ") for line in said.splitlines())
        raise QueueError(f"{command[0]} says: {'; '.join(lines)}")
    return ended.stdout
