"""PLY files: their header, whether they are complete, and the vertices and triangles of binary meshes.

ScanNet keeps the label of a vertex in a property of its own, which general readers drop.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.scenes.scan import ScanError
from stages.typing import Int32

EXPORT_AGAIN = "download or export it again"
_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
}


@dataclass(frozen=True)
class PlyElement:
    """One element: properties are (name, numpy type), with (name, count type, item type) for lists."""

    name: str
    count: int
    properties: tuple[tuple[str, ...], ...]

    def record(self, order: str, list_length: int) -> np.dtype[np.void]:
        """Binary layout of one entry whose lists all hold ``list_length`` items; ``order`` is ``<`` or ``>``."""
        fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
        for name, *types in self.properties:
            if len(types) == 2:
                fields += [(f"{name}.length", order + types[0]), (name, order + types[1], (list_length,))]
            else:
                fields.append((name, order + types[0]))
        return np.dtype(fields)


@dataclass(frozen=True)
class PlyHeader:
    """Format (``ascii``, ``<`` or ``>`` for binary), elements in order of the file, and where the data start."""

    order: str
    elements: tuple[PlyElement, ...]
    start: int

    def element(self, name: str) -> PlyElement | None:
        """The element of this name."""
        return next((element for element in self.elements if element.name == name), None)


def parse_header(data: bytes, file: Path) -> PlyHeader:
    """The header of a PLY file; raises ScanError for anything else."""
    end = data.find(b"end_header")
    start = data.find(b"\n", end) + 1
    if not data.startswith(b"ply") or end < 0 or start == 0:
        raise ScanError(f"{file}: not a PLY file, or cut off in its header", EXPORT_AGAIN)
    formats = {"ascii": "ascii", "binary_little_endian": "<", "binary_big_endian": ">"}
    order, elements = "", list[PlyElement]()
    try:
        for line in data[:end].decode("ascii", "replace").splitlines():
            match line.split():
                case ["format", name, _]:
                    order = formats[name]
                case ["element", name, count]:
                    elements.append(PlyElement(name, int(count), ()))
                case ["property", "list", length, item, name]:
                    elements[-1] = _with(elements[-1], (name, _TYPES[length], _TYPES[item]))
                case ["property", kind, name]:
                    elements[-1] = _with(elements[-1], (name, _TYPES[kind]))
    except (KeyError, ValueError, IndexError) as problem:
        raise ScanError(f"{file}: PLY header cannot be read ({problem})", EXPORT_AGAIN) from problem
    if not order:
        raise ScanError(f"{file}: PLY header names no format", EXPORT_AGAIN)
    return PlyHeader(order, tuple(elements), start)


def _with(element: PlyElement, entry: tuple[str, ...]) -> PlyElement:
    return PlyElement(element.name, element.count, (*element.properties, entry))


def refuse_truncated_ply(data: bytes, file: Path) -> PlyHeader:
    """The header of a complete PLY file; raises ScanError where the data end too early.

    Open3D returns uninitialised memory for such files. Faces are taken to have three corners at least.
    """
    header = parse_header(data, file)
    if header.order == "ascii":
        expected = sum(element.count for element in header.elements)
        found, unit = len(data[header.start :].split(b"\n")) - data.endswith(b"\n"), "lines"
    else:
        sizes = (
            (item.count, item.record(header.order, 3 * (item.name == "face")).itemsize) for item in header.elements
        )
        expected = sum(count * size for count, size in sizes)
        found, unit = len(data) - header.start, "bytes"
    if found < expected:
        raise ScanError(f"{file}: cut off: {found} {unit} of data where the header promises {expected}", EXPORT_AGAIN)
    return header


def read_mesh(file: Path) -> tuple[dict[str, np.ndarray], Int32[np.ndarray, "F 3"]]:
    """Vertex properties by name, and the triangles, of a binary PLY file as ScanNet writes it.

    Raises ScanError for other files: truncated, ASCII, without vertices, faces other than triangles.
    """
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise ScanError(f"{file}: cannot be read ({problem.strerror})", EXPORT_AGAIN) from problem
    header = refuse_truncated_ply(data, file)
    if header.order == "ascii" or [element.name for element in header.elements] != ["vertex", "face"]:
        raise ScanError(f"{file}: not a binary PLY mesh of vertices and faces", "use ScanNet's own file")
    vertex, face = header.elements
    if any(len(entry) == 3 for entry in vertex.properties):
        raise ScanError(f"{file}: vertices with list properties", "use ScanNet's own file")
    vertices = np.frombuffer(data, vertex.record(header.order, 0), vertex.count, header.start)
    faces = np.frombuffer(data, face.record(header.order, 3), face.count, header.start + vertices.nbytes)
    index = next((entry[0] for entry in face.properties if len(entry) == 3), None)
    if index is None or (faces[f"{index}.length"] != 3).any():
        raise ScanError(f"{file}: faces that are not triangles", "use ScanNet's own file")
    return {name: vertices[name] for name, *_ in vertex.properties}, faces[index].astype(np.int32)
