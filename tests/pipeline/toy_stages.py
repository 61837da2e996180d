"""Tiny stages for tests of planning and execution.

    numbers (source, *.txt) -> double (scene) -> batch (chunk) -> total (dataset) -> report (dataset)

A text file holds one number a line; other content makes ``numbers`` fail for that scene.
"""

from __future__ import annotations

import logging
import os
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.config import RunConfig
from pipeline.errors import SceneError
from pipeline.executors.local import LocalExecutor
from pipeline.plan import make_plan
from pipeline.progress import Progress
from pipeline.run import run_plan
from pipeline.stage import (
    Array,
    BatchStage,
    DatasetJob,
    DatasetStage,
    Result,
    SceneJob,
    SceneStage,
    Source,
    Stage,
    StageConfig,
)
from pipeline.store import read_arrays
from pipeline.tasks import Plan


class NumbersConfig(StageConfig):
    path: Path


class Numbers(SceneStage):
    """Reads the numbers of each text file."""

    name = "numbers"
    version = 1
    Config: ClassVar[type[StageConfig]] = NumbersConfig
    inputs = ()
    unfingerprinted = ("path",)
    every_round = False
    config: NumbersConfig

    def discover(self) -> list[Source]:
        return [Source(path.stem, (path,)) for path in sorted(self.config.path.glob("*.txt"))]

    def run_scene(self, job: SceneJob) -> Result:
        try:
            values = np.array([float(line) for line in job.files[0].read_text().split()], np.float32)
        except ValueError as error:
            raise SceneError(
                f"scene {job.scene}: {job.files[0]} holds no numbers ({error}); correct the file"
            ) from error
        return Result({"number": Array(values, ("number",))}, {"unit": "none"}, {"numbers": float(len(values))})


class DoubleConfig(StageConfig):
    factor: float = 2.0
    fail: tuple[str, ...] = ()
    """scenes that raise an error nobody expected"""
    warn: tuple[str, ...] = ()
    """scenes that log and warn"""
    kill: tuple[str, ...] = ()
    """scenes that kill their process each time"""
    kill_once: Path | None = None
    """a folder: each scene with a file of its name there removes it and kills its process"""
    seconds: float = 0.0
    """how long each scene takes"""
    offsets: Path | None = None
    """a folder: the number in a scene's text file there is added"""


class Double(SceneStage):
    """Multiplies the numbers and adds noise from the seed of the scene."""

    name = "double"
    version = 1
    Config: ClassVar[type[StageConfig]] = DoubleConfig
    inputs = ("numbers",)
    unfingerprinted = ("offsets",)
    config: DoubleConfig

    def files(self, scene: str) -> tuple[Path, ...]:
        return () if self.config.offsets is None else tuple(self.config.offsets.glob(f"{scene}.txt"))

    def run_scene(self, job: SceneJob) -> Result:
        time.sleep(self.config.seconds)
        if job.scene in self.config.fail:
            raise ZeroDivisionError("a mistake in the program")
        if job.scene in self.config.kill or self._once(job.scene):
            os.kill(os.getpid(), signal.SIGKILL)
        if job.scene in self.config.warn:
            warnings.warn("a warning of Python", RuntimeWarning, stacklevel=1)
            logging.getLogger("some.library").warning("a warning of a library")
        numbers = read_arrays(job.inputs["numbers"])[0]["number"]
        noise = np.random.default_rng(job.seed).random(len(numbers)).astype(np.float32)
        offset = np.float32(sum(float(file.read_text()) for file in job.files))
        values = numbers * np.float32(self.config.factor) + noise + offset
        told = ("a warning of the stage",) if job.scene in self.config.warn else ()
        return Result({"number": Array(values, ("number",))}, {}, {"sum": float(values.sum())}, told)

    def _once(self, scene: str) -> bool:
        mark = None if self.config.kill_once is None else self.config.kill_once / scene
        if mark is None or not mark.exists():
            return False
        mark.unlink()
        return True


