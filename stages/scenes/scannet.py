"""Reader of raw ScanNet scans, of the first release too."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import InputError
from pipeline.stage import Source
from stages.scenes.boxfiles import load_json
from stages.scenes.checks import error, warning
from stages.scenes.classes import SCANNET20
from stages.scenes.config import ScannetConfig
from stages.scenes.folder import subfolders, with_ids
from stages.scenes.plyfiles import EXPORT_AGAIN, read_mesh
from stages.scenes.scan import Finding, Scan, ScanError
from stages.typing import Float64, Int, Int32

MESH = "_vh_clean_2.ply"
LABELS = "_vh_clean_2.labels.ply"
SEGMENTS = "_vh_clean_2.0.010000.segs.json"
GROUPS = ".aggregation.json"
META = ".txt"
TABLES = ("scannetv2-labels.combined.tsv", "scannet-labels.combined.tsv")
HIGHEST_NYU40 = 40


def discover(config: ScannetConfig) -> list[Source]:
    """One source for each scan folder, with the files that are read; raises InputError where there is none."""
    table = _table(config)
    sources = []
    for folder in subfolders(config.path):
        files = [folder / (folder.name + suffix) for suffix in (MESH, LABELS, SEGMENTS, GROUPS, META)]
        present = [file for file in files if file.is_file()]
        if present:
            sources.append(Source(folder.name, (*present, *table)))
    if not sources:
        raise InputError(f"{config.path}: no scan; looked for <scan>/<scan>{MESH}, {GROUPS} and the files beside them")
    return with_ids(sources, config.path)


def _table(config: ScannetConfig) -> tuple[Path, ...]:
    """The label table as a tuple of one, empty where none is found."""
    if config.labels_tsv is not None:
        if not config.labels_tsv.is_file():
            raise InputError(f"{config.labels_tsv}: no such file; check `labels_tsv`")
        return (config.labels_tsv,)
    places = [folder / name for folder in (config.path, config.path.resolve().parent) for name in TABLES]
    return tuple(place for place in places if place.is_file())[:1]


def read(scene: str, files: tuple[Path, ...], config: ScannetConfig) -> Scan:
    """The scan in ``files``, axis-aligned where its .txt says how; raises ScanError for files that cannot be used."""
    parts = {
        suffix: file
        for file in files
        for suffix in (MESH, LABELS, SEGMENTS, GROUPS, META)
        if file.name == scene + suffix
    }
    if MESH not in parts:
        raise ScanError(f"{files[0].parent}: no file {scene}{MESH}", "download it (type _vh_clean_2.ply)")
    vertices, faces = read_mesh(parts[MESH])
    try:
        xyz = np.stack([vertices[axis] for axis in "xyz"], axis=1).astype(np.float64)
        rgb = np.stack([vertices[color] for color in ("red", "green", "blue")], axis=1).astype(np.uint8)
    except KeyError as problem:
        raise ScanError(f"{parts[MESH]}: vertices without property {problem}", EXPORT_AGAIN) from problem
    findings: list[Finding] = []
    alignment = _alignment(parts.get(META), scene, findings)
    truth = _Truth(len(xyz), findings)
    if SEGMENTS in parts:
        truth.read_segments(parts[SEGMENTS])
    if GROUPS in parts:
        truth.read_groups(parts[GROUPS])
        tables = [file for file in files if file.suffix == ".tsv"]
        truth.name(_nyu40_of_labels(tables[0]) if tables else {}, _vertex_labels(parts.get(LABELS), len(xyz), findings))
    else:
        findings.append(
            warning(f"scan {scene}: no {scene}{GROUPS}", "it is read without instances and boxes (test scan?)")
        )
    return Scan(
        scene=scene,
        file=parts[MESH],
        xyz=xyz if alignment is None else xyz @ alignment[:3, :3].T + alignment[:3, 3],
        rgb=rgb,
        faces=faces,
        superpoint=truth.segment,
        instance=truth.instance,
        semantic=truth.semantic,
        class_ids=tuple(SCANNET20[name] for name in config.class_names),
        frame="input" if alignment is None else "axis_aligned",
        alignment=alignment,
        findings=tuple(findings),
    )


def _alignment(file: Path | None, scene: str, findings: list[Finding]) -> Float64[np.ndarray, "4 4"] | None:
    """The matrix of the line ``axisAlignment`` in the scan's .txt, None with a warning where there is none."""
    for line in file.read_text("utf-8", "replace").splitlines() if file else ():
        name, _, values = line.partition("=")
        if name.strip() == "axisAlignment":
            try:
                matrix = np.array([float(value) for value in values.split()]).reshape(4, 4)
            except ValueError as problem:
                raise ScanError(f"{file}: axisAlignment is not 16 numbers ({problem})", EXPORT_AGAIN) from problem
            return matrix
    what = f"{file}: no line axisAlignment" if file else f"scan {scene}: no {scene}{META}"
    findings.append(warning(what, "points keep the scanner's frame; boxes along its axes may be loose"))
    return None


