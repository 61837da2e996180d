"""What an experiment is made of, in its folder: settings, results, and where everything lies."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.experiment.rows import Job

FORMAT = "boxgp.experiment.1"
SETTINGS = "experiment.json"


class ExperimentError(Exception):
    """The command cannot do what was asked for; the message says why, and what to do."""


@dataclass(frozen=True)
class Experiment:
    """The settings of all trainings."""

    configuration: Mapping[str, Any]
    """resolved: general keys and one section a stage"""
    seeds: tuple[int, ...]
    class_names: tuple[str, ...]
    train: tuple[str, ...]
    """rooms to learn from"""
    val: tuple[str, ...]
    """rooms to be judged on"""

    @cached_property
    def digest(self) -> str:
        """Identifies what a training with a given seed depends on, so that no result of other settings is taken."""
        content = {name: value for name, value in asdict(self).items() if name != "seeds"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def steps(self, job: Job) -> int:
        """How long a job trains."""
        training = self.configuration["training"]
        steps: int = training["steps"] if job.row is None else training["later_steps"] or training["steps"]
        return steps


@dataclass(frozen=True)
class Folder:
    """The files of an experiment."""

    path: Path

    @property
    def run(self) -> Path:
        """What the pipeline has computed."""
        return self.path / "run"

    def room(self, scene: str) -> Path:
        """One room with its labels."""
        return self.path / "rooms" / f"{scene}.npz"

    def work(self, job: Job) -> Path:
        """Checkpoints, curves and messages of a training."""
        return self.path / "work" / job.name

    def network(self, job: Job) -> Path:
        """What a training has learnt."""
        return self.work(job) / "network.pt"

    def read(self) -> Experiment:
        """Raises ExperimentError where there is no experiment."""
        path = self.path / SETTINGS
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("it is of another version")
            values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in content.items()}
            return Experiment(**values)
        except FileNotFoundError as error:
            raise ExperimentError(
                f"{self.path} holds no experiment: make one by `python -m benchmarks.experiment prepare "
                f"CONFIG {self.path}`"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ExperimentError(
                f"{path} cannot be used ({error}): remove it and prepare the experiment anew"
            ) from error

    def write(self, experiment: Experiment) -> None:
        """Makes the folder one that ``read`` and the trainings can use."""
        content = json.dumps({"format": FORMAT, **asdict(experiment)}, indent=1)
        write_whole(self.path / SETTINGS, content.encode())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one process trains here at a time; raises ExperimentError where another one does."""
        lock = self.path / "work" / ".lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ExperimentError(f"another process trains in {self.path}: stop it, or wait for its end") from error
            yield

    def result(self, job: Job, experiment: Experiment) -> dict[str, Any] | None:
        """What came of a job, None where it has not ended or ended under other settings."""
        try:
            found: dict[str, Any] = json.loads((self.path / "results" / f"{job.name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if found.get("settings") == experiment.digest and self.network(job).exists() else None

    def write_result(self, job: Job, experiment: Experiment, result: Mapping[str, Any]) -> None:
        """Marks a job as done."""
        content = json.dumps({"settings": experiment.digest, "job": job.name, **result}, indent=1, allow_nan=False)
        write_whole(self.path / "results" / f"{job.name}.json", content.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def differences(before: Any, now: Any, key: str = "") -> Iterator[str]:
    """Where two settings differ, in words."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in sorted(before.keys() | now.keys()):
            yield from differences(before.get(name), now.get(name), f"{key}.{name}" if key else name)
    elif before != now:
        yield f"{key} is {json.dumps(before)} there, {json.dumps(now)} now"
