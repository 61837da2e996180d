"""``boxgp export``: what the command does, between parsed arguments and printed text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.commands import chosen_scenes
from pipeline.errors import ConfigurationError, StoreError
from pipeline.executors.base import Outcome
from pipeline.executors.local import LocalExecutor
from pipeline.progress import progress_on
from pipeline.records import TaskOutcome, record_from_manifest
from pipeline.results import chosen_among, results_of
from pipeline.run import run_plan
from pipeline.show import count, table
from pipeline.show_run import failures_of, shown, warnings_of
from pipeline.stage import Stage
from pipeline.store import intact_manifest
from pipeline.tasks import Plan
from stages.export.base import ExportStage, SceneFacts, json_bytes
from stages.export.delivery import BOOKS, write_file
from stages.export.planning import Target, export_plan, exported, placed, splits_of, targets

INDEX = "boxgp.json"
_FAILED = 1
_SHOWN = 5


def export(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:  # noqa: ARG001 (all commands take both)
    """Exports a run; returns the exit code: 1 where scenes failed, or where ``--check`` found something."""
    results = results_of(arguments.run, arguments.round)
    wanted = chosen_among(results, chosen_scenes(arguments.scenes))
    to = Path(arguments.to).expanduser()
    chosen = targets(arguments.formats, to)
    for target in chosen:
        target.format.check_run(results)
    splits = splits_of(results, arguments.split)
    scenes = _with_split(chosen, wanted, splits, arguments.split)
    plan = export_plan(results, chosen, scenes, splits)
    executor = LocalExecutor(arguments.workers)
    print(f"{shown(results.folder.absolute())}, round {results.round} -> {to}: {_heading(plan)}", flush=True)
    outcome = run_plan(plan, executor, progress_on(sys.stderr))
    if outcome.stopped:
        return outcome.exit_code
    disagreements = [said for target in chosen for said in _write_index(target)]
    print(f"\n{_end(plan, chosen, outcome)}")
    if any(target.format.needs_split for target in chosen) and splits["val"]:
        print(
            "\nval holds labels made from boxes too: to measure against the truth, keep the trainer's own files of val"
        )
    for said in disagreements:
        print(f"\n{said}")
    found = _check(chosen) if arguments.check else 0
    return outcome.exit_code or (_FAILED if found or disagreements else 0)


def _with_split(
    chosen: Sequence[Target], scenes: Sequence[str], splits: dict[str, list[str]], file: str | None
) -> Sequence[str]:
    """The scenes to export: where a format has a folder for each split, those that are in one.

    Raises ConfigurationError where a format needs splits and nothing says which.
    """
    named = {scene for ids in splits.values() for scene in ids}
    unknown = sorted(named.difference(scenes))
    if unknown and file is not None:
        print(f"boxgp: {file}: {count(len(unknown), 'scene')} without labels here: {_some(unknown)}", file=sys.stderr)
    needing = [target.format.name for target in chosen if target.format.needs_split]
    if not needing:
        return scenes
    if not named.intersection(scenes):
        what = "and the run has no `splits`" if file is None else f"and {file} names no scene of the run"
        raise ConfigurationError(
            f"{', '.join(needing)}: the layout has a folder for each split, {what}; give --split FILE, a YAML file "
            "such as `train: [scene_a, scene_b]`"
        )
    split_of = placed(splits, scenes)
    homeless = [scene for scene in scenes if not split_of[scene]]
    if homeless:
        what = f"{count(len(homeless), 'scene')} in no split left out, of all formats"
        print(f"boxgp: {what}: {_some(homeless)}", file=sys.stderr)
    return [scene for scene in scenes if split_of[scene]]


def _some(scenes: Sequence[str]) -> str:
    return ", ".join(scenes[:_SHOWN]) + (", ..." if len(scenes) > _SHOWN else "")


def _heading(plan: Plan) -> str:
    return (
        f"{plan.pending} of {count(plan.size, 'file set')} to write" if plan.pending else "everything is there already"
    )


def _write_index(target: Target) -> list[str]:
    """The files over all scenes that the folder holds, ours among them; none, and why, where scenes disagree."""
    scenes = exported(target)
    if not scenes:
        return []
    if (wrong := disagreement(target.folder, scenes)) is not None:
        return [wrong]
    books = target.folder.parent / BOOKS
    files = dict(target.format.index_files(scenes))
    files[INDEX] = json_bytes(_index(target.format, scenes))
    for name, content in sorted(files.items()):
        path = target.folder / name
        with suppress(OSError):
            if path.read_bytes() == content:
                continue
        write_file(path, content, books / "partial")
    return []


def disagreement(folder: Path, scenes: Sequence[SceneFacts]) -> str | None:
    """What is wrong where scenes in one folder are of runs that number their classes differently, else None."""
    names: dict[str, tuple[str, str]] = {}
    for one in scenes:
        for number, name in one.facts.get("classes", {}).items():
            first, of = names.setdefault(number, (name, one.scene))
            if first != name:
                return (
                    f"{folder}: class {number} is {first} in scene {of}, and {name} in scene {one.scene}: runs with "
                    "other classes, which cannot share an index; export one of the runs to another folder"
                )
    return None


def _index(of: type[ExportStage], scenes: Sequence[SceneFacts]) -> dict[str, object]:
    """What people want to know of a folder: of each scene its split and the frames of its arrays, and the class ids."""
    classes: dict[str, str] = {}
    for one in scenes:
        classes |= one.facts.get("classes", {})
    facts = {one.scene: {name: fact for name, fact in one.facts.items() if name != "classes"} for one in scenes}
    listed = {one.scene: {"split": one.split, **facts[one.scene]} for one in scenes}
    return {"format": of.name, "reader": of.reader, "classes": classes, "scenes": listed}


def _end(plan: Plan, chosen: Sequence[Target], outcome: Outcome) -> str:
    """What each format took, and what failed."""
    rows = [_costs(plan, target, outcome) for target in chosen]
    columns = ("format", *(kind for kind in TaskOutcome), "files", "MB", "seconds", "peak MiB", "folder")
    return "\n\n".join([table(columns, rows), *warnings_of(plan, outcome), *failures_of(plan, outcome)])


def _costs(plan: Plan, target: Target, outcome: Outcome) -> tuple[object, ...]:
    (step,) = [step for step in plan.steps if step.stage == target.format.name]
    manifests = [intact_manifest(target.receipts / row.scene) for row in step.rows]
    records = [record_from_manifest(manifest) for manifest in manifests if manifest is not None]
    counts = outcome.counts.get(step.label)
    numbers = [0 if counts is None else counts[kind] for kind in TaskOutcome]
    size = sum(one.statistics.get("bytes", 0.0) for one in records)
    files = sum(one.statistics.get("files", 0.0) for one in records)
    peak = max((one.peak_memory_bytes or 0 for one in records), default=0)
    seconds = sum(one.seconds for one in records)
    return (
        target.format.name, *numbers, int(files), f"{size / 1e6:.1f}", f"{seconds:.2f}", f"{peak / 2**20:.0f}",
        f"{shown(target.folder)}/",
    )  # fmt: skip


def _check(chosen: Sequence[Target]) -> int:
    """Prints what readers would refuse; returns how much that is."""
    found = 0
    for line in _check_lines(chosen):
        print(line)
        found += line.startswith(" ")
    return found


def _check_lines(chosen: Sequence[Target]) -> Iterator[str]:
    for target in chosen:
        try:
            problems = target.format.problems(target.folder, exported(target))
        except StoreError as error:
            problems = [str(error)]
        if problems is None:
            yield f"{target.format.name}: its reader's rules are kept by what writes it; nothing else to check"
        elif not problems:
            yield f"{target.format.name}: checked, nothing wrong"
        else:
            yield f"{target.format.name}: {count(len(problems), 'problem')}"
            yield from (f"  {problem}" for problem in problems)
