"""Rooms as plain arrays: all that training, judging and better labels need, one .npz file a room."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks.experiment.rows import Rule
from benchmarks.experiment.settings import write_whole
from stages.posteriors.determine import Ownership
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Boxes, Faces, Scene, Superpoints, Surface
from stages.training.batch import TrainingScene
from stages.training.scenes import training_scene

_NESTED: Mapping[str, type] = {"boxes": Boxes, "ownership": Ownership, "trust": Faces}
_PLAIN = "plain"
_UNUSED = ("normals", "faces", "given_superpoint", "background_boxes", "semantic", "surface")
"""What neither training nor better labels look at."""
_Structure = TypeVar("_Structure")


@dataclass(frozen=True, eq=False)
class BeforeNetwork:
    """What boxes and surfaces say about the owners of regions, before any network does.

    Of ``stages.posteriors.infer.prepare``: with it, posteriors are computed anew without compiled code.
    """

    ownership: Ownership
    """boxes in canonical order"""
    order: np.ndarray
    """int64 [K], the annotation's number of each box"""
    trust: Faces
    seed: np.ndarray | None = None
    """bool [K,S], regions that touch the faces of exact boxes"""


@dataclass(frozen=True, eq=False)
class Room:
    """One room; its superpoints come without the surface, which is empty."""

    scene: Scene
    superpoints: Superpoints
    labels: PseudoLabels | None = None
    before_network: BeforeNetwork | None = None


def write_room(
    path: Path,
    scene: Scene,
    superpoints: Superpoints,
    labels: Mapping[Rule, PseudoLabels],
    before_network: BeforeNetwork | None,
) -> None:
    """Stores a room with its labels by each rule."""
    arrays = _packed(scene, "scene", _UNUSED) | _packed(superpoints, "superpoints", _UNUSED)
    for rule, found in labels.items():
        arrays |= _packed(found, f"labels/{rule}", ("superpoint",))
    if before_network is not None:
        arrays |= _packed(before_network, "before_network")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_whole(path, buffer.getvalue())


def read_room(path: Path, rule: Rule | None = None, *, before_network: bool = False) -> Room:
    """A room, with its labels by one rule, and with what is known before networks, where they are asked for."""
    wanted = ["scene/", "superpoints/"]
    wanted += [] if rule is None else [f"labels/{rule}/"]
    wanted += ["before_network/"] if before_network else []
    with np.load(path, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files if key.startswith(tuple(wanted))}
    scene = _unpacked(Scene, arrays, "scene")
    count = len(scene)
    surface = Surface(np.zeros((count, 3), np.float32), np.full((2, count), -1, np.int32), np.zeros(count, bool))
    superpoints = _unpacked(Superpoints, arrays, "superpoints", surface=surface)
    return Room(
        scene,
        superpoints,
        None if rule is None else _unpacked(PseudoLabels, arrays, f"labels/{rule}", superpoint=superpoints.superpoint),
        _unpacked(BeforeNetwork, arrays, "before_network") if before_network else None,
    )


def to_learn_from(room: Room, labels: PseudoLabels | None) -> TrainingScene:
    """A room as tensors; where the annotation names no classes, all objects are of one."""
    scene = training_scene(room.scene, room.superpoints.superpoint, labels)
    if scene.labels is None or room.scene.class_names:
        return scene
    return replace(scene, labels=replace(scene.labels, class_index=torch.zeros_like(scene.labels.class_index)))


def _packed(structure: Any, name: str, leave_out: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """The arrays of a structure under keys that begin with ``name``; what is no array, as JSON."""
    arrays: dict[str, np.ndarray] = {}
    plain: dict[str, Any] = {}
    for field in fields(structure):
        value = getattr(structure, field.name)
        if field.name in leave_out or value is None:
            continue
        if isinstance(value, np.ndarray):
            arrays[f"{name}/{field.name}"] = value
        elif is_dataclass(value):
            arrays |= _packed(value, f"{name}/{field.name}")
        else:
            plain[field.name] = value
    return arrays | {f"{name}/{_PLAIN}": np.array(json.dumps(plain))}


def _unpacked(kind: type[_Structure], arrays: Mapping[str, np.ndarray], name: str, **others: Any) -> _Structure:
    """The inverse of ``_packed``; ``others`` are the fields that were left out."""
    own = {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}
    plain = json.loads(str(own.pop(_PLAIN)))
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    for field in {key.partition("/")[0] for key in own}:
        inner = f"{field}/{_PLAIN}" in own
        values[field] = _unpacked(_NESTED[field], own, field) if inner else own[field]
    return kind(**values, **others)
