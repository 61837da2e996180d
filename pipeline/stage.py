"""What a stage is: a name, a version, a typed configuration, declared inputs and a function of scenes to results."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np

Granularity = Literal["scene", "dataset"]
SCENE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What the id of a scene looks like: it is the name of folders and files."""
DATASET = "dataset"
"""Stands where a scene id would in jobs, records and failures of dataset-level stages."""


class StageConfig(BaseModel):
    """Base of every configuration section: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


@dataclass(frozen=True)
class Source:
    """One raw scene as a source stage discovers it.

    ``files`` are hashed by content into the fingerprint of the scene; a generated scene has none.
    """

    scene: str
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SceneJob:
    """What a stage gets for one scene.

    ``inputs`` maps each input stage's name to its committed folder (which holds ``data.zarr.zip``), ``files`` are the
    raw files of a source stage and those of ``Stage.files`` and ``Stage.run_files``, and ``seed`` is derived from run
    seed, stage and scene, so that neither the order of scenes nor the number of workers changes it.
    """

    scene: str
    inputs: Mapping[str, Path]
    files: tuple[Path, ...] = ()
    seed: int = 0
    split: str = ""
    """train, val or test; empty where the scene belongs to none, or the stage did not ask for splits"""


@dataclass(frozen=True)
class DatasetJob:
    """What a dataset-level stage gets.

    ``workspace`` is a folder for whatever it needs to go on where a process that was killed had stopped; it need not
    exist, nobody else writes to it, and it is removed when the result is there. ``report`` (steps done, steps
    altogether, a few words) tells whoever watches how far it is.
    """

    scenes: tuple[SceneJob, ...]
    seed: int
    workspace: Path
    report: Callable[[int, int, str], None]


@dataclass(frozen=True)
class Array:
    """One array of a result: its values and the name of each dimension (``("object", "region")``)."""

    values: np.ndarray
    dimensions: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What a stage computed for one scene or data set; the store writes it.

    ``arrays`` and ``attributes`` go into ``data.zarr.zip`` and must not depend on time, host or path. ``statistics``
    (numbers that can be added up over scenes; ``whole/part`` is shown as a share of the whole) and ``warnings`` go into
    the manifest and the log. ``files`` are further files beside ``data.zarr.zip`` (name -> content), for people and
    other programs; a ``table.txt`` among those of a dataset-level stage is printed by the command.
    """

    arrays: Mapping[str, Array] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    statistics: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


class Stage(ABC):
    """Base of all stages. Subclasses set the class variables; planning reads these alone and never calls ``run``.

    A stage module must be cheap to import: mathematics (torch, scipy, zarr) is imported where it runs.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    """Raised by hand whenever the same inputs and configuration give other bytes; stored results then are stale."""
    Config: ClassVar[type[StageConfig]]
    inputs: ClassVar[tuple[str, ...]]
    granularity: ClassVar[Granularity] = "scene"
    every_round: ClassVar[bool] = True
    """False for what does not change between self-training rounds (scenes, superpoints)."""
    earlier: ClassVar[tuple[str, ...]] = ()
    """Stages of the round before whose results are read as well; the first round has none of them."""
    unfingerprinted: ClassVar[tuple[str, ...]] = ()
    """Options that choose scenes or say where files lie: the content of the files counts in fingerprints instead, so
    that results stay valid when data move or more scenes are asked for."""
    only_later: ClassVar[tuple[str, ...]] = ()
    """Options without effect in the first round, whose results stay valid whatever they are."""
    run_files: ClassVar[tuple[str, ...]] = ()
    """Files of the run's folder that the task of a scene reads where they exist, ``corrections/{scene}.json``: they
    follow the raw files in ``SceneJob.files``, and their content counts in the fingerprint."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def discover(self) -> list[Source]:
        """The raw scenes, for stages without inputs; raises InputError where there are none."""
        raise NotImplementedError(f"stage {self.name} has inputs and discovers nothing")

    def files(self, scene: str) -> tuple[Path, ...]:  # noqa: ARG002 (most stages read no files)
        """Files that a stage with inputs reads beside them for one scene, or for ``DATASET``; their content counts in
        the fingerprint."""
        return ()

    def check(self) -> None:  # noqa: B027 (most stages have nothing to add to their Config)
        """Raises ConfigurationError for what only other code than ``Config`` can tell, before a run begins."""

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:  # noqa: ARG003 (most stages always take part)
        """Why a configuration (stage -> section) leaves this stage out and what to set, None where it takes part.

        Stages that name it among their inputs are then run without it.
        """
        return None


class BatchStage(Stage):
    """A stage that treats several scenes at once."""

    @abstractmethod
    def run(self, jobs: Sequence[SceneJob]) -> Iterator[tuple[str, Result | Exception]]:
        """Yields (scene, result or the error of that scene) for each job."""


class SceneStage(BatchStage):
    """A stage that treats one scene after the other."""

    @abstractmethod
    def run_scene(self, job: SceneJob) -> Result:
        """The result of one scene."""

    def run(self, jobs: Sequence[SceneJob]) -> Iterator[tuple[str, Result | Exception]]:
        """Each scene by itself: the error of one does not stop the others."""
        for job in jobs:
            try:
                yield job.scene, self.run_scene(job)
            except Exception as error:  # noqa: BLE001 (whatever it is, the other scenes go on)
                yield job.scene, error


class DatasetStage(Stage):
    """A stage that reads all scenes that exist and gives one result."""

    granularity: ClassVar[Granularity] = "dataset"
    splits: ClassVar[tuple[str, ...]] = ()
    """Splits whose scenes it reads, "" for the scenes of none; without any it reads all and is not told their splits.

    Where nobody chose scenes for training, all that are in no other split are for training.
    """

    @abstractmethod
    def run_dataset(self, job: DatasetJob) -> Result:
        """The one result over all scenes."""
