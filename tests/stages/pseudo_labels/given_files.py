"""Labels in GaPro's files, and imported again."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.export.formats.gapro import pseudo_labels
from stages.export.scene import LabelledScene
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.imported_files import imported_labels
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Superpoints, Surface

NOTHING = -100
SEM, INST, PROB, MU, VAR = range(5)


def partition(labelled: LabelledScene) -> Superpoints:
    """The regions of labels as the stage superpoints would have them, without a graph."""
    labels, points = labelled.labels, len(labelled.scene)
    nothing = np.zeros(0, np.int32)
    surface = Surface(np.zeros((points, 3), np.float32), np.zeros((2, points), np.int32), np.zeros(points, bool))
    return Superpoints(
        superpoint=labels.superpoint,
        indptr=np.zeros(labels.mask.shape[1] + 1, np.int64),
        neighbor=nothing,
        contacts=nothing,
        affinity=np.zeros(0, np.float32),
        surface=surface,
        method=labels.superpoint_method,
        parameters=labels.superpoint_parameters,
    )


def arrays_of(labelled: LabelledScene) -> list[np.ndarray]:
    """The five arrays that an export writes."""
    return [values.copy() for values in pseudo_labels(labelled)]


def of_regions(labelled: LabelledScene, values: np.ndarray) -> np.ndarray:
    """Values of kept points as the published generator writes means and variances: one a region."""
    return np.asarray(values[np.unique(labelled.superpoint(), return_index=True)[1]])


def imported(
    labelled: LabelledScene, arrays: Sequence[Any], folder: Path, *, superpoint: object = None, trust: bool = False
) -> tuple[PseudoLabels, list[str]]:
    """Writes a file, and the one of its regions, and imports them for the scene."""
    names = {"path": "labels", "superpoints": "superpoints"}
    contents = {"path": tuple(arrays), "superpoints": superpoint}
    given: dict[str, Path] = {}
    for name, content in contents.items():
        if content is not None:
            given[name] = folder / names[name]
            given[name].mkdir(exist_ok=True)
            torch.save(content, given[name] / f"{labelled.name}.pth")
    config = PseudoLabelsConfig(path=given["path"], superpoints=given.get("superpoints"), trust_pickle=trust)
    return imported_labels(labelled.scene, partition(labelled), config)


def halved(labelled: LabelledScene) -> LabelledScene:
    """The same scan in regions of which each one is two of before."""
    superpoint = labelled.labels.superpoint // 2
    regions = int(superpoint.max()) + 1
    maps = {
        name: getattr(labelled.labels, name)[..., ::2][..., :regions]
        for name in ("mask", "mean", "variance", "probability", "latent_mean", "latent_variance")
    }
    of_region = {
        name: getattr(labelled.labels, name)[::2][:regions] for name in ("source", "contested", "ignore", "uncertainty")
    }
    return replace(labelled, labels=replace(labelled.labels, superpoint=superpoint, **maps, **of_region))
