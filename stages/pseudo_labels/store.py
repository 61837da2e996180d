"""Pseudo-labels to their store and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import StoreError
from pipeline.stage import Array, Result
from pipeline.store import DATA, read_arrays, read_zip
from stages.pseudo_labels.labels import FORMAT, FORMAT_VERSION, PseudoLabels
from stages.stores import box_arrays, read_boxes, source_names
from stages.structures import Boxes

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
GEOMETRY = "geometry"
"""attribute of published stores: whether they say where a room and its boxes stand"""
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


def published_result(labels: PseudoLabels, *, geometry: bool) -> Result:
    """The stored form of pseudo-labels for publication.

    Without ``geometry`` it holds no box corners, no offset, and no ids of the ground truth's instances, whose
    annotation is not ours to publish; the classes of the objects stay. ``read_labels`` reads NaN corners, a NaN offset
    and instances -1 there.
    """
    result = labels_result(labels)
    if geometry:
        return replace(result, attributes={**result.attributes, GEOMETRY: True})
    arrays = {name: array for name, array in result.arrays.items() if name not in {"box", "box_instance"}}
    attributes = {name: value for name, value in result.attributes.items() if name != "offset"}
    return replace(result, arrays=arrays, attributes={**attributes, GEOMETRY: False})


def read_labels(path: Path) -> PseudoLabels:
    """The labels in a scene's folder, in the ``data.zarr.zip`` there, or in a file of a release.

    Raises StoreError for anything else.
    """
    published = path.name != DATA and path.is_file()
    arrays, attributes = read_zip(path) if published else read_arrays(path.parent if path.name == DATA else path)
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
        boxes=read_boxes(arrays) if attributes.get(GEOMETRY, True) else _without_corners(arrays["box_class"]),
        class_names=tuple(attributes["class_names"]),
        frame=attributes["frame"],
        offset=np.array(attributes.get("offset", [np.nan] * 3), np.float64),
        link=attributes["link"],
        superpoint_method=attributes["superpoint_method"],
        superpoint_parameters=attributes["superpoint_parameters"],
    )


def _without_corners(class_index: np.ndarray) -> Boxes:
    """Boxes of which the classes alone are known."""
    unknown = np.full((len(class_index), 6), np.nan, np.float32)
    return Boxes(unknown, class_index, np.full(len(class_index), -1, np.int32))
