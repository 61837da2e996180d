"""The reader of raw S3DIS rooms: every known corruption is repaired and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.errors import InputError
from stages.scenes.annotate import assemble
from stages.scenes.classes import S3DIS13
from stages.scenes.config import S3disConfig
from stages.scenes.s3dis import discover, read, read_points
from stages.scenes.scan import Finding, Scan, ScanError

LINE = "-22.347 6.231 3.024 107 104 101"
VALUES = [-22.347, 6.231, 3.024, 107, 104, 101]


def _lines(count: int = 40, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=(count, 3)).round(3), rng.integers(0, 256, (count, 3))])
    return "".join(f"{x:.3f} {y:.3f} {z:.3f} {r:.0f} {g:.0f} {b:.0f}\n" for x, y, z, r, g, b in rows)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """The annotation folder of Area_5/office_19 with a chair, a table and a ceiling."""
    folder = tmp_path / "Area_5" / "office_19" / "Annotations"
    folder.mkdir(parents=True)
    (folder.parent / "office_19.txt").write_text("not read")
    for seed, name in enumerate(("ceiling_1", "chair_10", "chair_2", "table_1")):
        (folder / f"{name}.txt").write_text(_lines(seed=seed))
    return folder


def _read(room: Path, **options: Any) -> Scan:
    config = S3disConfig(path=room.parents[2], **options)
    (source,) = discover(config)
    return read(source.scene, source.files, config)


def _points(tmp_path: Path, content: str | bytes) -> tuple[np.ndarray, list[Finding]]:
    file = tmp_path / "ceiling_1.txt"
    file.write_bytes(content.encode("latin-1") if isinstance(content, str) else content)
    findings: list[Finding] = []
    return read_points(file, findings), findings


def test_a_clean_room(room: Path) -> None:
    scan = _read(room)
    assert scan.findings == ()
    assert scan.scene == "Area_5_office_19"
    expected = np.concatenate([np.loadtxt(file) for file in sorted(room.glob("*.txt"))])
    assert np.array_equal(scan.xyz, expected[:, :3])
    assert np.array_equal(np.asarray(scan.rgb), expected[:, 3:])
    assert np.array_equal(np.asarray(scan.instance), np.repeat(np.arange(4), 40))
    assert np.array_equal(np.asarray(scan.semantic), np.repeat([0, 8, 8, 7], 40))


def test_boxes_of_every_class_or_of_some(room: Path) -> None:
    for boxed, classes in ((None, [0, 8, 8, 7]), (("chair",), [8, 8])):
        config = S3disConfig(path=room.parents[2], boxed_classes=boxed)
        scene, _ = assemble(_read(room, boxed_classes=boxed), config, 0)
        assert scene is not None
        assert scene.class_names == S3DIS13
        assert scene.boxes.class_index.tolist() == classes
        assert scene.instance_class is not None
        assert np.count_nonzero(scene.instance_class >= 0) == len(classes)


def test_fewer_classes(room: Path) -> None:
    options: dict[str, Any] = {"classes": ("table", "chair")}
    scene, _ = assemble(_read(room, **options), S3disConfig(path=room.parents[2], **options), 0)
    assert scene is not None
    assert scene.boxes.class_index.tolist() == [1, 1, 0]
    for wrong in ({"classes": ("stool",)}, {"boxed_classes": ("stool",)}, {"classes": "scannet18"}):
        with pytest.raises(ValidationError, match="no such class"):
            S3disConfig(path=room, **wrong)


@pytest.mark.parametrize(
    ("damaged", "read_as"),
    [
        ("-22.347 6.231 3.024 103.0\x100000 104 101", [*VALUES[:3], 103, 104, 101]),  # Area_5/office_19
        ("-22.347 6.231 3.024 167.\x1000000 104 101", [*VALUES[:3], 167, 104, 101]),
        ("-22.347 6.231 3.024 185\x10187 171", [*VALUES[:3], 185, 187, 171]),  # Area_5/hallway_6: five columns
        ("-22.347\x00 6.231 3.024 107 104 101", VALUES),
        ("-22.347 6.231 3.024 107 \xff104 101", VALUES),
        ("-22.347 6.231 3.024 107 104", None),
        ("-22.347 6.231 3.024 107 104 101 9", None),
        ("-22.347 6.231 3.0.24 107 104 101", None),
        ("-22.347 6.231 3.024 107104 101 9", None),  # six numbers: only the colour tells
        ("-22.347 6.231 3.024 107 -104 101", None),
    ],
)
def test_damaged_lines(tmp_path: Path, damaged: str, read_as: list[float] | None) -> None:
    points, findings = _points(tmp_path, f"{LINE}\n1 2 3 4 5 6\n{damaged}\n{LINE}\n")
    rows = [VALUES, [1, 2, 3, 4, 5, 6], *([] if read_as is None else [read_as]), VALUES]
    assert points.tolist() == rows
    assert [finding.severity for finding in findings] == ["warning"]
    assert "ceiling_1.txt line 3: damaged" in findings[0].message
    assert findings[0].remedy == "the line is dropped" if read_as is None else findings[0].remedy.startswith("read as")


def test_one_damaged_line_does_not_hide_another(tmp_path: Path) -> None:
    text = f"1 2\n{LINE}\n3 4 5 6 7 8 9 10\n"  # twelve numbers in all would make two rows
    points, findings = _points(tmp_path, text)
    assert points.tolist() == [VALUES]
    assert [finding.message.partition(": ")[0][-6:] for finding in findings] == ["line 1", "line 3"]


@pytest.mark.parametrize("text", [f"{LINE}\n", LINE, f"{LINE}\r\n", f"\n{LINE}\n\n", LINE.replace(" ", "\t") + "\n"])
def test_harmless_differences_are_not_reported(tmp_path: Path, text: str) -> None:
    points, findings = _points(tmp_path, text)
    assert points.tolist() == [VALUES]
    assert findings == []


def test_both_ways_of_reading_agree(tmp_path: Path) -> None:
    clean, _ = _points(tmp_path, _lines(300))
    slow, findings = _points(tmp_path, _lines(300) + "broken\n")
    assert np.array_equal(clean, slow)
    assert len(findings) == 1


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match="more than 100 lines"):
        _points(tmp_path, "a line of something else\n" * 200)
    with pytest.raises(ScanError, match="more than 100 lines"):
        _points(tmp_path, "1 2 3\n" * 200)


def test_copies_of_a_file(room: Path) -> None:
    """``wall_3 (1).txt``: the same file downloaded twice, or an instance of its own."""
    (room / "chair_2 (1).txt").write_bytes((room / "chair_2.txt").read_bytes())
    (room / "chair_10 (1).txt").write_text(_lines(seed=9))
    scan = _read(room)
    assert len(scan.xyz) == 5 * 40
    messages = [finding.message for finding in scan.findings]
    assert len(messages) == 2
    assert "chair_10 (1).txt: not named" in messages[0]
    assert "chair_2 (1).txt: repeats chair_2.txt" in messages[1]
    assert np.count_nonzero(np.asarray(scan.semantic) == S3DIS13.index("chair")) == 120


@pytest.mark.parametrize(
    ("name", "semantic", "words"),
    [("stairs_1", "clutter", "none of the 13"), ("Sofa_1", "sofa", "not named"), ("sofa1", "clutter", "not named")],
)
def test_misnamed_files(room: Path, name: str, semantic: str, words: str) -> None:
    (room / f"{name}.txt").write_text(_lines(50, seed=9))
    scan = _read(room)
    assert np.count_nonzero(np.asarray(scan.semantic) == S3DIS13.index(semantic)) == 50
    assert words in scan.findings[0].message
    assert name in scan.findings[0].message


def test_an_empty_file_is_left_out(room: Path) -> None:
    (room / "board_1.txt").write_text("\n")
    (room / ".DS_Store.txt").write_bytes(b"\0\1")
    scan = _read(room)
    assert np.asarray(scan.instance).max() == 3
    assert ["no points" in finding.message for finding in scan.findings] == [True]


def test_discovery(room: Path, tmp_path: Path) -> None:
    for area, name in (("Area_5", "hallway_1"), ("Area_1", "office_1"), ("Other", "office_1")):
        folder = tmp_path / area / name / "Annotations"
        folder.mkdir(parents=True)
        (folder / "wall_1.txt").write_text(LINE)
    (tmp_path / "Area_1" / "empty").mkdir()
    scenes = [source.scene for source in discover(S3disConfig(path=tmp_path))]
    assert scenes == ["Area_1_office_1", "Area_5_hallway_1", "Area_5_office_19"]
    with pytest.raises(InputError, match="Annotations"):
        discover(S3disConfig(path=tmp_path / "Other"))
