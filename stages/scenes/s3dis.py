"""Reader of raw S3DIS rooms that repairs the known damage of the files and reports each repair."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.stage import Source
from stages.scenes.checks import warning
from stages.scenes.classes import S3DIS13
from stages.scenes.config import S3disConfig
from stages.scenes.folder import subfolders, with_ids
from stages.scenes.scan import Finding, Scan, ScanError
from stages.typing import Float64

ANNOTATIONS = "Annotations"
COLUMNS = 6
MOST_REPAIRS = 100
"""lines of one file; with more of them it is another kind of file"""
_AREA = re.compile(r"Area_\w+")
_NAME = re.compile(r"([A-Za-z]+)_\d+")
_CONTROL = re.compile(r"[^\t\x20-\x7e]+")
_DOWNLOAD = "download the archive again"


def discover(config: S3disConfig) -> list[Source]:
    """One source for each room that has annotations; raises InputError where there is none."""
    sources = []
    for area in subfolders(config.path):
        for room in subfolders(area) if _AREA.fullmatch(area.name) else ():
            files = sorted((room / ANNOTATIONS).glob("[!.]*.txt"))
            if files:
                sources.append(Source(f"{area.name}_{room.name}", tuple(files)))
    if not sources:
        raise InputError(f"{config.path}: no room; looked for Area_*/<room>/{ANNOTATIONS}/<class>_<number>.txt")
    return with_ids(sources, config.path)


def read(scene: str, files: tuple[Path, ...], config: S3disConfig) -> Scan:
    """The points of all annotation files of a room, one instance a file; raises ScanError for foreign files."""
    findings: list[Finding] = []
    blocks: list[Float64[np.ndarray, "M 6"]] = []
    classes: list[int] = []
    for file in files:
        if _is_copy(file, findings):
            continue
        block = read_points(file, findings)
        if len(block) == 0:
            findings.append(warning(f"{file}: no points", "the instance is left out"))
            continue
        blocks.append(block)
        classes.append(_class(file, findings))
    data = np.concatenate(blocks) if blocks else np.zeros((0, COLUMNS))
    sizes = [len(block) for block in blocks]
    return Scan(
        scene=scene,
        file=files[0].parent,
        xyz=data[:, :3],
        rgb=np.rint(data[:, 3:]).astype(np.uint8),
        instance=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        semantic=np.repeat(np.array(classes, np.int32), sizes),
        class_ids=tuple(S3DIS13.index(name) for name in config.class_names),
        boxed_classes=tuple(map(config.class_names.index, config.boxed_classes or config.class_names)),
        findings=tuple(findings),
    )


def _is_copy(file: Path, findings: list[Finding]) -> bool:
    """Whether ``wall_3 (1).txt`` repeats ``wall_3.txt``: a file that was downloaded twice."""
    original = file.with_name(re.sub(r"\s*\(\d+\)$", "", file.stem) + ".txt")
    if original == file or not original.is_file() or original.read_bytes() != file.read_bytes():
        return False
    findings.append(warning(f"{file}: repeats {original.name}", "left out; delete it"))
    return True


def _class(file: Path, findings: list[Finding]) -> int:
    """Class from the file's name; other names (``stairs_1``) are clutter, as everywhere in the field."""
    match = _NAME.match(file.stem)
    name = match[1].lower() if match else file.stem
    if match is None or match[0] != file.stem or match[1] != name:
        findings.append(warning(f"{file}: not named <class>_<number>.txt", f"it is read as class {name}; rename it"))
    if name in S3DIS13:
        return S3DIS13.index(name)
    findings.append(warning(f"{file}: '{name}' is none of the 13 classes", "it is read as clutter"))
    return S3DIS13.index("clutter")


def read_points(file: Path, findings: list[Finding]) -> Float64[np.ndarray, "M 6"]:
    """x, y, z, red, green, blue of each line; damaged lines are repaired or dropped, each with a warning."""
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise ScanError(f"{file}: cannot be read ({problem.strerror})", _DOWNLOAD) from problem
    if not data.strip():
        return np.zeros((0, COLUMNS))
    try:
        clean = np.asarray(np.loadtxt(io.BytesIO(data), comments=None, ndmin=2, encoding="latin-1"))
        if clean.shape[1] == COLUMNS and ((clean[:, 3:] >= 0) & (clean[:, 3:] <= 255)).all():
            return clean
    except ValueError:
        pass  # at least one line is damaged: look at each
    return _repaired(data.decode("latin-1"), file, findings)


def _repaired(text: str, file: Path, findings: list[Finding]) -> Float64[np.ndarray, "M 6"]:
    rows, repairs = [], 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.rstrip("\r")
        if not stripped.strip():
            continue
        row = _numbers(stripped)
        if row is None:
            row = _numbers(_CONTROL.sub("", stripped)) or _numbers(_CONTROL.sub(" ", stripped))
            done = "the line is dropped" if row is None else "read as " + " ".join(f"{value:g}" for value in row)
            findings.append(warning(f"{file} line {number}: damaged ({stripped[:80]!r})", done))
            repairs += 1
        if repairs > MOST_REPAIRS:
            raise ScanError(f"{file}: more than {MOST_REPAIRS} lines are not 'x y z r g b'", _DOWNLOAD)
        if row is not None:
            rows.append(row)
    return np.array(rows, np.float64).reshape(-1, COLUMNS)


def _numbers(line: str) -> list[float] | None:
    """The six numbers of a line, None if it does not hold them; colours beyond 0..255 are two numbers run together."""
    columns = line.split()
    if len(columns) != COLUMNS or not line.isascii() or not line.replace("\t", " ").isprintable():
        return None
    try:
        values = [float(column) for column in columns]
    except ValueError:
        return None
    return values if all(0 <= value <= 255 for value in values[3:]) else None
