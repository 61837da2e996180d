"""PLY headers and binary meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.scenes.plyfiles import parse_header, read_mesh, refuse_truncated_ply
from stages.scenes.scan import ScanError

XYZ = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
FACES = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
LABEL = np.array([1, 2, 40, 0, 1163, 65535])


def _mesh(order: str = "<", corners: int = 3) -> bytes:
    """A mesh with a label in two bytes, as ScanNet writes it, in either byte order."""
    name = {"<": "little", ">": "big"}[order]
    header = (
        f"ply\nformat binary_{name}_endian 1.0\ncomment made for tests\nelement vertex 6\nproperty float x\n"
        "property float y\nproperty float z\nproperty ushort label\nelement face 2\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    vertices = np.zeros(6, [("xyz", order + "f4", 3), ("label", order + "u2")])
    vertices["xyz"], vertices["label"] = XYZ, LABEL
    faces = np.zeros(2, [("length", "u1"), ("index", order + "i4", 3)])
    faces["length"], faces["index"] = corners, FACES
    return header.encode() + vertices.tobytes() + faces.tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
def test_mesh_with_labels(tmp_path: Path, order: str) -> None:
    (tmp_path / "mesh.ply").write_bytes(_mesh(order))
    vertices, faces = read_mesh(tmp_path / "mesh.ply")
    assert np.array_equal(np.stack([vertices[axis] for axis in "xyz"], axis=1), XYZ)
    assert np.array_equal(vertices["label"], LABEL)
    assert np.array_equal(faces, FACES)


def test_header_of_every_type() -> None:
    header = parse_header(
        b"ply\r\nformat ascii 1.0\r\nelement vertex 3\r\nproperty double x\r\nproperty list uint8 int32 near\r\n"
        b"element other 0\r\nend_header\r\n1 2",
        Path("a.ply"),
    )
    assert header.order == "ascii"
    assert [(element.name, element.count) for element in header.elements] == [("vertex", 3), ("other", 0)]
    assert header.elements[0].properties == (("x", "f8"), ("near", "u1", "i4"))
    assert header.element("face") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b"ply\nformat binary_little_endian 1.0\nelement vertex 6\n",
        b"ply\nelement vertex 6\nend_header\n",
        b"ply\nformat binary_middle_endian 1.0\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex many\nend_header\n",
        b"ply\nformat ascii 1.0\nproperty float x\nend_header\n",
        b"ply\nformat ascii 1.0\nelement vertex 1\nproperty quaternion x\nend_header\n",
    ],
)
def test_foreign_headers(data: bytes) -> None:
    with pytest.raises(ScanError, match=r"a\.ply"):
        parse_header(data, Path("a.ply"))


@pytest.mark.parametrize("missing", [1, 13, 26, 27, 100])
def test_truncation_is_noticed_wherever_it_happens(missing: int) -> None:
    refuse_truncated_ply(_mesh(), Path("a.ply"))
    with pytest.raises(ScanError, match="cut off"):
        refuse_truncated_ply(_mesh()[:-missing], Path("a.ply"))


def test_other_faces_are_refused(tmp_path: Path) -> None:
    (tmp_path / "quads.ply").write_bytes(_mesh(corners=4))
    with pytest.raises(ScanError, match="triangles"):
        read_mesh(tmp_path / "quads.ply")


def test_other_contents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n")
    with pytest.raises(ScanError, match="binary PLY mesh"):
        read_mesh(tmp_path / "text.ply")
    with pytest.raises(ScanError, match="cannot be read"):
        read_mesh(tmp_path / "absent.ply")
