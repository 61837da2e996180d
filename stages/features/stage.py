"""The features stage: one vector a region."""

from __future__ import annotations

from typing import ClassVar

from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.features.config import FeaturesConfig


class Features(SceneStage):
    """Describes each region by the means over its points, or by what a network has learnt of it."""

    name = "features"
    version = 2
    Config: ClassVar[type[StageConfig]] = FeaturesConfig
    inputs = ("scenes", "superpoints")
    earlier = ("inference",)
    only_later = ("deep",)
    config: FeaturesConfig

    def run_scene(self, job: SceneJob) -> Result:
        """The features of one scene's regions: of a network, where a round before has trained one."""
        from stages.features.deep import deep_features
        from stages.features.handcrafted import region_features, region_means
        from stages.stores import features_result, read_predictions, read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        if "inference" in job.inputs and self.config.deep != "none":
            position = region_means(scene.xyz, superpoints.superpoint, len(superpoints)).astype("float32")
            deep = read_predictions(job.inputs["inference"]).region_feature
            return features_result(deep_features(position, deep, self.config.deep))
        features = region_features(
            scene.xyz,
            scene.rgb,
            superpoints.surface.normal,
            superpoints.superpoint,
            len(superpoints),
            self.config.columns,
            self.config.normal_weight,
        )
        return features_result(features)
