"""Pseudo-labels to their store and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import StoreError
from pipeline.stage import Array, Result
from pipeline.store import DATA, read_arrays
from stages.pseudo_labels.labels import FORMAT, FORMAT_VERSION, PseudoLabels
from stages.stores import box_arrays, read_boxes, source_names

_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "superpoint": ("point",),
    "mask": ("object", "region"),
    "mean": ("object", "region"),
    "variance": ("object", "region"),
    "probability": ("object", "region"),
    "latent_mean": ("object", "region"),
    "latent_variance": ("object", "region"),
    "source": ("region",),
    "contested": ("region",),
    "ignore": ("region",),
    "uncertainty": ("region",),
}
CONTESTED_NAMES = ("determined", "overlap", "background")


def labels_result(
    labels: PseudoLabels, statistics: dict[str, float] | None = None, warnings: tuple[str, ...] = ()
) -> Result:
    """The stored form of pseudo-labels; the arrays and attributes are documented in ARCHITECTURE.md."""
    arrays = {name: Array(getattr(labels, name), dimensions) for name, dimensions in _DIMENSIONS.items()}
    attributes: dict[str, Any] = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "scene": labels.scene,
        "class_names": list(labels.class_names),
        "frame": labels.frame,
        "offset": [float(value) for value in labels.offset],
        "link": labels.link,
        "source_names": source_names(),
        "contested_names": list(CONTESTED_NAMES),
        "superpoint_method": labels.superpoint_method,
        "superpoint_parameters": dict(labels.superpoint_parameters),
    }
    return Result(arrays | box_arrays(labels.boxes), attributes, statistics or {}, warnings)


def read_labels(path: Path) -> PseudoLabels:
    """The labels in a scene's folder, or in the ``data.zarr.zip`` there; raises StoreError for anything else."""
    folder = path.parent if path.name == DATA else path
    arrays, attributes = read_arrays(folder)
    if attributes.get("format") != FORMAT:
        raise StoreError(f"{path} holds no pseudo-labels: open <run>/round_00/pseudo_labels/<scene>")
    if attributes.get("version") != FORMAT_VERSION:
        raise StoreError(
            f"{path} is version {attributes.get('version')} of {FORMAT}, this boxgp reads "
            f"{FORMAT_VERSION}: run the stage again"
        )
    return PseudoLabels(
        scene=attributes["scene"],
        **{name: arrays[name] for name in _DIMENSIONS},
        boxes=read_boxes(arrays),
        class_names=tuple(attributes["class_names"]),
        frame=attributes["frame"],
        offset=np.array(attributes["offset"], np.float64),
        link=attributes["link"],
        superpoint_method=attributes["superpoint_method"],
        superpoint_parameters=attributes["superpoint_parameters"],
    )
