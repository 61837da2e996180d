"""Stored scenes with labels, and a training job of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.stage import DatasetJob, SceneJob
from stages.pseudo_labels.store import labels_result
from stages.structures import Boxes
from tests.stages.evaluation.labelled import labels_of, row_of_cubes
from tests.stages.inference.stored import store, store_scene
from tests.stages.training import toy_network

NETWORK = f"{toy_network.__file__}:ToyNetwork"
WITHOUT_BOXES: dict[str, Any] = {"boxes": Boxes.empty()}


def stored_row(
    folder: Path, name: str, split: str, cubes: int = 3, *, without_regions: bool = False, **changes: Any
) -> SceneJob:
    """Cubes in a row, half of them chairs and half tables, each two regions; labels say the truth."""
    scene, superpoint = row_of_cubes(cubes, name=name)
    scene = replace(scene, **changes)
    if without_regions:
        superpoint = np.full_like(superpoint, -1)
    regions = int(superpoint.max()) + 1
    owner = np.arange(regions) // 2
    labels = labels_of(scene, superpoint, np.where(owner < len(scene.boxes), owner, -1))
    inputs = store_scene(folder, scene, superpoint)
    inputs["pseudo_labels"] = store(folder / "pseudo_labels" / name, labels_result(labels))
    return SceneJob(name, inputs, split=split)


def rows_job(folder: Path, report: Callable[[int, int, str], None] = lambda *_: None, seed: int = 5) -> DatasetJob:
    """Three scenes to learn from and one to validate on."""
    train = [stored_row(folder, f"row{cubes}", "train", cubes) for cubes in (2, 3, 4)]
    return DatasetJob((*train, stored_row(folder, "val", "val")), seed, folder / "work", report)
