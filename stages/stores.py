"""Structures to stored results and back: the only place that knows which array of which store holds what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.stage import Array, Result
from pipeline.store import read_arrays
from stages.inference.records import Predictions, from_arrays
from stages.structures import (
    Boxes,
    Faces,
    LabelSource,
    PairPosteriors,
    RegionFeatures,
    Scene,
    Superpoints,
    Surface,
)

_POSTERIOR_DIMENSIONS: dict[str, tuple[str, ...]] = {
    "owner": ("region",),
    "source": ("region",),
    "candidate": ("object", "region"),
    "prior": ("owner", "region"),
    "pair": ("pair", "side"),
    "overlap": ("pair",),
    "indptr": ("pair_bound",),
    "region": ("entry",),
    "latent_mean": ("entry",),
    "latent_variance": ("entry",),
    "probability": ("entry",),
    "mean": ("entry",),
    "variance": ("entry",),
    "length_scale": ("pair",),
    "output_scale": ("pair",),
    "evidence": ("pair",),
    "steps": ("pair",),
    "jitter_retries": ("pair",),
    "fitted": ("pair",),
    "joint_mean": ("owner", "region"),
    "joint_variance": ("region",),
}
_POINT_ARRAYS: dict[str, tuple[str, ...]] = {
    "xyz": ("point", "xyz"),
    "rgb": ("point", "rgb"),
    "normals": ("point", "xyz"),
    "faces": ("face", "corner"),
    "given_superpoint": ("point",),
    "background_boxes": ("background_box", "corner_xyz"),
    "instance": ("point",),
    "semantic": ("point",),
    "instance_class": ("instance",),
    "offset": ("xyz",),
    "alignment": ("row", "column"),
}


def box_arrays(boxes: Boxes) -> dict[str, Array]:
    """The stored form of boxes, in every store that has them."""
    return {
        "box": Array(boxes.corners, ("object", "corner_xyz")),
        "box_class": Array(boxes.class_index, ("object",)),
        "box_instance": Array(boxes.instance, ("object",)),
    }


def read_boxes(arrays: dict[str, np.ndarray]) -> Boxes:
    """The boxes among the arrays of a store."""
    return Boxes(arrays["box"], arrays["box_class"], arrays["box_instance"])


def scene_result(scene: Scene, statistics: dict[str, float] | None = None, warnings: tuple[str, ...] = ()) -> Result:
    """The stored form of a scene; arrays that the source does not have are left out."""
    arrays = {
        name: Array(getattr(scene, name), dimensions)
        for name, dimensions in _POINT_ARRAYS.items()
        if getattr(scene, name) is not None
    }
    attributes = {"scene": scene.scene, "class_names": list(scene.class_names), "frame": scene.frame}
    return Result(arrays | box_arrays(scene.boxes), attributes, statistics or {}, warnings)


def read_scene(folder: Path) -> Scene:
    """The scene stored in ``folder``; raises StoreError for a torn or foreign store."""
    arrays, attributes = read_arrays(folder)
    fields: dict[str, Any] = {name: arrays[name] for name in _POINT_ARRAYS if name in arrays}
    return Scene(
        scene=attributes["scene"],
        boxes=read_boxes(arrays),
        class_names=tuple(attributes["class_names"]),
        frame=attributes["frame"],
        **fields,
    )


def superpoints_result(
    superpoints: Superpoints, statistics: dict[str, float] | None = None, warnings: tuple[str, ...] = ()
) -> Result:
    """The stored form of a partition and of the surface."""
    arrays = {
        "superpoint": Array(superpoints.superpoint, ("point",)),
        "indptr": Array(superpoints.indptr, ("region_bound",)),
        "neighbor": Array(superpoints.neighbor, ("edge",)),
        "contacts": Array(superpoints.contacts, ("edge",)),
        "affinity": Array(superpoints.affinity, ("edge",)),
        "normal": Array(superpoints.surface.normal, ("point", "xyz")),
        "coarse": Array(superpoints.surface.coarse, ("partition", "point")),
        "on_floor": Array(superpoints.surface.on_floor, ("point",)),
    }
    attributes = {"method": superpoints.method, "parameters": dict(superpoints.parameters)}
    return Result(arrays, attributes, statistics or {}, warnings)


def read_superpoints(folder: Path) -> Superpoints:
    """The partition stored in ``folder``; raises StoreError for a torn or foreign store."""
    arrays, attributes = read_arrays(folder)
    surface = Surface(*(arrays.pop(name) for name in ("normal", "coarse", "on_floor")))
    return Superpoints(**arrays, surface=surface, method=attributes["method"], parameters=attributes["parameters"])


def features_result(features: RegionFeatures) -> Result:
    """The stored form of region features."""
    arrays = {"feature": Array(features.feature, ("region", "column"))}
    return Result(arrays, {"columns": list(features.columns), "normalization": features.normalization})


def read_features(folder: Path) -> RegionFeatures:
    """The features stored in ``folder``; raises StoreError for a torn or foreign store."""
    arrays, attributes = read_arrays(folder)
    return RegionFeatures(arrays["feature"], tuple(attributes["columns"]), attributes["normalization"])


def posteriors_result(
    posteriors: PairPosteriors, statistics: dict[str, float] | None = None, warnings: tuple[str, ...] = ()
) -> Result:
    """The stored form of determined regions and pair posteriors."""
    arrays = {
        name: Array(getattr(posteriors, name), dims)
        for name, dims in _POSTERIOR_DIMENSIONS.items()
        if getattr(posteriors, name) is not None
    }
    attributes = {
        "link": posteriors.link,
        "engine": posteriors.engine,
        "faces": posteriors.faces.trust,
        "faces_touched": posteriors.faces.touched,
        "face_deviation": posteriors.faces.deviation,
        "source_names": source_names(),
    }
    return Result(arrays, attributes, statistics or {}, warnings)


def read_posteriors(folder: Path) -> PairPosteriors:
    """The posteriors stored in ``folder``; raises StoreError for a torn or foreign store."""
    arrays, attributes = read_arrays(folder)
    faces = Faces(attributes["faces"], attributes["faces_touched"], attributes["face_deviation"])
    return PairPosteriors(**arrays, link=attributes["link"], engine=attributes["engine"], faces=faces)


def read_predictions(folder: Path) -> Predictions:
    """The predictions stored in ``folder``; raises StoreError for a torn or foreign store."""
    return from_arrays(read_arrays(folder)[0])


def source_names() -> list[str]:
    """Names of the label sources; position is the stored value."""
    return [member.name.lower() for member in LabelSource]
