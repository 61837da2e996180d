"""Reader of the user's own scans: a folder with one file a scene."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from pipeline.errors import InputError
from pipeline.stage import SCENE_ID, Source
from stages.scenes.boxfiles import read_background, read_boxes
from stages.scenes.checks import error, warning
from stages.scenes.classes import SCANNET18
from stages.scenes.config import FolderConfig
from stages.scenes.scan import Finding, Scan, ScanError

SUFFIXES = (".npz", ".ply", ".pcd")
BOX_SUFFIX = ".boxes.json"


def subfolders(path: Path) -> list[Path]:
    """Visible folders in ``path``, sorted by name; raises InputError where it is no folder that can be read."""
    try:
        return sorted(entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_dir())
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def _unreadable(path: Path, problem: OSError) -> InputError:
    return InputError(f"{path}: no folder that can be read ({problem.strerror}); check `path`")


def with_ids(sources: list[Source], path: Path) -> list[Source]:
    """The sources as they are; raises InputError where names make no scene id, for ids are names of result folders."""
    unusable = [source.scene for source in sources if not SCENE_ID.fullmatch(source.scene)]
    if unusable:
        raise InputError(
            f"{path}: names that make no scene id: {', '.join(unusable[:5])}; rename these {len(unusable)} to letters, "
            "digits, '.', '_' and '-', the first one a letter or digit"
        )
    return sources


def discover(config: FolderConfig) -> list[Source]:
    """One source for each scene id, with its box file; several point files of one id make that scene fail later.

    Raises InputError for no folder, no scene, or file names that make no scene id.
    """
    files: dict[str, list[Path]] = defaultdict(list)
    boxes: dict[str, Path] = {}
    for name in _file_names(config.path):
        scene, dot, suffix = name.rpartition(".")
        if f"{dot}{suffix.lower()}" in SUFFIXES:
            files[scene].append(config.path / name)
        elif name.endswith(BOX_SUFFIX):
            boxes[name.removesuffix(BOX_SUFFIX)] = config.path / name
    if not files:
        raise InputError(f"{config.path}: no scene; looked for files *.npz, *.ply and *.pcd directly in it")
    sources = [
        Source(scene, (*points, boxes[scene]) if scene in boxes else tuple(points)) for scene, points in files.items()
    ]
    return with_ids(sources, config.path)


def _file_names(path: Path) -> list[str]:
    """Names of the visible files in ``path``, sorted; one look at the folder, which may hold 100,000 scenes."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file())
    except OSError as problem:
        raise _unreadable(path, problem) from problem


def read(scene: str, files: tuple[Path, ...], config: FolderConfig) -> Scan:
    """The scan in ``files``; raises ScanError where there is nothing to go on with."""
    from stages.scenes.pointfiles import read_npz, read_open3d

    point_files = [file for file in files if not file.name.endswith(BOX_SUFFIX)]
    box_files = [file for file in files if file.name.endswith(BOX_SUFFIX)]
    if len(point_files) != 1:
        names = ", ".join(file.name for file in point_files)
        raise ScanError(
            f"{config.path}: {len(point_files)} files for scene {scene}: {names}", "keep one of them, or rename"
        )
    file = point_files[0]
    points = read_npz(file, config.box_key) if file.suffix.lower() == ".npz" else read_open3d(file)
    boxes, findings = points.boxes, list[Finding]()
    if box_files and boxes is not None:
        findings.append(error(f"{file}: boxes in it and in {box_files[0].name}", "keep one of the two"))
    elif box_files:
        boxes, findings = read_boxes(box_files[0], config.class_names, config.rotation_unit)
        points.arrays["background_boxes"] = read_background(box_files[0])
    if points.arrays.get("normals") is None and points.arrays.get("faces") is None:
        findings.append(warning(f"{file}: no normals", "they are fitted to neighbouring points"))
    class_ids = _class_ids(config)
    semantic = points.arrays.get("semantic")
    if (
        class_ids == tuple(range(len(config.class_names)))
        and semantic is not None
        and semantic.max(initial=-1) >= len(class_ids)
    ):
        what = f"{file}: key 'semantic' has ids up to {semantic.max()}, beyond the {len(class_ids)} classes"
        findings.append(warning(what, "they are read as no class; see `classes` and `semantic_map`"))
    return Scan(
        scene=scene,
        file=file,
        **points.arrays,
        boxes=boxes,
        class_ids=class_ids,
        findings=(*points.findings, *findings),
    )


def _class_ids(config: FolderConfig) -> tuple[int, ...] | None:
    if config.semantic_map == "none":
        return None
    named = config.semantic_map == "scannet18" or config.class_names == tuple(SCANNET18)
    if named and config.semantic_map != "index":
        return tuple(SCANNET18.values())
    return tuple(range(len(config.class_names)))
