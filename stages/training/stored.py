"""Labelled scenes of a run as what a network learns from, read when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from stages.evaluation.scene import known_truth
from stages.pseudo_labels.store import read_labels
from stages.scores.figures import RegionTruth, region_truth
from stages.stores import read_scene, read_superpoints
from stages.training.batch import TrainingScene
from stages.training.scenes import training_scene

ONE_CLASS = "object"
"""The class of all objects where the annotation names no classes."""
_KEPT_BYTES = 2**30

Folders = Mapping[str, str]
"""``scene``, its id, and the folders of its results by stage"""


class StoredScenes:
    """The scenes in such folders; those that were read last stay in memory, up to 1 GiB.

    Reading raises StoreError for a torn result, ValueError where results do not belong together.
    """

    def __init__(self, folders: Sequence[Folders]) -> None:
        self._folders = folders
        self._kept: OrderedDict[int, TrainingScene] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, place: int, /) -> TrainingScene:
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        scene = _read(self._folders[place])
        self._kept[place] = scene
        self._bytes += _size(scene)
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= _size(self._kept.popitem(last=False)[1])
        return scene


def class_names(folders: Folders) -> tuple[str, ...]:
    """The classes of a scene's objects."""
    return read_labels(Path(folders["pseudo_labels"])).class_names or (ONE_CLASS,)


def stored_truth(folders: Folders) -> RegionTruth | None:
    """The ground truth of a scene over its regions, None where it has none."""
    truth = known_truth(read_scene(Path(folders["scenes"])))
    superpoints = read_superpoints(Path(folders["superpoints"]))
    return None if truth is None else region_truth(truth, superpoints.superpoint, len(superpoints))


def _read(folders: Folders) -> TrainingScene:
    labels = read_labels(Path(folders["pseudo_labels"]))
    superpoints = read_superpoints(Path(folders["superpoints"]))
    scene = training_scene(read_scene(Path(folders["scenes"])), superpoints.superpoint, labels)
    if scene.labels is None or labels.class_names:
        return scene
    return replace(scene, labels=replace(scene.labels, class_index=torch.zeros_like(scene.labels.class_index)))


def _size(scene: TrainingScene) -> int:
    labels = scene.labels
    tensors = [scene.xyz, scene.color, scene.superpoint]
    tensors += [] if labels is None else [getattr(labels, one.name) for one in fields(labels)]
    return sum(one.nbytes for one in tensors)
