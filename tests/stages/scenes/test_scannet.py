"""The reader of raw ScanNet scans: frames, labels of both releases, and what may be missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import InputError
from stages.scenes.annotate import assemble
from stages.scenes.config import ScannetConfig
from stages.scenes.scan import Scan, ScanError
from stages.scenes.scannet import discover, read

SCAN = "scene0001_00"
XYZ = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
RGB = np.random.default_rng(1).integers(0, 256, (200, 3)).astype(np.uint8)
SEGMENT = np.repeat([900, 40, 77, 3], 50)
FACES = np.array([[0, 1, 2], [197, 198, 199]])
TABLE = "id\t{column}\tnyu40id\n1\twall\t1\n2\toffice chair\t5\n6\tcouch\t6\n9\tdesk lamp \t35\n10\todd thing\t\n"


def _ply(labels: np.ndarray | None = None) -> bytes:
    fields: list[Any] = [("xyz", "<f4", 3), ("rgba", "u1", 4)]
    properties = "".join(f"property float {axis}\n" for axis in "xyz")
    properties += "".join(f"property uchar {color}\n" for color in ("red", "green", "blue", "alpha"))
    if labels is not None:
        fields.append(("label", "<u2"))
        properties += "property ushort label\n"
    vertices = np.zeros(len(XYZ), fields)
    vertices["xyz"], vertices["rgba"] = XYZ, np.column_stack([RGB, np.full(len(RGB), 255)])
    if labels is not None:
        vertices["label"] = labels
    faces = np.zeros(len(FACES), [("length", "u1"), ("index", "<i4", 3)])
    faces["length"], faces["index"] = 3, FACES
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(XYZ)}\n{properties}element face {len(FACES)}\n"
    return (
        (head + "property list uchar int vertex_indices\nend_header\n").encode() + vertices.tobytes() + faces.tobytes()
    )


def _groups(*groups: tuple[str, list[int]]) -> str:
    entries = [
        {"objectId": k, "id": k, "segments": segments, "label": label} for k, (label, segments) in enumerate(groups)
    ]
    return json.dumps({"sceneId": SCAN, "segGroups": entries})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A folder ``scans`` with one complete scan, the label table beside it."""
    folder = tmp_path / "scans" / SCAN
    folder.mkdir(parents=True)
    (tmp_path / "scannetv2-labels.combined.tsv").write_text(TABLE.format(column="raw_category"))
    (folder / f"{SCAN}_vh_clean_2.ply").write_bytes(_ply())
    (folder / f"{SCAN}_vh_clean_2.labels.ply").write_bytes(_ply(np.repeat([5, 1, 6, 0], 50)))
    (folder / f"{SCAN}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": SEGMENT.tolist()}))
    (folder / f"{SCAN}.aggregation.json").write_text(_groups(("office chair", [900]), ("wall", [40]), ("couch", [77])))
    alignment = "0 -1 0 2  1 0 0 3  0 0 1 -0.5  0 0 0 1"
    (folder / f"{SCAN}.txt").write_text(f"numDepthFrames = 5\naxisAlignment = {alignment}\n")
    return tmp_path / "scans"


def _read(path: Path, **options: Any) -> Scan:
    config = ScannetConfig(path=path, **options)
    (source,) = discover(config)
    return read(source.scene, source.files, config)


def _warnings(scan: Scan) -> str:
    return "\n".join(str(finding) for finding in scan.findings)


def test_a_complete_scan(raw: Path) -> None:
    scan = _read(raw)
    assert scan.findings == ()
    assert scan.frame == "axis_aligned"
    turned = np.stack([-XYZ[:, 1] + 2, XYZ[:, 0] + 3, XYZ[:, 2] - 0.5], axis=1)
    assert scan.xyz == pytest.approx(turned, abs=1e-6)
    assert np.array_equal(np.asarray(scan.rgb), RGB)
    assert np.array_equal(np.asarray(scan.faces), FACES)
    assert np.array_equal(np.asarray(scan.instance), np.repeat([0, 1, 2, -1], 50))
    assert np.array_equal(np.asarray(scan.semantic), np.repeat([5, 1, 6, 0], 50))


