"""The text of one job script. Nothing is asked or written here."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigurationError
from pipeline.executors.config import SlurmExecutor
from pipeline.tasks import step_label
from pipeline.threads import THREAD_VARIABLES

_OPTION = re.compile(r"(--[a-zA-Z][\w-]*|-[a-zA-Z])(?:[= ]\s*(.+))?")
_OURS = ("--array", "--chdir", "--dependency", "--output", "--open-mode", "-a", "-D", "-d", "-o")
_LONGEST_OPTION = 4000
"""characters of a value; SLURM reads lines into a buffer of 8,192 bytes, where a character may take two of them"""


@dataclass(frozen=True)
class JobArray:
    """One job array: jobs that each treat ``size`` scenes of one stage, from chunk ``offset`` of the stage on."""

    name: str
    """such as ``02_features``, or ``02_features_1`` where a stage has several arrays"""
    step: int
    """position of the stage in the plan"""
    stage: str
    round: int
    offset: int
    scenes: int
    """that all its jobs treat together"""
    size: int

    @property
    def label(self) -> str:
        """Stage and round, for people."""
        return step_label(self.stage, self.round)

    @property
    def count(self) -> int:
        """The number of its jobs."""
        return -(-self.scenes // self.size)

    def scenes_of(self, index: int) -> int:
        """The number of scenes that job ``index`` treats."""
        return min(self.size, self.scenes - index * self.size)


def resources_of(stage: str, config: SlurmExecutor) -> SlurmExecutor:
    """The resources of one stage's jobs: its own where it has some, else those of all stages."""
    own = config.stages.get(stage)
    return config if own is None else config.model_copy(update=own.model_dump(exclude_none=True))


def job_script(
    array: JobArray, config: SlurmExecutor, *, run: Path, plan: Path, logs: Path, boxgp: Sequence[str]
) -> str:
    """The bash script of a job array that runs ``boxgp worker`` on the chunks of one stage.

    ``run``, ``plan`` and ``logs`` are absolute folders, ``boxgp`` is the command. Raises ConfigurationError for a line
    break or another control character in any of them, and for options of sbatch that cannot be understood.
    """
    options = _options(array, resources_of(array.stage, config), run, logs)
    worker = [*boxgp, "worker", "--plan", str(plan), "--step", str(array.step), "--size", str(array.size)]
    words = " ".join(shlex.quote(_checked(word, "a folder's name")) for word in worker)
    lines = [
        "#!/usr/bin/env bash",
        *(_directive(name, value) for name, value in options),
        "set -e",
        *_redirection(array, logs),
        *(f"export {variable}=1" for variable in ("PYTHONSAFEPATH", *THREAD_VARIABLES)),
        *(_checked(line, "executor.setup") for line in config.setup),
        f"exec {words} --index $(({array.offset} + SLURM_ARRAY_TASK_ID))",
    ]
    return "\n".join(lines) + "\n"


def log_of(array: JobArray, logs: Path, job: int, index: int) -> Path:
    """Where the output of job ``index`` of the array with number ``job`` goes."""
    return logs / f"{array.name}.{job}_{index}.log"


def _options(array: JobArray, config: SlurmExecutor, run: Path, logs: Path) -> list[tuple[str, str | None]]:
    limit = "" if config.simultaneous is None else f"%{config.simultaneous}"
    found: list[tuple[str, str | None]] = [
        ("--job-name", f"boxgp-{re.sub(r'[^A-Za-z0-9._-]', '_', run.name)}-{array.stage}"),
        ("--chdir", str(run)),
        ("--output", _pattern(array, logs)),
        ("--open-mode", "append"),
        ("--array", f"0-{array.count - 1}{limit}"),
        ("--requeue", None),
        ("--kill-on-invalid-dep", "yes"),
        ("--cpus-per-task", str(config.cpus)),
        ("--time", str(config.time)),
        ("--mem", str(config.memory)),
    ]
    given = {
        "--partition": config.partition,
        "--account": config.account,
        "--gres": None if config.gpus is None else f"gpu:{config.gpus}",
    }
    found += [(name, str(value)) for name, value in given.items() if value is not None]
    return found + [_further(line) for line in config.sbatch]


def _pattern(array: JobArray, logs: Path) -> str:
    """Where SLURM writes what a job prints, in SLURM's own writing, where % begins a field."""
    if _unspeakable(logs):
        return "/dev/null"
    # absolute: SLURM puts the working folder before a relative one and then reads its % as fields too
    return f"{logs}/".replace("%", "%%") + f"{array.name}.%A_%a.log"


def _redirection(array: JobArray, logs: Path) -> list[str]:
    if not _unspeakable(logs):
        return []
    folder = shlex.quote(_checked(str(logs), "a folder's name"))
    return [f'exec >>{folder}/{array.name}."$SLURM_ARRAY_JOB_ID"_"$SLURM_ARRAY_TASK_ID".log 2>&1']


def _unspeakable(logs: Path) -> bool:
    """Whether SLURM cannot be told to write there: a backslash ends all fields of --output."""
    return "\\" in str(logs)


def _further(line: str) -> tuple[str, str | None]:
    """Name and value of an option that the configuration gives as it would be on a command line."""
    parsed = _OPTION.fullmatch(line.strip())
    if parsed is None:
        raise ConfigurationError(f"executor.sbatch: {line!r} is no option of sbatch, such as --qos=high")
    name, value = parsed.groups()
    if name in _OURS:
        raise ConfigurationError(f"executor.sbatch: {name} is set by boxgp itself; leave it out")
    if value is not None and len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def _directive(name: str, value: str | None) -> str:
    if value is None:
        return f"#SBATCH {name}"
    return f"#SBATCH {name}{'=' if name.startswith('--') else ' '}{_quoted(value, name)}"


def _quoted(value: str, name: str) -> str:
    """A value as sbatch reads it on a line of its own: in quotes, in which a backslash takes a quote's meaning away."""
    escaped = _checked(value, name).replace("\\", "\\\\").replace('"', '\\"')
    if len(escaped) > _LONGEST_OPTION:
        raise ConfigurationError(f"{name}: the value is too long for SLURM ({len(value)} characters)")
    return f'"{escaped}"'


def _checked(text: str, what: str) -> str:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ConfigurationError(
            f"{what}: {text!r} has a line break or another control character, which no job script can carry; change it"
        )
    return text
