"""Stages of which nothing but the configuration counts, and ways to write, load and refuse one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field, model_validator

from pipeline.config import RunConfig, load_config
from pipeline.errors import ConfigurationError
from pipeline.stage import Result, SceneJob, SceneStage, Stage, StageConfig


class FolderConfig(StageConfig):
    source: Literal["folder"] = "folder"
    path: Path = Field(description="folder of the scans")
    suffix: str = "npz"


class ScannetConfig(StageConfig):
    source: Literal["scannet"] = "scannet"
    path: Path
    classes: tuple[str, ...] = ("chair",)


class RoomsConfig(StageConfig):
    """Built-in rooms."""

    source: Literal["rooms"] = "rooms"
    count: int = Field(4, ge=1, le=9, description="how many rooms")
    noise: float = 0.0


class KernelConfig(StageConfig):
    length: float = Field(0.5, gt=0)
    table: Path | None = None


class LabelsConfig(StageConfig):
    engine: Literal["laplace", "regression"] = "laplace"
    kernel: KernelConfig = KernelConfig()
    steps: int = 50
    exact: bool = False
    extra: tuple[Path, ...] = ()
    lookup: dict[str, Path] = Field(default_factory=dict)
    width: int | Literal["auto"] = "auto"
    low: float = 0.0
    high: float = 1.0
    cache: Path = Path("cache")

    @model_validator(mode="after")
    def _ordered(self) -> LabelsConfig:
        if self.low > self.high:
            raise ValueError("low lies above high")
        return self


class Silent(SceneStage):
    version = 1
    inputs: ClassVar[tuple[str, ...]] = ()

    def run_scene(self, job: SceneJob) -> Result:
        raise NotImplementedError(job.scene)


class Scans(Silent):
    name = "scans"
    Config: ClassVar[Any] = Annotated[FolderConfig | ScannetConfig | RoomsConfig, Field(discriminator="source")]


class Labels(Silent):
    name = "labels"
    inputs = ("scans",)
    Config = LabelsConfig


STAGES: list[type[Stage]] = [Scans, Labels]


def write(text: str, name: str = "mine.yaml") -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def load(name: str, *overrides: str, stages: Sequence[type[Stage]] = STAGES) -> RunConfig:
    return load_config(name, overrides, stages)


def refusal(name: str, *overrides: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(name, *overrides)
    return str(caught.value)
