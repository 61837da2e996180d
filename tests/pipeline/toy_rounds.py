"""A toy of self-training: labels from numbers and the predictions before, a mean as the trained network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from toy_stages import Numbers

from pipeline.stage import DATASET, Array, DatasetJob, DatasetStage, Result, SceneJob, SceneStage, Stage, StageConfig
from pipeline.store import read_arrays


def _number(folder: Path) -> np.ndarray:
    return read_arrays(folder)[0]["number"]


class LabelConfig(StageConfig):
    weight: float = 0.5
    """of the predictions before"""


class Label(SceneStage):
    """The numbers, drawn toward what was predicted in the round before."""

    name = "label"
    version = 1
    Config: ClassVar[type[StageConfig]] = LabelConfig
    inputs = ("numbers",)
    earlier = ("predict",)
    only_later = ("weight",)
    config: LabelConfig

    def run_scene(self, job: SceneJob) -> Result:
        values = _number(job.inputs["numbers"])
        if "predict" in job.inputs:
            values = values + np.float32(self.config.weight) * (_number(job.inputs["predict"]) - values)
        return Result({"number": Array(values, ("number",))})


class TrainConfig(StageConfig):
    network: str | None = "mean"
    code: Path | None = None


class Train(DatasetStage):
    """The mean of all labels of scenes for training; interrupted once where a file asks for it."""

    name = "train"
    version = 1
    Config: ClassVar[type[StageConfig]] = TrainConfig
    inputs = ("label",)
    earlier = ("train",)
    splits = ("train", "val")

    config: TrainConfig

    def files(self, scene: str) -> tuple[Path, ...]:
        return (self.config.code,) if self.config.code is not None and scene == DATASET else ()

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        return "set train.network" if sections["train"].network is None else None

    def run_dataset(self, job: DatasetJob) -> Result:
        begun = job.workspace / "begun"
        if (job.workspace.parents[3] / "interrupt").exists() and not begun.exists():
            job.workspace.mkdir(parents=True)
            begun.touch()
            job.report(1, 2, "half of it")
            raise RuntimeError("interrupted")
        job.report(2, 2, "all of it")
        splits = {one.scene: one.split for one in job.scenes}
        labels = [_number(one.inputs["label"]) for one in job.scenes if one.split == "train"]
        before = [float(_number(one.inputs["train"])) for one in job.scenes if "train" in one.inputs]
        mean = np.array(np.mean(np.concatenate(labels), dtype=np.float64), np.float32)
        return Result({"number": Array(mean, ())}, {"splits": splits, "before": before, "resumed": begun.exists()})


class Predict(SceneStage):
    """The mean, for every number."""

    name = "predict"
    version = 1
    Config: ClassVar[type[StageConfig]] = StageConfig
    inputs = ("numbers", "train")

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        return Train.left_out(sections)

    def run_scene(self, job: SceneJob) -> Result:
        mean = _number(job.inputs["train"])
        return Result({"number": Array(np.full_like(_number(job.inputs["numbers"]), mean), ("number",))})


ROUND_STAGES: tuple[tuple[str, type[Stage]], ...] = (
    ("toy_stages:Numbers", Numbers),
    *((f"toy_rounds:{stage.__name__}", stage) for stage in (Label, Train, Predict)),
)