def test_boxes_are_tight_in_the_aligned_frame(raw: Path) -> None:
    scan = _read(raw)
    scene, _ = assemble(scan, ScannetConfig(path=raw), 0)
    assert scene is not None
    assert scene.boxes.class_index.tolist() == [2, 3]  # chair and sofa; the wall is not among the 18
    assert np.array_equal(scene.boxes.corners[0, :3], scan.xyz[:50].min(axis=0).astype(np.float32))
    assert scene.alignment is not None
    homogeneous = np.concatenate([XYZ, np.ones((len(XYZ), 1))], axis=1)
    assert scene.xyz == pytest.approx((homogeneous @ scene.alignment.T)[:, :3], abs=1e-6)
    assert scene.given_superpoint is not None
    assert np.array_equal(scene.given_superpoint, np.repeat([3, 1, 2, 0], 50))


def test_files_of_a_source(raw: Path) -> None:
    (source,) = discover(ScannetConfig(path=raw))
    assert source.scene == SCAN
    assert len(source.files) == 6
    assert source.files[-1].name == "scannetv2-labels.combined.tsv"


def test_classes_are_chosen_by_name(raw: Path) -> None:
    scene, _ = assemble(_read(raw, classes=("wall", "sofa")), ScannetConfig(path=raw, classes=("wall", "sofa")), 0)
    assert scene is not None
    assert scene.boxes.class_index.tolist() == [0, 1]
    with pytest.raises(ValidationError, match="sfoa"):
        ScannetConfig(path=raw, classes=("sfoa",))


def test_without_alignment_the_frame_stays_and_is_said(raw: Path) -> None:
    (raw / SCAN / f"{SCAN}.txt").write_text("numDepthFrames = 5\n")
    scan = _read(raw)
    assert scan.frame == "input"
    assert np.array_equal(scan.xyz, XYZ)
    assert scan.alignment is None
    assert "no line axisAlignment" in _warnings(scan)
    (raw / SCAN / f"{SCAN}.txt").unlink()
    assert f"no {SCAN}.txt" in _warnings(_read(raw))


@pytest.mark.parametrize("values", ["1 2 3", "1 0 0 x " * 4])
def test_alignment_that_is_none(raw: Path, values: str) -> None:
    (raw / SCAN / f"{SCAN}.txt").write_text(f"axisAlignment = {values}\n")
    with pytest.raises(ScanError, match="axisAlignment"):
        _read(raw)


def test_first_release(raw: Path) -> None:
    """Its table has a column ``category``, its labels mesh holds row ids of the table, and labels may be in neither."""
    table = raw.parent / "scannetv2-labels.combined.tsv"
    table.unlink()
    (raw / "scannet-labels.combined.tsv").write_text(TABLE.format(column="category"))
    (raw / SCAN / f"{SCAN}_vh_clean_2.labels.ply").write_bytes(_ply(np.repeat([2, 1, 230, 0], 50)))
    groups = _groups(("office chair", [900]), ("dishrack", [77]), ("desk lamp", [3]), ("odd thing", [40]))
    (raw / SCAN / f"{SCAN}.aggregation.json").write_text(groups)
    scan = _read(raw)
    assert np.array_equal(np.asarray(scan.semantic), np.repeat([5, 0, 0, 35], 50))
    assert "1 labels (dishrack)" in _warnings(scan)
    assert {finding.severity for finding in scan.findings} == {"warning"}


def test_labels_mesh_is_the_fallback(raw: Path) -> None:
    (raw.parent / "scannetv2-labels.combined.tsv").unlink()
    scan = _read(raw)
    assert np.array_equal(np.asarray(scan.semantic), np.repeat([5, 1, 6, 0], 50))
    assert "labels mesh" in _warnings(scan)


def test_no_way_to_a_class_is_an_error(raw: Path) -> None:
    (raw.parent / "scannetv2-labels.combined.tsv").unlink()
    (raw / SCAN / f"{SCAN}_vh_clean_2.labels.ply").write_bytes(_ply(np.repeat([5, 1, 41, 0], 50)))
    scan = _read(raw)
    assert [finding.severity for finding in scan.findings] == ["error"]
    assert "labels_tsv" in scan.findings[0].remedy