class BatchConfig(StageConfig):
    poison: tuple[str, ...] = ()
    """scenes that make every chunk fail that they are in"""
    silent: tuple[str, ...] = ()
    """scenes for which nothing is returned"""
    refuse: tuple[str, ...] = ()
    """scenes that come back with an error of their own"""


class Batch(BatchStage):
    """Subtracts each scene's mean, all scenes of a chunk at once."""

    name = "batch"
    version = 1
    Config: ClassVar[type[StageConfig]] = BatchConfig
    inputs = ("double",)
    config: BatchConfig

    def run(self, jobs: Sequence[SceneJob]) -> Iterator[tuple[str, Result | Exception]]:
        numbers = {job.scene: read_arrays(job.inputs["double"])[0]["number"] for job in jobs}
        for scene, values in numbers.items():
            if scene in self.config.poison:
                raise RuntimeError(f"a batch of {len(jobs)} failed")
            if scene in self.config.refuse:
                yield scene, SceneError(f"scene {scene}: refused")
            elif scene not in self.config.silent:
                centred = (values - values.mean(dtype=np.float64)).astype(np.float32)
                yield scene, Result({"number": Array(centred, ("number",))})


class Total(DatasetStage):
    """The number of numbers of all scenes."""

    name = "total"
    version = 1
    Config: ClassVar[type[StageConfig]] = StageConfig
    inputs = ("numbers", "batch")

    def run_dataset(self, job: DatasetJob) -> Result:
        counts = [len(read_arrays(one.inputs["batch"])[0]["number"]) for one in job.scenes]
        table = "".join(f"{one.scene} {count}\n" for one, count in zip(job.scenes, counts, strict=True))
        values = np.array(counts, np.int32)
        return Result(
            {"count": Array(values, ("scene",))}, {}, {"scenes": len(job.scenes)}, files={"table.txt": table.encode()}
        )


class Report(DatasetStage):
    """Reads a result over all scenes."""

    name = "report"
    version = 1
    Config: ClassVar[type[StageConfig]] = StageConfig
    inputs = ("total",)

    def run_dataset(self, job: DatasetJob) -> Result:
        count = read_arrays(job.scenes[0].inputs["total"])[0]["count"]
        return Result({"sum": Array(np.array(count.sum(), np.int64), ())})


TOY_STAGES: tuple[tuple[str, type[Stage]], ...] = tuple(
    (f"toy_stages:{stage.__name__}", stage) for stage in (Numbers, Double, Batch, Total, Report)
)


@dataclass(frozen=True)
class Toy:
    """A data set of text files in ``folder/data`` and the run over it in ``folder/output``."""

    folder: Path
    scenes: Mapping[str, str] = field(default_factory=lambda: {"a": "1 2 3", "b": "4 5", "c": "6"})

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def write(self) -> None:
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        for scene, text in self.scenes.items():
            (self.folder / "data" / f"{scene}.txt").write_text(text)

    def config(self, *, seed: int = 0, strict: bool = False, **sections: Mapping[str, Any]) -> RunConfig:
        values: dict[str, Mapping[str, Any]] = {"numbers": {"path": self.folder / "data"}, **sections}
        return RunConfig(
            name="toy",
            seed=seed,
            strict=strict,
            sections={stage.name: stage.Config(**values.get(stage.name, {})) for _, stage in TOY_STAGES},
            splits={},
        )


def plan_of(
    toy: Toy,
    config: Mapping[str, Any] | None = None,
    stages: Sequence[tuple[str, type[Stage]]] = TOY_STAGES,
    **options: Any,
) -> Plan:
    """The plan of the run over ``toy``; ``config`` holds sections, ``options`` are those of ``make_plan``."""
    return make_plan(toy.config(**(config or {})), stages, toy.output, **options)


def complete(plan: Plan) -> None:
    """Runs all of a plan in this process."""
    assert run_plan(plan, LocalExecutor(0), Progress()).exit_code == 0


def array_bytes(output: Path) -> dict[str, bytes]:
    """Every byte of every data.zarr.zip below ``output``."""
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(output.rglob("data.zarr.zip"))}
