"""A scan with its regions and pseudo-labels, as tensors to train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import LabelSource, Scene
from stages.training.batch import RegionLabels, TrainingScene
from stages.typing import Bool, Int32, Int64


def training_scene(scene: Scene, superpoint: Int32[np.ndarray, " N"], labels: PseudoLabels | None) -> TrainingScene:
    """The points of ``scene`` that have a region (-1: none), and its labels where there are any.

    Region s stays region s, so that what a network says of it can be stored beside the superpoints. Objects that no
    region is labelled with are left out: nothing shows what they look like. Raises ValueError where region ids have
    gaps, or where labels belong to other regions.
    """
    kept = superpoint >= 0
    region = superpoint[kept].astype(np.int64)
    regions = int(region.max(initial=-1)) + 1
    if len(np.unique(region)) != regions:
        raise ValueError(f"scene {scene.scene}: some of its regions 0..{regions - 1} have no point; number them anew")
    if labels is not None and not np.array_equal(labels.superpoint, superpoint):
        raise ValueError(f"scene {scene.scene}: its labels belong to other superpoints; make both in one run")
    color = np.zeros((len(region), 3), np.float32) if scene.rgb is None else scene.rgb[kept] / np.float32(127.5) - 1
    return TrainingScene(
        scene=scene.scene,
        xyz=torch.from_numpy(scene.xyz[kept]),
        color=torch.from_numpy(color),
        superpoint=torch.from_numpy(region),
        regions=regions,
        labels=None if labels is None else labelled_objects(region_labels(labels)),
    )


def region_labels(labels: PseudoLabels) -> RegionLabels:
    """A region is contested where a posterior decided it; a fallback is the decision of a rule."""
    determined = labels.source != LabelSource.GP
    corners = labels.boxes.corners
    return RegionLabels(
        mask=torch.from_numpy(labels.mask.copy()),
        mean=torch.from_numpy(labels.mean.copy()),
        variance=torch.from_numpy(np.where(determined, np.float32(0), labels.variance)),
        determined=torch.from_numpy(determined),
        ignore=torch.from_numpy(labels.ignore.copy()),
        class_index=torch.from_numpy(labels.boxes.class_index.astype(np.int64)),
        center=torch.from_numpy((corners[:, :3] + corners[:, 3:]) / np.float32(2)),
    )


def labelled_objects(labels: RegionLabels) -> RegionLabels:
    """Labels of the objects that have a region."""
    kept = labels.mask.any(dim=1)
    return labels if bool(kept.all()) else select_objects(labels, kept.nonzero().squeeze(1))


def select_objects(labels: RegionLabels, objects: Int64[Tensor, " J"]) -> RegionLabels:
    """Labels of some objects, in the order given."""
    of_object = ("mask", "mean", "variance", "class_index", "center")
    return replace(labels, **{name: getattr(labels, name)[objects] for name in of_object})


def select_regions(labels: RegionLabels, kept: Bool[Tensor, " S"]) -> RegionLabels:
    """Labels of some regions, of all objects."""
    return replace(
        labels,
        mask=labels.mask[:, kept],
        mean=labels.mean[:, kept],
        variance=labels.variance[:, kept],
        determined=labels.determined[kept],
        ignore=labels.ignore[kept],
    )
