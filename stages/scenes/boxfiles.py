"""Boxes from ``<scene>.boxes.json``: our own schema, or what the annotation tool labelCloud writes.

Ours: ``{"boxes": [{"min": [x, y, z], "max": [x, y, z], "class": "chair"}, ...]}`` in metres, in the frame of the
points; ``class`` is a name, an index into the declared classes, or absent. A list ``background`` beside ``boxes``, of
entries with ``min`` and ``max``, names walls, floors and the like.

labelCloud's: ``{"objects": [{"name": "chair", "centroid": {"x", "y", "z"}, "dimensions": {"length", "width", "height"},
"rotations": {"x", "y", "z"}}, ...]}`` (its format centroid_abs, in degrees, or centroid_rel, in radians), or eight
``vertices`` in place of the three (format vertices). Boxes that are turned become their axis-aligned hulls.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stages.scenes.checks import error, numbers, warning
from stages.scenes.scan import Finding, GivenBoxes, ScanError
from stages.typing import Float64

RotationUnit = Literal["auto", "degrees", "radians"]
SCHEMA = (
    'write {"boxes": [{"min": [x, y, z], "max": [x, y, z], "class": "name"}]}, '
    "or export from labelCloud as centroid_abs, centroid_rel or vertices"
)
TURNED = 1.0001
"""a hull this many times larger than its box was made from a turned one"""


def read_boxes(file: Path, class_names: Sequence[str], unit: RotationUnit) -> tuple[GivenBoxes, list[Finding]]:
    """The boxes of a file and findings about them; raises ScanError where the file fits neither schema.

    Each entry that cannot be used gives an error.
    """
    data = load_json(file)
    if isinstance(data, dict) and isinstance(data.get("boxes"), list):
        entries, read = data["boxes"], _own_corners
    elif isinstance(data, dict) and isinstance(data.get("objects"), list):
        entries = data["objects"]
        radians = _in_radians(file, entries, unit)

        def read(entry: Any) -> Float64[np.ndarray, "8 3"]:
            return _labelcloud_corners(entry, radians)

    else:
        raise ScanError(f"{file}: neither a list 'boxes' nor a list 'objects'", SCHEMA)
    corners = np.zeros((len(entries), 6))
    class_index = np.full(len(entries), -1, np.int32)
    turned = np.zeros(len(entries), bool)
    findings = []
    for k, entry in enumerate(entries):
        try:
            corners[k], turned[k] = _hull(read(entry))
            class_index[k] = _class(entry, class_names)
        except _UndeclaredError as problem:
            remedy = f"add it to `classes` (declared: {', '.join(class_names)})"
            findings.append(error(f"{file}: box {k} has class {problem}, which is not declared", remedy))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            findings.append(error(f"{file}: box {k} cannot be read ({problem!r})", SCHEMA))
    if turned.any():
        what = f"{file}: boxes {numbers(turned)} are turned"
        findings.append(warning(what, "their axis-aligned hulls are used, which are larger"))
    return GivenBoxes(corners, class_index, np.full(len(entries), -1, np.int32)), findings


def read_background(file: Path) -> Float64[np.ndarray, "B 6"] | None:
    """The background boxes of a file in our schema, None where it names none; raises ScanError for other entries."""
    data = load_json(file)
    entries = data.get("background") if isinstance(data, dict) else None
    if entries is None:
        return None
    try:
        return np.array([_own_corners(entry).reshape(6) for entry in entries], np.float64).reshape(-1, 6)
    except (KeyError, TypeError, ValueError) as problem:
        raise ScanError(f"{file}: list 'background' cannot be read ({problem!r})", SCHEMA) from problem


def load_json(file: Path) -> Any:
    """The content of a JSON file; raises ScanError where it cannot be read."""
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as problem:
        raise ScanError(f"{file}: not readable as JSON ({problem})", "export it again") from problem


class _UndeclaredError(Exception):
    """A class name or index that is not declared."""


def _class(entry: dict[str, Any], class_names: Sequence[str]) -> int:
    """Index of the class of an entry, -1 for none."""
    named = entry.get("class", entry.get("name"))
    if named is None:
        return -1
    if isinstance(named, str) and named in class_names:
        return class_names.index(named)
    if isinstance(named, int) and not isinstance(named, bool) and 0 <= named < len(class_names):
        return named
    raise _UndeclaredError(repr(named))


def _own_corners(entry: Any) -> Float64[np.ndarray, "2 3"]:
    """The two corners of an entry of our schema."""
    return np.array([_triple(entry["min"]), _triple(entry["max"])])


def _labelcloud_corners(entry: Any, radians: bool) -> Float64[np.ndarray, "8 3"]:
    """The eight vertices of a labelCloud object, in its order: 1, 3 and 4 are the neighbours of vertex 0."""
    if "vertices" in entry:
        vertices = np.array([_triple(vertex) for vertex in entry["vertices"]])
        if len(vertices) != 8:
            raise ValueError(f"{len(vertices)} vertices")
        return vertices
    center = _triple([entry["centroid"][axis] for axis in "xyz"])
    size = _triple([entry["dimensions"][side] for side in ("length", "width", "height")])
    if (size < 0).any():
        raise ValueError(f"negative dimensions {size.tolist()}")
    angles = _triple(_angles(entry))
    signs = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (-1, 1), (1, 1), (1, -1))]) / 2
    return np.asarray(center + (signs * size) @ _rotation(angles if radians else np.deg2rad(angles)).T)


def _angles(entry: Any) -> list[Any]:
    rotations = entry.get("rotations", {})
    return [rotations.get(axis, 0.0) for axis in "xyz"]


def _rotation(angles: Float64[np.ndarray, " 3"]) -> Float64[np.ndarray, "3 3"]:
    """Rz Ry Rx, which is how labelCloud turns a box about its centre; quarter turns are exact."""
    (cx, cy, cz), (sx, sy, sz) = np.round(np.cos(angles), 12), np.round(np.sin(angles), 12)
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    result: Float64[np.ndarray, "3 3"] = around_z @ around_y @ around_x
    return result


def _hull(vertices: Float64[np.ndarray, "V 3"]) -> tuple[Float64[np.ndarray, " 6"], bool]:
    """Min and max corners, and whether they span more than the box did. Two vertices are the corners as they stand."""
    if len(vertices) == 2:
        return vertices.reshape(6), False
    corners = np.concatenate([vertices.min(axis=0), vertices.max(axis=0)])
    edges = np.linalg.norm(vertices[[1, 3, 4]] - vertices[0], axis=1)
    return corners, bool(np.prod(corners[3:] - corners[:3]) > np.prod(edges) * TURNED)


def _in_radians(file: Path, objects: list[Any], unit: RotationUnit) -> bool:
    """Whether rotations are in radians: labelCloud writes degrees in 0..360 or radians in -pi..pi and names neither."""
    if unit != "auto":
        return unit == "radians"
    try:
        angles = np.array([_triple(_angles(entry)) for entry in objects if isinstance(entry, dict)])
    except (TypeError, ValueError, AttributeError):
        return False  # the entry that cannot be read is reported with its number
    if (np.abs(angles) > np.pi + 1e-6).any() or not (angles != 0).any():
        return False
    if (angles < 0).any():
        return True
    raise ScanError(
        f"{file}: rotations in 0..{angles.max():g} may be degrees or radians",
        "say which: `rotation_unit: degrees` (labelCloud's centroid_abs) or `radians` (centroid_rel)",
    )


def _triple(values: Any) -> Float64[np.ndarray, " 3"]:
    if len(values) != 3 or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise ValueError(f"expected three numbers, found {values!r}")
    return np.array(values, np.float64)
