"""Reads what a report is about from the folder of a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import configuration_schema
from pipeline.errors import StoreError
from pipeline.failures import read_failures
from pipeline.progress import watched
from pipeline.results import IN_NO_ROUND, RunResults
from pipeline.stage import Stage
from pipeline.store import fingerprint_of, intact_manifest, read_arrays
from stages.evaluation.records import SceneEvaluation, from_arrays
from stages.pseudo_labels.store import read_labels
from stages.report.encoding import without_folders
from stages.report.facts import (
    ChangedOption,
    History,
    ReviewLine,
    RunFacts,
    SceneFacts,
    scene_facts,
    scenes_to_view,
)
from stages.report.regions import objects_of, regions_of
from stages.report.scene_view import scene_view
from stages.review.simulate_command import curve_of_run
from stages.stores import read_scene

Stages = Sequence[tuple[str, type[Stage]]]
POINTS = 700_000
"""of all views together: with plotly.js a page of about 12 MB"""
MOST_POINTS = 150_000
"""of one view: browsers turn that many smoothly"""
FEWEST_POINTS = 10_000
"""of one view, as far as the scan has them: fewer show no object; more scenes than that leaves room for are left out"""
REVIEWED = (1, 2, 5, 10, 20, 50)
_LONGEST = 160
"""characters of an option's value"""
_MINUTE = len("2026-01-31T23:59")


def gather(results: RunResults, scenes: Sequence[str], stages: Stages) -> RunFacts:
    """Facts of the labelled ``scenes`` in one round; a scene whose results cannot be read becomes a problem."""
    config = _configuration(results.folder)
    private = _private(results, config)
    problems = _failures(results, private)
    evaluations = {
        number: list(_evaluations(RunResults(results.folder, number), scenes)) for number in range(results.round + 1)
    }
    known = {one.scene: one for one in evaluations[results.round]}
    facts = list(_read(results, scenes, known, problems, private))
    views = list(_views(results, facts, known, problems, private))
    labelled = results.scenes()
    named = {scene for scene, _ in problems}
    return RunFacts(
        name=results.folder.absolute().name,
        round=results.round,
        labelled=len(labelled),
        source=str(_section(config, "scenes").get("source", "")),
        scenes=facts,
        evaluations={number: found for number, found in evaluations.items() if found},
        history=_history(results, scenes, stages),
        options=_changed_options(config, stages, private),
        unfinished=sorted(set(results.scenes("scenes")) - set(labelled) - named),
        problems=problems,
        review=_review(results, bool(known) and any(one.truth for one in known.values())),
        predictions=_predictions(results, private),
        views=views,
    )


def _read(
    results: RunResults,
    scenes: Sequence[str],
    evaluations: Mapping[str, SceneEvaluation],
    problems: list[tuple[str, str]],
    private: tuple[str, ...],
) -> Iterator[SceneFacts]:
    for scene in watched(scenes, "labels", sys.stderr):
        try:
            labels = read_labels(results.of("pseudo_labels", scene))
        except StoreError as error:
            problems.append((scene, without_folders(str(error), private)))
            continue
        found, regions = evaluations.get(scene), regions_of(labels)
        iou = found.truth.objects.iou[0] if found is not None and found.truth is not None else None
        yield scene_facts(scene, regions, objects_of(labels, regions, iou))


