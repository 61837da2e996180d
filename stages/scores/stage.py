"""The scores stage: what the network of this round finds, against the ground truth of all scenes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import SceneError
from pipeline.stage import DatasetJob, DatasetStage, Result, SceneJob, StageConfig
from stages.training.config import no_training

if TYPE_CHECKING:
    from stages.scores.figures import ClassNumbers, SceneScores


class ScoresConfig(StageConfig):
    """Nothing to set: the literature defines the metrics."""


class Scores(DatasetStage):
    """AP of masks and boxes and the metrics of S3DIS, by split."""

    name = "scores"
    version = 1
    Config: ClassVar[type[StageConfig]] = ScoresConfig
    inputs = ("scenes", "superpoints", "inference")
    splits = ("train", "val", "test", "")
    config: ScoresConfig

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        """Without a network there are no predictions."""
        return no_training(sections)

    def run_dataset(self, job: DatasetJob) -> Result:
        """The figures of the scenes with ground truth; raises SceneError where inputs do not belong together."""
        from stages.scenes.classes import SCANNET18
        from stages.scores.figures import ClassNumbers, as_dict, split_scores
        from stages.scores.table import per_class_csv, scores_table

        numbers = ClassNumbers()
        scenes, unknown = [], []
        for done, one in enumerate(sorted(job.scenes, key=lambda one: one.scene)):
            job.report(done, len(job.scenes), one.scene)
            found = _scene_scores(one, numbers)
            if found is None:
                unknown.append(one.scene)
            else:
                scenes.append(found)
        scores = split_scores(scenes, numbers.names)
        figures = {"class_names": list(numbers.names), "splits": as_dict(scores)}
        warnings = _warnings(unknown)
        show_s3dis = not set(numbers.names) <= set(SCANNET18)
        return Result(
            attributes=figures,
            statistics={
                name: float(sum(getattr(one, name) for one in scores.values())) for name in ("scenes", "objects")
            },
            warnings=warnings,
            files={
                "table.txt": scores_table(scores, warnings, show_s3dis).encode(),
                "scores.json": (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode(),
                "per_class.csv": per_class_csv(scores),
            },
        )


def _scene_scores(job: SceneJob, numbers: ClassNumbers) -> SceneScores | None:
    """The matches of one scene; None without ground truth."""
    from dataclasses import replace

    from pipeline.store import read_arrays
    from stages.evaluation.scene import known_truth
    from stages.inference.records import from_arrays
    from stages.scores.figures import scene_scores
    from stages.stores import read_scene, read_superpoints

    scene = read_scene(job.inputs["scenes"])
    truth = known_truth(scene)
    if truth is None:
        return None
    superpoints = read_superpoints(job.inputs["superpoints"])
    arrays, attributes = read_arrays(job.inputs["inference"])
    predictions = from_arrays(arrays)
    truth = replace(truth, instance_class=numbers.common(truth.instance_class, scene.class_names))
    predictions = replace(predictions, class_index=numbers.common(predictions.class_index, attributes["class_names"]))
    try:
        return scene_scores(job.split, predictions, truth, scene.xyz, superpoints.superpoint, len(superpoints))
    except ValueError as error:
        raise SceneError(
            f"scene {job.scene}: {error}; its results do not belong together, run again with --force inference"
        ) from error


def _warnings(unknown: Sequence[str]) -> tuple[str, ...]:
    from stages.summary.table import counted

    if not unknown:
        return ()
    named = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    are = "is" if len(unknown) == 1 else "are"
    return (f"no ground truth in {counted(len(unknown), 'scene')}, which {are} left out: {named}",)
