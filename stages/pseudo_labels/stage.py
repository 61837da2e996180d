"""The pseudo_labels stage: posteriors (or others' labels) in, the public store of masks, means and variances out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import ConfigurationError
from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.pseudo_labels.config import PseudoLabelsConfig

if TYPE_CHECKING:
    from stages.pseudo_labels import labels
    from stages.structures import Scene, Superpoints


class PseudoLabels(SceneStage):
    """Fuses the posteriors of each scene's pairs into one label a region, or takes labels from files."""

    name = "pseudo_labels"
    version = 1
    Config: ClassVar[type[StageConfig]] = PseudoLabelsConfig
    inputs = ("scenes", "superpoints", "posteriors")
    unfingerprinted = ("path", "superpoints", "trust_pickle")
    config: PseudoLabelsConfig

    def files(self, scene: str) -> tuple[Path, ...]:
        """The files that labels are taken from."""
        if self.config.path is None:
            return ()
        from stages.pseudo_labels.imported_files import label_files

        return label_files(self.config, scene)

    def check(self) -> None:
        """Refuses folders of files that do not exist."""
        for name in ("path", "superpoints"):
            folder = getattr(self.config, name)
            if folder is not None and not folder.is_dir():
                raise ConfigurationError(f"pseudo_labels.{name}: {folder} is no folder")

    def run_scene(self, job: SceneJob) -> Result:
        """The labels of one scene; boxes that got no region are named in a warning."""
        from stages.pseudo_labels.build import empty_objects
        from stages.pseudo_labels.store import labels_result
        from stages.stores import read_scene, read_superpoints
        from stages.structures import LabelSource

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        labels, warnings = self._labels(job, scene, superpoints)
        statistics = {
            f"regions_by_source/{source.name.lower()}": float((labels.source == source).sum()) for source in LabelSource
        }
        empty = empty_objects(labels)
        named = ", ".join(str(k) for k in empty[:20]) + (", ..." if len(empty) > 20 else "")
        if empty:
            warnings.append(f"{len(empty)} of {len(labels.mask)} boxes got no region (boxes {named})")
        return labels_result(labels, statistics, tuple(warnings))

    def _labels(self, job: SceneJob, scene: Scene, superpoints: Superpoints) -> tuple[labels.PseudoLabels, list[str]]:
        """The labels of one scene, and what is odd about those from files."""
        if self.config.path is not None:
            from stages.pseudo_labels.imported_files import imported_labels

            return imported_labels(scene, superpoints, self.config)
        from stages.pseudo_labels.build import build_labels
        from stages.stores import read_posteriors

        return build_labels(scene, superpoints, read_posteriors(job.inputs["posteriors"]), self.config.fusion), []
