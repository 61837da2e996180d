"""The features stage: one vector a region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.features.config import FeaturesConfig
from stages.pseudo_labels.config import labels_given


class Features(SceneStage):
    """Describes each region by the means over its points, and by what a network has learnt of it."""

    name = "features"
    version = 2
    Config: ClassVar[type[StageConfig]] = FeaturesConfig
    inputs = ("scenes", "superpoints")
    earlier = ("inference",)
    only_later = ("deep_weight",)
    config: FeaturesConfig

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        """Features describe regions to what makes labels."""
        return labels_given(sections)

    def run_scene(self, job: SceneJob) -> Result:
        """The features of one scene's regions, with those of the round before's network where they have a weight."""
        from stages.features.deep import with_deep_features
        from stages.features.handcrafted import region_features
        from stages.stores import features_result, read_predictions, read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        features = region_features(
            scene.xyz,
            scene.rgb,
            superpoints.surface.normal,
            superpoints.superpoint,
            len(superpoints),
            self.config.columns,
            self.config.normal_weight,
        )
        if "inference" in job.inputs and self.config.deep_weight > 0:
            deep = read_predictions(job.inputs["inference"]).region_feature
            features = with_deep_features(features, deep, self.config.deep_weight)
        return features_result(features)
