"""The evaluation stage: pseudo-labels against the ground truth of one scene, kept so that a data set can pool it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import SceneError
from pipeline.stage import Array, Result, SceneJob, SceneStage, StageConfig

if TYPE_CHECKING:
    from stages.evaluation.records import SceneEvaluation


class EvaluationConfig(StageConfig):
    """Nothing to set: the literature defines the metrics."""


class Evaluation(SceneStage):
    """Overlaps, matches and calibration samples of each scene; without ground truth the sources of labels alone.

    In later rounds also what changed since the round before.
    """

    name = "evaluation"
    version = 2
    Config: ClassVar[type[StageConfig]] = EvaluationConfig
    inputs = ("scenes", "superpoints", "pseudo_labels")
    earlier = ("evaluation",)
    config: EvaluationConfig

    def run_scene(self, job: SceneJob) -> Result:
        """The evaluation of one scene; raises SceneError where its inputs do not belong together."""
        from pipeline.store import read_arrays
        from stages.evaluation.records import from_arrays, to_arrays
        from stages.evaluation.scene import evaluate_scene
        from stages.pseudo_labels.labels import PseudoLabels
        from stages.stores import read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        labels = PseudoLabels.open(job.inputs["pseudo_labels"])
        earlier = job.inputs.get(self.name)
        before = None if earlier is None else from_arrays(*read_arrays(earlier))
        try:
            evaluation = evaluate_scene(scene, superpoints.superpoint, len(superpoints), labels, before)
        except ValueError as error:
            raise SceneError(
                f"scene {job.scene}: {error}; its results do not belong together, run again with --force superpoints"
            ) from error
        arrays, attributes = to_arrays(evaluation)
        return Result(
            {name: Array(values, dimensions) for name, (values, dimensions) in arrays.items()},
            attributes,
            {"points": float(evaluation.points), "objects": float(evaluation.objects)},
            _warnings(evaluation),
        )


def _warnings(evaluation: SceneEvaluation) -> tuple[str, ...]:
    """What a reader of this scene's figures should know."""
    if evaluation.truth is None:
        return ()
    objects = evaluation.truth.objects
    unknown, found = int((objects.instance < 0).sum()), int(objects.found_by_box.sum())
    messages = []
    if unknown:
        messages.append(
            f"{unknown} of {evaluation.objects} boxes have no ground-truth instance; label AP leaves them out"
        )
    if found:
        messages.append(f"{found} of {evaluation.objects} boxes name no instance; the best overlap of boxes was taken")
    return tuple(messages)
