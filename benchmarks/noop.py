"""Stages that do nothing, in a module that workers can import: what is left of a task is what running it costs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from pipeline.stage import Array, Result, SceneJob, SceneStage, Source, Stage, StageConfig

NOTHING = Result({"value": Array(np.zeros(8, np.float32), ("value",))}, {}, {"scenes": 1.0})


class CountConfig(StageConfig):
    """How many scenes there are."""

    count: int = Field(ge=1)


class First(SceneStage):
    """Scenes that come from nowhere."""

    name = "first"
    version = 1
    Config: ClassVar[type[StageConfig]] = CountConfig
    inputs = ()
    every_round = False
    config: CountConfig

    def discover(self) -> list[Source]:
        """As many scenes as were asked for, without files."""
        return [Source(f"scene{number:06d}", ()) for number in range(self.config.count)]

    def run_scene(self, job: SceneJob) -> Result:  # noqa: ARG002 (part of the interface)
        """The same for every scene."""
        return NOTHING


class Second(SceneStage):
    """The same again, for workers that have worked before; its input is not read."""

    name = "second"
    version = 1
    Config: ClassVar[type[StageConfig]] = StageConfig
    inputs = ("first",)
    config: StageConfig

    def run_scene(self, job: SceneJob) -> Result:  # noqa: ARG002 (part of the interface)
        """The same for every scene."""
        return NOTHING


NOOP: tuple[tuple[str, type[Stage]], ...] = tuple((f"{__name__}:{stage.__name__}", stage) for stage in (First, Second))
