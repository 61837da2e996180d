"""What a run cost: seconds and peak memory of each stage, from the manifests beside its results."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stages import PIPELINE

SUMMARY = "summary"


@dataclass(frozen=True)
class StageCost:
    """The cost of one stage; a stage over the whole data set counts as one scene."""

    stage: str
    scenes: int
    mean_seconds: float
    longest_seconds: float
    total_seconds: float
    peak_memory_bytes: int
    """the largest over the scenes"""


def costs(folder: Path, scenes: Collection[str]) -> list[StageCost]:
    """Costs of the stages that led to ``folder``, ``<run>/<round>/<stage>/<scene>``, in the order of the pipeline.

    Counts the manifests of ``scenes`` and of stages over all scenes, in this round and in what all rounds share. A
    manifest that cannot be read, or names no seconds, is left out; so is that of an earlier summary.
    """
    this_round = folder.absolute().parent.parent
    seconds: dict[str, list[float]] = {}
    memory: dict[str, int] = {}
    for top in (this_round.parent, this_round):
        for stage, manifest in _manifests(top, scenes):
            took, peak = manifest.get("seconds"), manifest.get("peak_memory_bytes")
            if isinstance(took, int | float):
                seconds.setdefault(stage, []).append(float(took))
                memory[stage] = max(memory.get(stage, 0), peak if isinstance(peak, int) else 0)
    return [
        StageCost(stage, len(took), sum(took) / len(took), max(took), sum(took), memory[stage])
        for stage, took in sorted(seconds.items(), key=lambda item: (_position(item[0]), item[0]))
    ]


def missing_scenes(folder: Path, scenes: Collection[str]) -> list[str]:
    """Scenes that were read in the run of ``folder`` (as in ``costs``) but are not among ``scenes``."""
    folders = (path.parent.name for path in (folder.absolute().parent.parent.parent / "scenes").glob("*/manifest.json"))
    return sorted({name for name in folders if not name.startswith(".")} - set(scenes))


def _position(stage: str) -> int:
    """Place of a stage in the pipeline; after all others if it is none of them."""
    names = [path.split(".")[1] for path in PIPELINE]
    return names.index(stage) if stage in names else len(names)


def _manifests(top: Path, scenes: Collection[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Stage and manifest of every result in ``top/<stage>`` and ``top/<stage>/<scene>``."""
    for stage in sorted(path for path in top.iterdir() if path.is_dir() and path.name != SUMMARY):
        for folder in (stage, *(stage / scene for scene in sorted(scenes))):
            manifest = _manifest(folder / "manifest.json")
            if manifest.get("stage") == stage.name:
                yield stage.name, manifest


def _manifest(path: Path) -> dict[str, object]:
    """The manifest's content; empty if it is no JSON object or vanished meanwhile."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
