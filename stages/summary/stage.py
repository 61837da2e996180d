"""The summary stage: one table of figures over all scenes that were evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pipeline.stage import DatasetJob, DatasetStage, Result, StageConfig

if TYPE_CHECKING:
    from stages.summary.figures import Figures


class SummaryConfig(StageConfig):
    """Nothing to set: the table shows what the evaluations hold."""


class Summary(DatasetStage):
    """Pools the evaluations of all scenes."""

    name = "summary"
    version = 3
    Config: ClassVar[type[StageConfig]] = SummaryConfig
    inputs = ("evaluation",)
    config: SummaryConfig

    def run_dataset(self, job: DatasetJob) -> Result:
        """The figures in the attributes; costs, which depend on the machine, in the files alone."""
        from pipeline.store import read_arrays
        from stages.evaluation.records import from_arrays
        from stages.scenes.classes import SCANNET18
        from stages.summary import files
        from stages.summary.costs import costs, missing_scenes
        from stages.summary.drift import collapse
        from stages.summary.figures import pool_figures
        from stages.summary.table import summary_table

        folders = {one.scene: one.inputs["evaluation"] for one in sorted(job.scenes, key=lambda one: one.scene)}
        scenes = [from_arrays(*read_arrays(folder)) for folder in folders.values()]
        figures = pool_figures(scenes)
        first = next(iter(folders.values()), None)
        spent = costs(first, folders.keys()) if first else []
        warnings = _warnings(figures, missing_scenes(first, folders.keys()) if first else [])
        warnings += collapse(figures.drift, scenes)
        show_s3dis = not set(figures.class_names) <= set(SCANNET18)
        return Result(
            attributes=figures.as_dict(),
            statistics={"scenes": float(figures.scenes), "objects": float(figures.objects)},
            warnings=warnings,
            files={
                "table.txt": summary_table(figures, spent, warnings, show_s3dis).encode(),
                "summary.json": files.summary_json(figures, spent, warnings),
                "per_class.csv": files.per_class_csv(figures),
                "per_object.csv": files.per_object_csv(scenes),
                "per_scene.csv": files.per_scene_csv(scenes),
                "reliability.csv": files.reliability_csv(figures),
            },
        )


def _warnings(figures: Figures, missing: Sequence[str]) -> tuple[str, ...]:
    """What is not in the figures."""
    messages = []
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        messages.append(f"{len(missing)} scenes of this run have no evaluation: {named}")
    if figures.truth is not None and figures.truth.objects_without_instance:
        count = figures.truth.objects_without_instance
        messages.append(f"{count} boxes have no ground-truth instance and are not among the objects")
    return tuple(messages)