def _views(
    results: RunResults,
    facts: Sequence[SceneFacts],
    evaluations: Mapping[str, SceneEvaluation],
    problems: list[tuple[str, str]],
    private: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    # every region keeps a point, however many there are
    regions = sum(one.regions for one in facts) / max(len(facts), 1)
    chosen = scenes_to_view(facts, max(POINTS // max(FEWEST_POINTS, round(regions)), 1))
    objects = {one.scene: one.objects for one in facts}
    budget = min(MOST_POINTS, POINTS // max(len(chosen), 1))
    for scene in watched(chosen, "views", sys.stderr):
        try:
            scan, labels = read_scene(results.of("scenes", scene)), read_labels(results.of("pseudo_labels", scene))
        except StoreError as error:
            problems.append((scene, without_folders(str(error), private)))
            continue
        if len(scan) != len(labels.superpoint):
            problems.append((scene, "its scan has changed since its labels were made: finish with boxgp run"))
            continue
        found = evaluations.get(scene)
        truth = found.truth.objects.instance if found is not None and found.truth is not None else None
        instance = labels.boxes.instance if truth is None else truth
        yield scene_view(scan, labels, regions_of(labels), objects[scene], instance, budget)


def _evaluations(results: RunResults, scenes: Sequence[str]) -> Iterator[SceneEvaluation]:
    for scene in scenes:
        found = evaluation_of(results, scene)
        if found is not None:
            yield found


def evaluation_of(results: RunResults, scene: str) -> SceneEvaluation | None:
    """The evaluation of the labels that are there now; None for none, a torn one, or one of earlier labels."""
    folder = results.of("evaluation", scene)
    manifest = intact_manifest(folder)
    if manifest is None or not isinstance(manifest.get("inputs"), Mapping):
        return None
    if manifest["inputs"].get("pseudo_labels") != fingerprint_of(results.of("pseudo_labels", scene)):
        return None
    try:
        return from_arrays(*read_arrays(folder))
    except (StoreError, KeyError, TypeError):
        return None  # damaged, or of another version


def _failures(results: RunResults, private: tuple[str, ...]) -> list[tuple[str, str]]:
    return [
        (failure.scene, f"{failure.stage}: {without_folders(failure.message, private)}")
        for failure in read_failures(results.folder)
        if failure.stage in IN_NO_ROUND or failure.round == results.round
    ]


def _predictions(results: RunResults, private: tuple[str, ...]) -> str:
    try:
        return without_folders((results.of_stage("scores") / "table.txt").read_text(encoding="utf-8"), private)
    except (OSError, ValueError):
        return ""


def _review(results: RunResults, truth: bool) -> list[ReviewLine]:
    try:
        curve = curve_of_run(results, REVIEWED) if truth else None
    except StoreError:
        curve = None  # the scene it stumbled over is among the problems
    if curve is None:
        return []
    counts = (0, *(step.count for step in curve.steps))
    lines = {
        "most uncertain first": [step.most_uncertain.ap for step in curve.steps],
        "first in the queue": [step.largest_gain.ap for step in curve.steps],
        "at random": [step.random.ap for step in curve.steps],
        "least uncertain first": [step.least_uncertain.ap for step in curve.steps],
    }
    deviation = (0.0, *(step.random_deviation.ap for step in curve.steps))
    return [
        ReviewLine(name, counts, (curve.before.ap, *values), deviation if name == "at random" else ())
        for name, values in lines.items()
    ]


def _history(results: RunResults, scenes: Sequence[str], stages: Stages) -> History:
    order = [stage.name for _, stage in stages]
    found: dict[str, list[dict[str, Any]]] = {}
    for name in order:
        folder = results.of_stage(name)
        for place in (folder, *(folder / scene for scene in scenes)):
            manifest = intact_manifest(place)
            if manifest is not None:
                found.setdefault(name, []).append(manifest)
    every = [manifest for manifests in found.values() for manifest in manifests]
    seconds = {name: [float(one["seconds"]) for one in some if "seconds" in one] for name, some in found.items()}
    return History(
        started=min((str(one["started"]) for one in every if "started" in one), default="")[:_MINUTE],
        ended=max((str(one["ended"]) for one in every if "ended" in one), default="")[:_MINUTE],
        commits=tuple(sorted({str(one["commit"]) for one in every if one.get("commit")})),
        versions=every[-1].get("versions", {}) if every else {},
        stages={name: some[-1]["version"] for name, some in found.items() if "version" in some[-1]},
        seconds={name: values for name, values in seconds.items() if values},
    )


def _configuration(folder: Path) -> Mapping[str, Any]:
    try:
        values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # the results are what the page is about
    return values if isinstance(values, Mapping) else {}


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _private(results: RunResults, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Folders whose names say where somebody works."""
    path = _section(config, "scenes").get("path")
    folders = [results.folder.absolute(), results.folder.absolute().resolve(), Path.home(), Path.cwd()]
    return (*(str(folder) for folder in folders), *([str(Path(path).parent)] if isinstance(path, str) else []))


def _changed_options(config: Mapping[str, Any], stages: Stages, private: tuple[str, ...]) -> list[ChangedOption]:
    schema = configuration_schema([stage for _, stage in stages])
    changed = []
    for option in schema.options(schema.root):
        value = _value(config, option.key)
        if value is _MISSING or (option.variant and _value(config, option.choice) != option.variant):
            continue
        text = _text(value)
        if text != option.default and not option.key.startswith("executor."):
            text = without_folders(text, private)
            text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."
            changed.append(ChangedOption(option.key, text, "" if option.required else option.default))
    return changed


_MISSING = object()


def _value(config: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(config, Mapping) or part not in config:
            return _MISSING
        config = config[part]
    return config


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
