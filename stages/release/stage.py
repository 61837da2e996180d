"""Writes what a release holds of one scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipeline.stage import Result, SceneJob, SceneStage, StageConfig

if TYPE_CHECKING:
    from stages.pseudo_labels.labels import PseudoLabels


class ReleaseConfig(StageConfig):
    """Where a release goes, and whether the scans come along."""

    to: Path = Field(description="folder of the release")
    geometry: bool = Field(description="whether points, colours and boxes may be published")


class ReleasedScene(SceneStage):
    """Labels of one scene, and where allowed its scan, as files; the result of the stage is the receipt."""

    name = "release"
    version = 1
    Config: ClassVar[type[StageConfig]] = ReleaseConfig
    inputs = ("scenes", "pseudo_labels")
    unfingerprinted = ("to",)
    config: ReleaseConfig

    def run_scene(self, job: SceneJob) -> Result:
        """Writes one scene; raises StoreError where it cannot be read or written."""
        from pipeline.store import zip_bytes
        from stages.export.base import npz_bytes
        from stages.pseudo_labels.store import published_result, read_labels
        from stages.release.folder import deliver, labels_name, scan_name
        from stages.release.scans import scan_arrays
        from stages.stores import read_scene

        labels = read_labels(job.inputs["pseudo_labels"])
        files = {labels_name(job.scene): zip_bytes(published_result(labels, geometry=self.config.geometry))}
        if self.config.geometry:
            files[scan_name(job.scene)] = npz_bytes(**scan_arrays(read_scene(job.inputs["scenes"])))
        return Result(attributes={"files": deliver(self.config.to, files), "facts": _facts(labels)})


def _facts(labels: PseudoLabels) -> dict[str, Any]:
    """What the tables of a release say of one scene."""
    from stages.release.facts import scene_facts

    return scene_facts(labels)