def test_labels_tsv_may_be_elsewhere(raw: Path, tmp_path: Path) -> None:
    table = tmp_path / "scannetv2-labels.combined.tsv"
    moved = table.rename(tmp_path / "mine.tsv")
    assert _read(raw, labels_tsv=moved).findings == ()
    with pytest.raises(InputError, match="labels_tsv"):
        discover(ScannetConfig(path=raw, labels_tsv=table))
    moved.write_text("a,b\n1,2\n")
    with pytest.raises(ScanError, match=r"mine\.tsv"):
        _read(raw, labels_tsv=moved)


def test_a_test_scan_has_neither_instances_nor_boxes(raw: Path) -> None:
    (raw / SCAN / f"{SCAN}.aggregation.json").unlink()
    scan = _read(raw)
    assert scan.instance is None
    assert scan.superpoint is not None
    assert "without instances and boxes" in _warnings(scan)
    scene, _ = assemble(scan, ScannetConfig(path=raw), 0)
    assert scene is not None
    assert len(scene.boxes) == 0


def test_a_segment_of_two_groups_stays_with_the_first(raw: Path) -> None:
    twice = _groups(("office chair", [900]), ("couch", [77, 900]), ("couch", [77]))
    (raw / SCAN / f"{SCAN}.aggregation.json").write_text(twice)
    scan = _read(raw)
    assert np.array_equal(np.asarray(scan.instance), np.repeat([0, -1, 1, -1], 50))
    assert "2 segments in more than one group" in _warnings(scan)


@pytest.mark.parametrize(
    ("suffix", "content", "words"),
    [
        ("_vh_clean_2.ply", b"ply", "not a PLY file"),
        ("_vh_clean_2.ply", _ply()[:-5], "cut off"),
        ("_vh_clean_2.ply", None, "no file"),
        ("_vh_clean_2.0.010000.segs.json", b'{"segIndices": [1, 2]}', "2 segIndices for 200 vertices"),
        ("_vh_clean_2.0.010000.segs.json", b"{}", "segIndices"),
        ("_vh_clean_2.0.010000.segs.json", b'{"segIndices": [1', "JSON"),
        ("_vh_clean_2.0.010000.segs.json", None, "no _vh_clean_2"),
        (".aggregation.json", b'{"segGroups": [{"label": "wall"}]}', "segGroups"),
        (".aggregation.json", b"[]", "segGroups"),
    ],
)
def test_damaged_files(raw: Path, suffix: str, content: bytes | None, words: str) -> None:
    file = raw / SCAN / (SCAN + suffix)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(ScanError, match=words) as raised:
        _read(raw)
    assert SCAN in str(raised.value)


def test_an_unreadable_labels_mesh_is_not_needed(raw: Path) -> None:
    (raw / SCAN / f"{SCAN}_vh_clean_2.labels.ply").write_bytes(_ply(np.zeros(200))[:-9])
    scan = _read(raw)
    assert np.array_equal(np.asarray(scan.semantic), np.repeat([5, 1, 6, 0], 50))
    assert "labels cannot be read" in _warnings(scan)


def test_no_scan(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match=r"_vh_clean_2\.ply"):
        discover(ScannetConfig(path=tmp_path))


@pytest.mark.real
def test_the_raw_scan_is_the_full_one_before_alignment(real_raw: Path, real_scans: Path) -> None:
    scan = _read(real_raw)
    scene, _ = assemble(scan, ScannetConfig(path=real_raw), 0)
    assert scene is not None
    full = np.load(real_scans / "scene0000_00_full.npz")
    assert np.array_equal(np.asarray(scene.rgb), full["rgb"])
    assert np.array_equal(np.asarray(scene.faces), full["faces"])
    assert np.array_equal(np.asarray(scene.given_superpoint), full["superpoint"])
    table = np.load(real_scans.parent / "scannet_boxes.npz")
    alignment = table["axis_alignment"][table["scene_id"].tolist().index("scene0000_00")]
    assert scan.xyz @ alignment[:3, :3].T + alignment[:3, 3] == pytest.approx(full["xyz"], abs=1e-4)
    assert len(scene.boxes) == 25
    assert len({finding.message for finding in scan.findings}) == 2  # no alignment; dishrack is not in the table