@dataclass
class _Truth:
    """Segments, instances and classes of the N vertices of a scan, as far as its files have them."""

    points: int
    findings: list[Finding]
    segment: Int[np.ndarray, " N"] | None = None
    instance: Int32[np.ndarray, " N"] | None = None
    semantic: Int32[np.ndarray, " N"] | None = None
    labels: list[str] = field(default_factory=list)
    """label text of each group"""
    file: Path | None = None

    def read_segments(self, file: Path) -> None:
        """The over-segmentation that the annotators drew on."""
        data = load_json(file)
        try:
            segment = np.array(data["segIndices"])
        except (KeyError, TypeError, ValueError) as problem:
            raise ScanError(f"{file}: no list segIndices ({problem!r})", EXPORT_AGAIN) from problem
        if segment.shape != (self.points,) or segment.dtype.kind not in "iu":
            what = f"{file}: {len(segment)} segIndices for {self.points} vertices"
            raise ScanError(what, "mesh and segments must be of one scan and release")
        self.segment = segment

    def read_groups(self, file: Path) -> None:
        """Instance of each vertex: the group that its segment belongs to, the first of several."""
        self.file = file
        if self.segment is None:
            raise ScanError(f"{file}: groups of segments, but no {SEGMENTS} beside it", "download the segments too")
        data = load_json(file)
        try:
            groups = [(str(group["label"]), [int(i) for i in group["segments"]]) for group in data["segGroups"]]
        except (KeyError, TypeError, ValueError) as problem:
            raise ScanError(f"{file}: segGroups cannot be read ({problem!r})", EXPORT_AGAIN) from problem
        known, position = np.unique(self.segment, return_inverse=True)
        owner = np.full(len(known), -1, np.int32)
        repeated = 0
        for index, (_, segments) in enumerate(groups):
            members = np.isin(known, segments)
            repeated += int(np.count_nonzero(members & (owner >= 0)))
            owner[members & (owner < 0)] = index
        if repeated:
            what = f"{file}: {repeated} segments in more than one group"
            self.findings.append(warning(what, "the first group keeps them"))
        self.instance = owner[position]
        self.labels = [label for label, _ in groups]

    def name(self, nyu40: dict[str, int], vertex_label: Int32[np.ndarray, " N"] | None) -> None:
        """NYU40 id of each vertex: of its group's label text by the table, else of the labels mesh, else 0 (none)."""
        instance = np.asarray(self.instance)
        of_group = np.array([nyu40.get(label.strip(), -1) for label in self.labels] + [0], np.int32)
        semantic = of_group[instance]  # vertices of no group: the last entry, 0
        unnamed = semantic < 0
        if unnamed.any():
            labels = sorted({self.labels[i] for i in np.unique(instance[unnamed])})
            what = f"{self.file}: no NYU40 id for {len(labels)} labels ({', '.join(labels[:5])})"
            if vertex_label is not None:
                self.findings.append(warning(what, "their classes are taken from the labels mesh; see `labels_tsv`"))
                semantic = np.where(unnamed, vertex_label, semantic)
            elif nyu40:
                self.findings.append(warning(what, "they are read as no class; add them to the table (`labels_tsv`)"))
            else:
                remedy = f"give the table of labels (`labels_tsv`: {TABLES[0]}); there is no usable labels mesh either"
                self.findings.append(error(what, remedy))
        self.semantic = np.maximum(semantic, 0).astype(np.int32)


def _nyu40_of_labels(file: Path) -> dict[str, int]:
    """NYU40 id of each label text of the table, 0 for those that have none there."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows: list[dict[str, Any]] = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        column = "raw_category" if "raw_category" in rows[0] else "category"
        return {row[column].strip(): int(row["nyu40id"] or 0) for row in rows}
    except (OSError, ValueError, KeyError, IndexError, AttributeError, TypeError) as problem:
        what = f"{file}: not a table of labels with columns raw_category (or category) and nyu40id ({problem!r})"
        raise ScanError(what, "download ScanNet's own") from problem


def _vertex_labels(file: Path | None, points: int, findings: list[Finding]) -> Int32[np.ndarray, " N"] | None:
    """The labels mesh's NYU40 ids; None where there are none, as in the first release (ids of the table's rows)."""
    if file is None:
        return None
    try:
        label = read_mesh(file)[0]["label"].astype(np.int32)
    except (ScanError, KeyError) as problem:
        findings.append(
            warning(f"{file}: labels cannot be read ({problem})", "classes come from the label table alone")
        )
        return None
    return label if len(label) == points and label.max(initial=0) <= HIGHEST_NYU40 else None
