"""The scenes stage: raw scans, or built-in rooms, in; scenes with checked boxes out."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from pipeline.stage import Result, SceneJob, SceneStage, Source
from stages.scenes import readers
from stages.scenes.annotate import assemble
from stages.scenes.scan import ScanError


class Scenes(SceneStage):
    """Reads each scan, makes or checks its boxes, and adds the configured box noise."""

    name = "scenes"
    version = 2
    Config: ClassVar[Any] = Annotated[readers.AnyConfig, Field(discriminator="source")]
    inputs = ()
    every_round = False
    unfingerprinted = ("path", "labels_tsv", "count", "first")
    config: readers.AnyConfig

    def discover(self) -> list[Source]:
        """The scenes of the source, by id; raises InputError that says what was looked for where there is none."""
        return readers.discover(self.config)

    def run_scene(self, job: SceneJob) -> Result:
        """One scene; raises SceneError naming the first thing that is wrong with its files."""
        from stages.stores import scene_result

        scan = readers.read(job, self.config)
        scene, findings = assemble(scan, self.config, job.seed)
        errors = [finding for finding in findings if finding.severity == "error"]
        if scene is None:
            more = f" (and {len(errors) - 1} more errors; validate lists them all)" if len(errors) > 1 else ""
            raise ScanError(errors[0].message, errors[0].remedy + more)
        statistics = {
            "points": float(len(scene)),
            "points_not_finite": float(np.count_nonzero(~scene.finite)),
            "boxes": float(len(scene.boxes)),
            "instances": float(0 if scene.instance_class is None else len(scene.instance_class)),
        }
        return scene_result(scene, statistics, tuple(str(finding) for finding in findings))
