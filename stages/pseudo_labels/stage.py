"""The pseudo_labels stage: posteriors in, the public store of masks, means and variances out."""

from __future__ import annotations

from typing import ClassVar

from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.pseudo_labels.config import PseudoLabelsConfig


class PseudoLabels(SceneStage):
    """Fuses the posteriors of each scene's pairs into one label a region."""

    name = "pseudo_labels"
    version = 1
    Config: ClassVar[type[StageConfig]] = PseudoLabelsConfig
    inputs = ("scenes", "superpoints", "posteriors")
    config: PseudoLabelsConfig

    def run_scene(self, job: SceneJob) -> Result:
        """The labels of one scene; boxes that got no region are named in a warning."""
        from stages.pseudo_labels.build import build_labels, empty_objects
        from stages.pseudo_labels.store import labels_result
        from stages.stores import read_posteriors, read_scene, read_superpoints
        from stages.structures import LabelSource

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        posteriors = read_posteriors(job.inputs["posteriors"])
        labels = build_labels(scene, superpoints, posteriors, self.config.fusion)
        statistics = {
            f"regions_by_source/{source.name.lower()}": float((labels.source == source).sum()) for source in LabelSource
        }
        empty = empty_objects(labels)
        named = ", ".join(str(k) for k in empty[:20]) + (", ..." if len(empty) > 20 else "")
        text = f"{len(empty)} of {len(labels.mask)} boxes got no region (boxes {named})"
        return labels_result(labels, statistics, (text,) if empty else ())
