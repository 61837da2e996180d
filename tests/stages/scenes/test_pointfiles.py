"""Arrays of .npz, .ply and .pcd files: what is read, what is refused, what is repaired."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import DependencyError, SceneError
from stages.scenes.pointfiles import PointFile, read_npz, read_open3d
from stages.scenes.scan import ScanError

N = 50
RNG = np.random.default_rng(0)
XYZ = RNG.normal(size=(N, 3))


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., PointFile]:
    def write_and_read(box_key: str = "boxes", **arrays: np.ndarray) -> PointFile:
        np.savez(tmp_path / "room.npz", **({"xyz": XYZ} | arrays))
        return read_npz(tmp_path / "room.npz", box_key)

    return write_and_read


def _messages(result: PointFile, severity: str) -> str:
    return "\n".join(str(finding) for finding in result.findings if finding.severity == severity)


def test_every_key_is_read(npz: Callable[..., PointFile]) -> None:
    rgb = RNG.integers(0, 256, (N, 3)).astype(np.uint8)
    result = npz(
        rgb=rgb,
        normals=XYZ.astype(np.float32),
        faces=np.array([[0, 1, 2]], np.uint32),
        superpoint=np.arange(N, dtype=np.int16),
        instance=np.arange(N),
        semantic=np.arange(N, dtype=np.uint8),
        boxes=np.array([[0, 0, 0, 1, 1, 1]], np.float32),
        box_class=np.array([3]),
        box_instance=np.array([7]),
        something_else=np.array(["text"]),
        pickled=np.array([{"never": "opened"}], object),
    )
    assert result.findings == []
    assert np.array_equal(result.arrays["xyz"], XYZ)
    assert np.array_equal(result.arrays["rgb"], rgb)
    assert result.arrays["semantic"].dtype == np.int32
    assert np.array_equal(result.arrays["semantic"], np.arange(N))
    assert np.array_equal(result.arrays["faces"], [[0, 1, 2]])
    assert result.boxes is not None
    assert (result.boxes.class_index.tolist(), result.boxes.instance.tolist()) == ([3], [7])


def test_points_alone_are_enough(npz: Callable[..., PointFile]) -> None:
    result = npz(xyz=XYZ.astype(np.float32))
    assert result.findings == []
    assert result.boxes is None
    assert result.arrays["xyz"].dtype == np.float64
    assert [key for key, values in result.arrays.items() if values is not None] == ["xyz"]


def test_box_key_chooses_boxes_and_their_instances(npz: Callable[..., PointFile]) -> None:
    corners = np.array([[0.0, 0, 0, 1, 1, 1]])
    result = npz(
        "full_boxes", boxes=corners + 9, full_boxes=corners, full_box_instance=np.array([4]), box_class=np.array([2])
    )
    assert result.boxes is not None
    assert np.array_equal(result.boxes.corners, corners)
    assert (result.boxes.class_index.tolist(), result.boxes.instance.tolist()) == ([-1], [4])
    missing = npz("full_boxes", boxes=corners)
    assert missing.boxes is None
    assert "'full_boxes'" in _messages(missing, "warning")


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("rgb", np.zeros((N, 4), np.uint8), "uint8 (50, 4), expected floating point or integer or unsigned (50, 3)"),
        ("rgb", np.zeros((N - 1, 3), np.uint8), "(49, 3)"),
        ("rgb", np.full((N, 3), 256), "0..255"),
        ("rgb", np.full((N, 3), 200.0), "0..1"),
        ("rgb", np.full((N, 3), -0.1), "0..1"),
        ("normals", np.zeros((N, 3), np.int32), "floating point"),
        ("instance", np.zeros(N), "float64"),
        ("instance", np.zeros((N, 1), int), "(50, 1)"),
        ("instance", np.zeros(N + 1, int), "(51,)"),
        ("semantic", np.full(N, "chair"), "<U5"),
        ("superpoint", np.zeros(N, bool), "bool"),
        ("faces", np.zeros((2, 4), int), "(2, 4)"),
        ("boxes", np.zeros((2, 7)), "(2, 7)"),
        ("boxes", np.zeros(6), "(6,)"),
        ("boxes", np.full((2, 6), "a"), "<U1"),
    ],
)
def test_wrong_arrays_are_errors(npz: Callable[..., PointFile], key: str, values: np.ndarray, words: str) -> None:
    result = npz(**{key: values})
    errors = [finding for finding in result.findings if finding.severity == "error"]
    assert len(errors) == 1
    assert f"room.npz: key '{key}'" in errors[0].message
    assert words in errors[0].message
    assert errors[0].remedy


@pytest.mark.parametrize("key", ["box_class", "box_instance"])
def test_one_entry_a_box(npz: Callable[..., PointFile], key: str) -> None:
    result = npz(boxes=np.zeros((2, 6)), **{key: np.zeros(3, int)})
    assert f"key '{key}' is int64 (3,), expected integer or unsigned (2,)" in _messages(result, "error")


@pytest.mark.parametrize("xyz", [XYZ[:, :2], XYZ.astype(int), XYZ[0], np.full((N, 3), "x")])
def test_points_of_another_form_end_the_reading(npz: Callable[..., PointFile], xyz: np.ndarray) -> None:
    with pytest.raises(ScanError, match=r"room\.npz: key 'xyz'"):
        npz(xyz=xyz)


def test_pickled_arrays_are_never_opened(npz: Callable[..., PointFile]) -> None:
    with pytest.raises(SceneError, match="key 'instance' cannot be read"):
        npz(instance=np.array([{}] * N, object))


def test_truncated_and_foreign_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", xyz=np.zeros((5000, 3)))
    data = (tmp_path / "whole.npz").read_bytes()
    for name, content in {
        "half": data[: len(data) // 2],
        "empty": b"",
        "text": b"hello",
        "damaged": data[:3000] + b"\xff" * 100 + data[3100:],
    }.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
        with pytest.raises(ScanError, match=f"{name}.npz"):
            read_npz(tmp_path / f"{name}.npz", "boxes")
    with (tmp_path / "array.npz").open("wb") as stream:
        np.save(stream, XYZ)
    with pytest.raises(ScanError, match="single array"):
        read_npz(tmp_path / "array.npz", "boxes")
    np.savez(tmp_path / "other.npz", points=XYZ)
    with pytest.raises(ScanError, match=r"no key 'xyz' \(keys: points\)"):
        read_npz(tmp_path / "other.npz", "boxes")


def test_colors_in_either_form(npz: Callable[..., PointFile]) -> None:
    rgb = RNG.integers(0, 256, (N, 3)).astype(np.uint8)
    for same in (rgb, rgb / 255, (rgb / 255).astype(np.float32), rgb.astype(np.int64)):
        result = npz(rgb=same)
        assert result.findings == []
        assert np.array_equal(result.arrays["rgb"], rgb)


def test_values_that_are_not_finite_are_replaced(npz: Callable[..., PointFile]) -> None:
    normals, rgb = np.ones((N, 3)), np.full((N, 3), 0.5)
    normals[[1, 4], [0, 2]] = np.nan
    rgb[3, 1] = np.inf
    result = npz(normals=normals, rgb=rgb)
    assert "2 normals" in _messages(result, "warning")
    assert "1 colours" in _messages(result, "warning")
    assert np.flatnonzero((result.arrays["normals"] == 0).all(axis=1)).tolist() == [1, 4]
    assert result.arrays["rgb"][3].tolist() == [128, 0, 128]


def _write(path: Path, *, ascii_text: bool = False, color: bool = True) -> np.ndarray:
    """A point cloud file with one point that is not finite; returns its colours."""
    import open3d

    rgb = np.random.default_rng(1).integers(0, 256, (N, 3))
    xyz = XYZ.copy()
    xyz[7, 1] = np.nan
    cloud = open3d.geometry.PointCloud(open3d.utility.Vector3dVector(xyz))
    if color:
        cloud.colors = open3d.utility.Vector3dVector(rgb / 255)
    assert open3d.io.write_point_cloud(path, cloud, write_ascii=ascii_text)
    return rgb


@pytest.mark.parametrize("suffix", [".ply", ".pcd", ".PLY"])
@pytest.mark.parametrize("ascii_text", [False, True])
def test_point_clouds_keep_order_and_number(tmp_path: Path, suffix: str, ascii_text: bool) -> None:
    rgb = _write(tmp_path / f"written{suffix.lower()}", ascii_text=ascii_text)
    file = (tmp_path / f"written{suffix.lower()}").rename(tmp_path / f"room{suffix}")
    result = read_open3d(file)
    assert result.findings == []
    assert np.array_equal(result.arrays["rgb"], rgb)
    xyz = result.arrays["xyz"]
    assert np.flatnonzero(np.isnan(xyz).any(axis=1)).tolist() == [7]
    others = np.arange(N) != 7
    assert xyz[others] == pytest.approx(XYZ[others], abs=1e-5)


def test_point_clouds_without_color(tmp_path: Path) -> None:
    _write(tmp_path / "room.ply", color=False)
    assert "rgb" not in read_open3d(tmp_path / "room.ply").arrays


def test_meshes_keep_their_triangles(tmp_path: Path) -> None:
    import open3d

    ball = open3d.geometry.TriangleMesh.create_sphere(resolution=4)
    open3d.io.write_triangle_mesh(tmp_path / "ball.ply", ball)
    result = read_open3d(tmp_path / "ball.ply")
    assert np.array_equal(result.arrays["faces"], np.asarray(ball.triangles))
    assert result.arrays["xyz"] == pytest.approx(np.asarray(ball.vertices), abs=1e-6)


@pytest.mark.parametrize("suffix", [".ply", ".pcd"])
@pytest.mark.parametrize("ascii_text", [False, True])
@pytest.mark.parametrize("share", [0.99, 0.6, 0.05, 0.0])
def test_truncated_point_clouds(tmp_path: Path, suffix: str, ascii_text: bool, share: float) -> None:
    file = tmp_path / f"room{suffix}"
    _write(file, ascii_text=ascii_text)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)] if share < 0.9 else data[: -len(data.splitlines()[-1]) - 2])
    with pytest.raises(ScanError, match="room"):
        read_open3d(file)


@pytest.mark.parametrize("suffix", [".ply", ".pcd"])
def test_foreign_point_clouds(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"room{suffix}").write_bytes(b"not a point cloud\n" * 9)
    with pytest.raises(ScanError, match="not a"):
        read_open3d(tmp_path / f"room{suffix}")


def test_without_open3d_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "room.ply")
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(DependencyError, match=r"room\.ply.*pip install open3d"):
        read_open3d(tmp_path / "room.ply")
