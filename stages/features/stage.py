"""The features stage: one vector a region."""

from __future__ import annotations

from typing import ClassVar

from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.features.config import FeaturesConfig


class Features(SceneStage):
    """Describes each region by the means over its points."""

    name = "features"
    version = 1
    Config: ClassVar[type[StageConfig]] = FeaturesConfig
    inputs = ("scenes", "superpoints")
    config: FeaturesConfig

    def run_scene(self, job: SceneJob) -> Result:
        """The features of one scene's regions."""
        from stages.features.handcrafted import region_features
        from stages.geometry import scene_normals
        from stages.stores import features_result, read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        wanted = "normal" in self.config.columns
        normals = scene_normals(scene, self.config.normal_neighbors) if wanted else None
        features = region_features(
            scene.xyz,
            scene.rgb,
            normals,
            superpoints.superpoint,
            len(superpoints),
            self.config.columns,
            self.config.normal_weight,
        )
        return features_result(features)
