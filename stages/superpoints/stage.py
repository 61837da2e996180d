"""The superpoints stage: a scene in, its regions and their graph out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import ConfigurationError, SceneError
from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.superpoints.config import SuperpointsConfig

if TYPE_CHECKING:
    from stages.structures import Scene
    from stages.superpoints.partition import GraphParameters, Method

SMALLEST, SMALLEST_ON_MESH = 5, 20
"""Points of the smallest region that gave the best labels; the edges of a mesh keep larger regions pure."""


class Superpoints(SceneStage):
    """Groups the points of each scene into regions."""

    name = "superpoints"
    version = 2
    Config: ClassVar[type[StageConfig]] = SuperpointsConfig
    inputs = ("scenes",)
    every_round = False
    unfingerprinted = ("path",)
    config: SuperpointsConfig

    def files(self, scene: str) -> tuple[Path, ...]:
        """The partition file of a scene, under method ``file``."""
        if self.config.method != "file" or self.config.path is None:
            return ()
        from stages.superpoints.files import partition_files

        return tuple(partition_files(self.config.path, scene))

    def run_scene(self, job: SceneJob) -> Result:
        """The partition of one scene; raises SceneError where the scene lacks what the method needs."""
        from stages.stores import read_scene, superpoints_result
        from stages.superpoints.partition import partition_scene

        scene = read_scene(job.inputs["scenes"])
        if self.config.method == "file":
            scene = self._with_file(scene)
        method = self._method(scene)
        try:
            superpoints = partition_scene(scene, method, self._parameters(method))
        except ValueError as error:
            raise SceneError(
                f"scene {scene.scene}: {error}; superpoints.method {self.config.method} cannot be "
                "used for it (auto can)"
            ) from error
        statistics = {"regions": float(len(superpoints)), "points": float(len(scene))}
        return superpoints_result(superpoints, statistics)

    def _with_file(self, scene: Scene) -> Scene:
        from stages.superpoints.files import find_partition, read_partition

        if self.config.path is None:
            raise ConfigurationError("superpoints.method file needs superpoints.path, the folder of the partitions")
        path = find_partition(self.config.path, scene.scene)
        partition = read_partition(path, len(scene), trust_pickle=self.config.trust_pickle)
        return replace(scene, given_superpoint=partition)

    def _method(self, scene: Scene) -> Method:
        if self.config.method == "file":
            return "given"
        if self.config.method != "auto":
            return self.config.method
        if scene.given_superpoint is not None:
            return "given"
        return "points" if scene.faces is None else "mesh"

    def _parameters(self, method: Method) -> GraphParameters:
        from stages.superpoints.partition import GraphParameters

        split = self.config.split_by_boxes
        return GraphParameters(
            neighbors=self.config.neighbors,
            normal_neighbors=self.config.normal_neighbors,
            weight=self.config.weight,
            scale=self.config.scale,
            minimum_size=self.config.minimum_size or (SMALLEST_ON_MESH if method == "mesh" else SMALLEST),
            split_by_boxes=split == "always" or (split == "auto" and method == "points"),
            margin=self.config.margin,
        )
