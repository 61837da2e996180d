"""Coloured PLY files, read by open3d, which viewers are built on, and by a reader of a few lines."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import open3d
import pytest

from stages.export.base import ExportConfig, Written
from stages.export.formats.ply import Ply, object_colors, uncertainty_colors
from stages.export.scene import LabelledScene
from stages.structures import LabelSource
from tests.stages.export.formats import recovered
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    with_ignored,
    with_mesh,
    with_nan,
    without_boxes,
    without_classes,
    without_colors,
)

VIEWS = ("object", "uncertainty", "source")
DTYPES = {"float": "<f4", "int": "<i4", "uchar": "u1"}


@dataclass(frozen=True)
class Plain:
    """A PLY file, parsed by what its header says."""

    comments: list[str]
    vertex: np.ndarray
    face: np.ndarray | None

    @property
    def color(self) -> np.ndarray:
        return np.stack([self.vertex[name] for name in ("red", "green", "blue")], axis=1)

    @property
    def xyz(self) -> np.ndarray:
        return np.stack([self.vertex[name] for name in ("x", "y", "z")], axis=1)


def parsed(content: bytes) -> Plain:
    head, body = content.split(b"end_header\n", 1)
    lines = head.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    (count,) = (int(line.split()[2]) for line in lines if line.startswith("element vertex"))
    properties = [line.split()[1:] for line in lines if re.match(r"property (?!list)", line)]
    vertex = np.frombuffer(body, [(name, DTYPES[kind]) for kind, name in properties], count)
    faces = [int(line.split()[2]) for line in lines if line.startswith("element face")]
    face, rest = None, body[vertex.nbytes :]
    if faces:
        assert "property list uchar int vertex_indices" in lines
        rows = np.frombuffer(rest, [("count", "u1"), ("corner", "<i4", (3,))], faces[0])
        assert (rows["count"] == 3).all()
        face, rest = rows["corner"], rest[rows.nbytes :]
    assert rest == b""
    return Plain([line.removeprefix("comment ") for line in lines if line.startswith("comment ")], vertex, face)


def exported() -> Ply:
    return Ply(ExportConfig(to=Path("nowhere")))


def view(labelled: LabelledScene, name: str) -> Plain:
    return parsed(exported().scene_files(labelled).files[f"{name}/{labelled.name}.ply"])


def legend(plain: Plain, kind: str) -> dict[int, tuple[int, ...]]:
    """Number -> colour, as the comments tell."""
    lines = [line.split() for line in plain.comments if line.startswith(f"{kind} ")]
    return {int(line[1]): tuple(map(int, line[-3:])) for line in lines if line[-1].isdigit()}


def check(labelled: LabelledScene, written: Written, folder: Path) -> None:
    """All three views hold the finite points, and each shows what it is named after."""
    for name in VIEWS:
        content = written.files[f"{name}/{labelled.name}.ply"]
        plain = parsed(content)
        np.testing.assert_allclose(plain.xyz, recovered.file_xyz(labelled), rtol=0, atol=2e-6)
        _check_with_open3d(plain, content, folder / f"{name}.ply")
    _check_objects(labelled, parsed(written.files[f"object/{labelled.name}.ply"]))
    finite = np.isfinite(labelled.scene.xyz).all(axis=1)
    region = labelled.labels.superpoint[finite]
    uncertainty = parsed(written.files[f"uncertainty/{labelled.name}.ply"]).vertex["uncertainty"]
    np.testing.assert_array_equal(uncertainty, labelled.labels.uncertainty[region])
    source = parsed(written.files[f"source/{labelled.name}.ply"])
    np.testing.assert_array_equal(source.vertex["source"], labelled.labels.source[region])
    for number, color in legend(source, "source").items():
        assert (source.color[source.vertex["source"] == number] == color).all()


def _check_with_open3d(plain: Plain, content: bytes, path: Path) -> None:
    path.write_bytes(content)
    cloud = open3d.t.io.read_point_cloud(path)
    np.testing.assert_array_equal(cloud.point.positions.numpy(), plain.xyz)
    np.testing.assert_array_equal(cloud.point.colors.numpy(), plain.color)
    extra = set(plain.vertex.dtype.names or ()) - {"x", "y", "z", "red", "green", "blue"}
    for name in extra:
        np.testing.assert_array_equal(cloud.point[name].numpy()[:, 0], plain.vertex[name])


def _check_objects(labelled: LabelledScene, plain: Plain) -> None:
    owner, kinds = plain.vertex["object"].copy(), plain.vertex["class_index"]
    np.testing.assert_array_equal(owner == -2, recovered.ignored(labelled))
    owner[owner == -2] = -1
    recovered.assert_instances(labelled, owner, none=-1)
    colors = legend(plain, "object")
    for number, index in enumerate(labelled.labels.boxes.class_index):
        assert (kinds[owner == number] == index).all()
        assert (plain.color[owner == number] == colors[number]).all()
    assert (kinds[owner < 0] == -1).all()
    assert (plain.color[plain.vertex["object"] == -2] == 0).all()
    background = plain.color[plain.vertex["object"] == -1]
    assert (background == background[:, :1]).all()


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_viewers_show_our_objects(make: Callable[[], LabelledScene], tmp_path: Path) -> None:
    labelled = make()
    check(labelled, exported().scene_files(labelled), tmp_path)


@pytest.mark.real
def test_viewers_show_our_objects_in_a_real_scan(real_labelled: RealLabelled, tmp_path: Path) -> None:
    labelled = real_labelled("scene0000_00")
    assert labelled.labels.mask.any(axis=1).sum() > 10
    check(labelled, exported().scene_files(labelled), tmp_path)


@pytest.mark.parametrize("make", recovered.VARIANTS.values(), ids=recovered.VARIANTS)
def test_equal_labels_give_equal_bytes(make: Callable[[], LabelledScene]) -> None:
    recovered.assert_equal_bytes(exported, make)


def test_a_mesh_keeps_the_faces_whose_points_were_kept(tmp_path: Path) -> None:
    meshed = with_mesh(small_room())
    whole = view(meshed, "object")
    np.testing.assert_array_equal(whole.face, meshed.scene.faces)
    lost = with_nan(meshed)
    plain = view(lost, "object")
    assert plain.face is not None
    assert meshed.scene.faces is not None
    assert 0 < len(plain.face) < len(meshed.scene.faces)
    faces = meshed.scene.faces[np.isfinite(lost.scene.xyz).all(axis=1)[meshed.scene.faces].all(axis=1)]
    np.testing.assert_array_equal(plain.xyz[plain.face], meshed.scene.xyz[faces])
    (tmp_path / "mesh.ply").write_bytes(exported().scene_files(lost).files["object/room_0000.ply"])
    read = open3d.io.read_triangle_mesh(tmp_path / "mesh.ply")
    np.testing.assert_array_equal(np.asarray(read.triangles), plain.face)


def test_a_laser_scan_without_colours_and_classes_will_do(tmp_path: Path) -> None:
    bare = without_classes(without_colors(small_room()))
    check(bare, exported().scene_files(bare), tmp_path)
    assert any(line.startswith("object 0 unknown ") for line in view(bare, "object").comments)


def test_each_object_has_a_colour_of_its_own_that_is_not_grey() -> None:
    colors = object_colors(300).astype(int)
    assert len(np.unique(colors, axis=0)) == 300
    assert (np.ptp(colors, axis=1) > 50).all()
    apart = np.abs(colors[:, None] - colors).max(axis=2)[np.triu_indices(12, 1)]
    assert apart.min() > 30
    assert object_colors(0).shape == (0, 3)


def test_uncertainty_goes_from_dark_to_bright() -> None:
    light = uncertainty_colors(np.linspace(0, 1, 100, dtype=np.float32)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(light) >= 0).all()
    assert light[0] < 40
    assert light[-1] > 220


def test_the_header_explains_the_colours() -> None:
    plain = view(small_room(), "source")
    names = {line.split()[2] for line in plain.comments if line.startswith("source ")}
    assert names == {member.name.lower() for member in LabelSource}
    assert plain.comments[0] == "coords: input"
    odd = renamed_classes(small_room())
    odd = replace(odd, labels=replace(odd.labels, class_names=("two words", "line\nbreak", "größer")))
    comments = view(odd, "object").comments
    assert "class_index 0 two_words" in comments
    assert "class_index 1 line_break" in comments
    assert "class_index 2 gr??er" in comments


def test_points_far_from_the_origin_keep_their_precision() -> None:
    room = small_room()
    far = replace(room, scene=replace(room.scene, offset=np.array([500_000.0, 5_800_000.0, 30.0])))
    written = exported().scene_files(far)
    plain = parsed(written.files["object/room_0000.ply"])
    np.testing.assert_allclose(plain.xyz, room.scene.xyz, rtol=0, atol=1e-6)
    assert written.facts["shift"] == [500_000.0, 5_800_000.0, 30.0]
    assert plain.comments[:2] == ["coords: input, minus shift", "shift: [500000.0, 5800000.0, 30.0]"]


def test_lost_points_are_named_beside() -> None:
    assert "kept_points/room_0000.npy" not in exported().scene_files(small_room()).files
    assert "kept_points/room_0000.npy" in exported().scene_files(with_nan(small_room())).files


def test_nothing_annotated_is_a_grey_scan() -> None:
    plain = view(with_ignored(without_boxes(small_room())), "object")
    assert set(np.unique(plain.vertex["object"])) == {-2, -1}
