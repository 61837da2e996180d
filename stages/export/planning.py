"""The plan of an export: tasks that read a run's results and write files and receipts elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from pipeline.atomic import remove
from pipeline.config import SPLITS, check_scene_ids
from pipeline.errors import ConfigurationError, StoreError
from pipeline.fingerprint import task_fingerprint
from pipeline.results import RunResults
from pipeline.store import fingerprint_of, read_arrays
from pipeline.tasks import Plan, Reason, Row, Step
from stages.export.base import ExportStage, SceneFacts
from stages.export.delivery import BOOKS, is_whole, withdraw
from stages.export.formats import FORMATS

Splits = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Target:
    """One format of an export and where it goes."""

    path: str
    """``module:Class``"""
    format: type[ExportStage]
    folder: Path

    @property
    def receipts(self) -> Path:
        """Holds a receipt a scene."""
        return self.folder.parent / BOOKS / self.folder.name


def targets(names: Sequence[str], to: Path) -> list[Target]:
    """The formats that were asked for, each once; raises ConfigurationError for one that does not exist."""
    found = []
    for name in dict.fromkeys(names):
        if name not in FORMATS:
            near = get_close_matches(name, FORMATS, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ConfigurationError(f"there is no format {name!r}{hint} There are: {', '.join(FORMATS)}")
        module, _, kind = FORMATS[name].partition(":")
        found.append(Target(FORMATS[name], getattr(import_module(module), kind), to.absolute() / name))
    return found


def splits_of(results: RunResults, file: str | None) -> dict[str, list[str]]:
    """train, val and test -> scene ids: of a file, else of the run's configuration.

    Raises ConfigurationError for a file that is not like that, and for a scene in two splits.
    """
    path = results.folder / "config.yaml" if file is None else Path(file).expanduser()
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}, the splits, cannot be read: {error}") from error
    if file is None:
        given = given.get("splits") if isinstance(given, Mapping) else None
    elif not isinstance(given, Mapping) or not given or not set(given) <= set(SPLITS):
        raise ConfigurationError(f"{path}: write lists of scene ids under train, val and test, such as `train: [a, b]`")
    found: dict[str, list[str]] = {}
    for split in SPLITS:
        scenes = (given or {}).get(split) or []
        if not isinstance(scenes, list) or not all(isinstance(scene, str) for scene in scenes):
            raise ConfigurationError(f"{path}: {split} is no list of scene ids (put numbers in quotes)")
        check_scene_ids(scenes)
        found[split] = scenes
    placed = [scene for scenes in found.values() for scene in scenes]
    twice = sorted({scene for scene in placed if placed.count(scene) > 1})[:5] if len(set(placed)) < len(placed) else []
    if twice:
        raise ConfigurationError(f"{path}: {', '.join(twice)} would be in several splits, or in one twice")
    return found


def placed(splits: Splits, scenes: Sequence[str]) -> dict[str, str]:
    """Scene -> split, empty for those in none; where splits name none for training, all others are, as in training."""
    split_of = {scene: split for split, ids in splits.items() for scene in ids}
    rest = "train" if split_of and not splits["train"] else ""
    return {scene: split_of.get(scene, rest) for scene in scenes}


def export_plan(results: RunResults, chosen: Sequence[Target], scenes: Sequence[str], splits: Splits) -> Plan:
    """Tasks of every format and scene; receipts whose files are gone count as missing.

    Its output is the folder of books beside those of the formats. Raises StoreError where files of an earlier export,
    made of other labels, cannot be removed.
    """
    read = list(dict.fromkeys(name for target in chosen for name in target.format.reads()))
    steps = [_read_step(results, name, scenes) for name in read]
    split_of = placed(splits, scenes)
    by_split = {split: [scene for scene in scenes if split_of[scene] == split] for split in (*SPLITS, "")}
    config: dict[str, Any] = {"seed": 0, "strict": False, "splits": by_split}
    for target in chosen:
        places = tuple(read.index(name) for name in target.format.reads())
        inputs = {
            name: [row.fingerprint for row in steps[place].rows]
            for name, place in zip(target.format.reads(), places, strict=True)
        }
        rows = []
        for position, scene in enumerate(scenes):
            known = {name: column[position] for name, column in inputs.items()}
            rows.append(_row(target, scene, split_of[scene], known))
        config[target.format.name] = {"to": str(target.folder)}
        steps.append(
            Step(
                stage=target.format.name,
                path=target.path,
                version=target.format.version,
                granularity="scene",
                round=results.round,
                folder=target.receipts,
                inputs=places,
                unfingerprinted=target.format.unfingerprinted,
                runs=True,
                splits=target.format.splits,
                rows=tuple(rows),
            )
        )
    return Plan(results.folder.name, config, chosen[0].folder.parent / BOOKS, tuple(steps))


def exported(target: Target) -> list[SceneFacts]:
    """The scenes that a folder holds whole, sorted by id, whatever export they are of."""
    found = []
    for folder in sorted(target.receipts.glob("[!.]*")):
        if fingerprint_of(folder) is not None:
            _, receipt = read_arrays(folder)
            if is_whole(target.folder, receipt["files"]):
                found.append(SceneFacts(folder.name, receipt["split"], receipt["facts"]))
    return found


def _read_step(results: RunResults, stage: str, scenes: Sequence[str]) -> Step:
    """A stage of the run whose results are read as they are."""
    rows = tuple(Row(scene, Reason.DONE, fingerprint_of(results.of(stage, scene))) for scene in scenes)
    folder = results.of_stage(stage).absolute()
    return Step(stage, "", 0, "scene", results.round, folder, (), (), runs=False, splits=(), rows=rows)


def _row(target: Target, scene: str, split: str, inputs: Mapping[str, str | None]) -> Row:
    known = {name: one for name, one in inputs.items() if one is not None}
    fingerprint = None
    if len(known) == len(inputs):
        name, version = target.format.name, target.format.version
        fingerprint = task_fingerprint(name, version, config={}, seed=0, inputs=known, files=[("split", split)])
    folder = target.receipts / scene
    found = fingerprint_of(folder)
    if found is None:
        return Row(scene, Reason.MISSING, fingerprint)
    try:
        receipt = read_arrays(folder)[1]["files"]
    except (StoreError, KeyError):
        return Row(scene, Reason.FORCED, fingerprint)
    if found == fingerprint:
        return Row(scene, Reason.DONE if is_whole(target.folder, receipt) else Reason.FORCED, fingerprint)
    # in another split files have other names, and a trainer would read both; the receipt goes last, since without it
    # nobody would know of the files
    withdraw(target.folder, receipt)
    remove(folder)
    return Row(scene, Reason.INPUT, fingerprint)
