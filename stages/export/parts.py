"""Parts that several formats share."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.errors import SceneError
from stages.export.base import npy_bytes
from stages.export.classes import WALL, class_of_objects, scannet_ids
from stages.export.scene import IGNORED, LabelledScene
from stages.typing import Float32, Float64, Int32, Int64, UInt8

_PICKLE_PROTOCOL = 4
_MOST_OBJECTS = 999
_NYU40_UNANNOTATED = 0


def colors(labelled: LabelledScene) -> UInt8[np.ndarray, "M 3"]:
    """Colours of kept points, 0..255; raises SceneError for a scan without."""
    if labelled.scene.rgb is None:
        raise SceneError(
            f"scene {labelled.name} has no colours, which this format needs; add `rgb` to the scan, or export as zarr "
            "or ply"
        )
    return labelled.scene.rgb[labelled.kept]


def frame_of(labelled: LabelledScene) -> str:
    """Name of the frame that ``LabelledScene.raw_xyz`` is in, for the index: as in the scan's own file."""
    return "input" if labelled.scene.alignment is None else "input (axis alignment undone)"


def beside(labelled: LabelledScene) -> dict[str, np.ndarray]:
    """What formats have no place for, of each kept point [M]: float32 probability, mean and variance of its label,
    uncertainty (entropy of its owners, in [0, 1]), and uint8 source (who decided).

    Probability and mean are those of the owner, object or background, that the point is labelled with; the variance of
    background is the largest among the objects.
    """
    labels, kept = labelled.labels, labelled.kept
    found = {}
    for name in ("probability", "mean"):
        of_object = labelled.of_own_object(name, np.nan)
        rest = np.clip(1 - getattr(labels, name).sum(axis=0), 0, 1).astype(np.float32)
        found[name] = labelled.at_points(np.where(labelled.owner_of_region >= 0, of_object, rest), 0.0)[kept]
    variance = labels.variance.max(axis=0, initial=0)
    own = np.where(labelled.owner_of_region >= 0, labelled.of_own_object("variance", 0.0), variance)
    found["variance"] = labelled.at_points(own.astype(np.float32), 0.0)[kept]
    found["uncertainty"] = labelled.at_points(labels.uncertainty, 0.0)[kept]
    found["source"] = labelled.at_points(labels.source, 0.0)[kept]
    return found


def left_out(labelled: LabelledScene) -> dict[str, bytes]:
    """Where points of the scan are not finite: the indices of those that were kept, int64 [M], as a file."""
    if len(labelled.kept) == len(labelled.scene):
        return {}
    return {f"kept_points/{labelled.name}.npy": npy_bytes(labelled.kept)}


def near_xyz(labelled: LabelledScene) -> tuple[Float32[np.ndarray, "M 3"], Float64[np.ndarray, " 3"]]:
    """``LabelledScene.raw_xyz`` as float32, and what was subtracted from it before, metres.

    That is 0 but for scans farther than 1 km from their origin: 500 km away, float32 steps by 3 cm.
    """
    shift, scene = np.zeros(3), labelled.scene
    if scene.offset.any():
        shift = scene.offset.copy()
        if scene.alignment is not None:
            shift = np.linalg.solve(scene.alignment[:3, :3], shift - scene.alignment[:3, 3])
    return (labelled.raw_xyz() - shift).astype(np.float32), shift


def frame_facts(labelled: LabelledScene, shift: Float64[np.ndarray, " 3"]) -> dict[str, Any]:
    """Frame of ``near_xyz`` for the index, and the shift where there is one."""
    if not shift.any():
        return {"coords": frame_of(labelled)}
    return {"coords": f"{frame_of(labelled)}, minus shift", "shift": shift.tolist()}


def class_at_points(
    labelled: LabelledScene, id_of_class: Sequence[int], *, background: int, ignored: int
) -> Int64[np.ndarray, " M"]:
    """Class id of the object of each kept point; ``id_of_class``: id of each class of the run.

    Raises SceneError for objects without a class.
    """
    owner = labelled.owner[labelled.kept]
    owned = owner >= 0
    found = np.where(owner == IGNORED, ignored, background)
    found[owned] = np.array(id_of_class, np.int64)[class_of_objects(labelled)][owner[owned]]
    return found.astype(np.int64)


def nyu40_at_points(labelled: LabelledScene) -> Int64[np.ndarray, " M"]:
    """NYU40 id of each kept point: wall for background, 0 (unannotated) for points to be ignored; see ``scannet_ids``.

    Raises SceneError for objects without a class.
    """
    ids = scannet_ids(labelled.labels.class_names)
    of_class = [ids.nyu40[number] for number in ids.train_of_class]
    return class_at_points(labelled, of_class, background=ids.nyu40[WALL], ignored=_NYU40_UNANNOTATED)


def nyu40_classes(labelled: LabelledScene) -> dict[str, str]:
    """NYU40 id, as text, -> class, for the index."""
    ids = scannet_ids(labelled.labels.class_names)
    return {str(number): name for number, name in zip(ids.nyu40, ids.names, strict=True)}


def object_at_points(labelled: LabelledScene) -> Int64[np.ndarray, " M"]:
    """Object of each kept point, 0.., -1 for background and points to be ignored."""
    return np.maximum(labelled.owner[labelled.kept], -1).astype(np.int64)


def truth_lines(labelled: LabelledScene, class_id: Int64[np.ndarray, " M"], owner: Int64[np.ndarray, " M"]) -> bytes:
    """A line for each kept point as ScanNet's evaluation reads the truth: class id * 1000 + object + 1, object -1 none.

    Raises SceneError for more objects than that has room for.
    """
    if len(labelled.labels.boxes) > _MOST_OBJECTS:
        raise SceneError(
            f"scene {labelled.name} has {len(labelled.labels.boxes)} objects, and this format has room for "
            f"{_MOST_OBJECTS}; cut the scan into parts, or export as zarr"
        )
    return "".join(f"{one}\n" for one in (class_id * 1000 + owner + 1).tolist()).encode()


def pickle_bytes(value: object) -> bytes:
    """Plain values as a pickle; equal values give equal bytes."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream, _PICKLE_PROTOCOL)
    pickler.fast = True  # else the bytes depend on which of the equal strings within are one and the same object
    pickler.dump(value)
    return stream.getvalue()


def kept_faces(labelled: LabelledScene) -> Int32[np.ndarray, "F 3"] | None:
    """Triangles all of whose points were kept, as positions among these; None for a scan without a mesh."""
    faces = labelled.scene.faces
    if faces is None:
        return None
    finite = labelled.scene.finite
    return np.asarray((np.cumsum(finite) - 1)[faces[finite[faces].all(axis=1)]], np.int32)


def without_objects(labelled: LabelledScene) -> tuple[str, ...]:
    """A warning where no point has an object, for trainers that count objects by the largest id."""
    if labelled.split == "test" or (labelled.owner[labelled.kept] >= 0).any():
        return ()
    return (
        "no point has an object: the reader would count -99 objects and spoil the ids of other scenes in its batch; "
        "leave this scene out of training",
    )
