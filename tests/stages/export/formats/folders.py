"""Exports as folders, for readers that find their way by names of files and databases."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.export.base import ExportConfig, Format, SceneFacts
from stages.export.scene import LabelledScene


def export(of: type[Format], folder: Path, *scenes: LabelledScene) -> list[SceneFacts]:
    """Writes scenes, and what lies over them; facts take their way through JSON as those of receipts do."""
    facts = []
    for labelled in scenes:
        written = of(ExportConfig(to=folder)).scene_files(labelled)
        facts.append(SceneFacts(labelled.name, labelled.split, json.loads(json.dumps(dict(written.facts)))))
        _write(folder, written.files)
    _write(folder, dict(of.index_files(facts)))
    return facts


def tree(folder: Path) -> dict[str, bytes]:
    """Path below a folder -> content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def renamed(labelled: LabelledScene, scene: str, split: str) -> LabelledScene:
    """The same scene under another name, in a split."""
    return replace(labelled, scene=replace(labelled.scene, scene=scene), split=split)


def far_away(labelled: LabelledScene) -> LabelledScene:
    """The same scan 4,000 km from the origin of its coordinates, as they are on maps."""
    offset = np.array([500_000.0, 4_000_000.0, 120.0])
    scene, labels = replace(labelled.scene, offset=offset), replace(labelled.labels, offset=offset)
    return replace(labelled, scene=scene, labels=labels)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
