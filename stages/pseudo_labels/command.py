"""``boxgp import-labels``: labels that others made, as a run of their own, beside those of the run they belong to."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pipeline.atomic import remove, temporary_sibling, writing
from pipeline.commands import saved_config
from pipeline.config import RunConfig
from pipeline.errors import BoxgpError, ConfigurationError, InputError
from pipeline.executors.local import LocalExecutor
from pipeline.plan import make_plan
from pipeline.progress import progress_on
from pipeline.results import IN_NO_ROUND, RunResults, results_of
from pipeline.run import run_plan
from pipeline.show import count, table
from pipeline.show_run import end_of_run, run_heading, shown
from pipeline.stage import Stage
from pipeline.store import fingerprint_of, read_arrays
from stages.evaluation.label_quality import smallest_box_of_points
from stages.evaluation.records import from_arrays
from stages.pseudo_labels.agreement import Agreement, agreement
from stages.pseudo_labels.imported_files import SUFFIX
from stages.pseudo_labels.labels import PseudoLabels
from stages.stores import read_scene
from stages.summary.figures import Figures, pool_figures
from stages.summary.table import number

Stages = Sequence[tuple[str, type[Stage]]]
_SHOWN = 5


def import_labels(arguments: argparse.Namespace, stages: Stages) -> int:
    """Imports labels for the scenes of a run, evaluates them and compares; returns the exit code."""
    results = results_of(arguments.run)
    to = Path(arguments.to).expanduser().absolute()
    config = _configuration(results, arguments, stages)
    _check_labels(config.sections["pseudo_labels"].path, results)
    _check_target(to, results)
    _reuse(results.folder, to)
    plan = make_plan(config, stages, to, scenes=results.scenes("scenes"))
    executor = LocalExecutor(0)
    print(run_heading(plan, executor.description), flush=True)
    outcome = run_plan(plan, executor, progress_on(sys.stderr))
    print(f"\n{end_of_run(plan, outcome)}")
    if not outcome.stopped:
        print(f"\n{_comparison(results, RunResults(to, 0))}")
    return outcome.exit_code


def _configuration(results: RunResults, arguments: argparse.Namespace, stages: Stages) -> RunConfig:
    """That of the run, with the labels from files and nothing trained on them; raises ConfigurationError where a stage
    refuses it."""
    saved = saved_config(results.folder, stages)
    folders = {"path": arguments.labels, "superpoints": arguments.superpoints}
    update = {name: None if text is None else Path(text).expanduser().absolute() for name, text in folders.items()}
    sections = dict(saved.sections)
    sections["pseudo_labels"] = sections["pseudo_labels"].model_copy(
        update={**update, "trust_pickle": arguments.trust_pickle}
    )
    sections["training"] = sections["training"].model_copy(update={"network": None, "options": {}})
    for _, stage in stages:
        if stage.left_out(sections) is None:
            stage(sections[stage.name]).check()
    return replace(saved, name=Path(arguments.to).expanduser().absolute().name, sections=sections, rounds=1)


def _check_labels(folder: Path, results: RunResults) -> None:
    """Raises InputError where no file is a scene's, with what is there instead."""
    files = sorted(path.stem for path in folder.glob(f"*{SUFFIX}"))
    scenes = results.scenes("scenes")
    if set(files) & set(scenes):
        return
    inner = sorted({path.parent.name for path in folder.glob(f"*/*{SUFFIX}")})
    hint = f"; did you mean {folder / inner[0]}?" if inner and not files else "."
    found = f"{count(len(files), 'file')} ({', '.join(files[:_SHOWN])})" if files else f"no {SUFFIX} file"
    raise InputError(
        f"{folder} has labels of no scene of {results.folder}: {found} in it{hint} Files are named as the scenes: "
        f"{', '.join(one + SUFFIX for one in scenes[:_SHOWN])}"
    )


def _check_target(to: Path, results: RunResults) -> None:
    """Raises ConfigurationError for a folder that holds a run of ordinary labels."""
    if to == results.folder.absolute() or to.resolve() == results.folder.resolve():
        raise ConfigurationError(f"--to {to} is the run itself: imported labels need a folder of their own")
    if (to / "round_00" / "features").exists() or (to / "round_00" / "posteriors").exists():
        raise ConfigurationError(f"--to {to} holds a run that made its own labels: choose another folder")


def _reuse(run: Path, to: Path) -> None:
    """Brings over what is the same in both runs, without a copy where the disk allows it.

    The plan takes each result for done only if its fingerprint is what it should be, so that nothing stale is reused.
    """
    for stage in IN_NO_ROUND:
        for folder in sorted((run / stage).glob("[!.]*")):
            target = to / stage / folder.name
            if fingerprint_of(folder) is None or target.exists():
                continue
            temporary = temporary_sibling(target)
            with writing(target):
                try:
                    temporary.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copytree(folder, temporary, copy_function=_link_or_copy)
                    temporary.rename(target)
                finally:
                    remove(temporary)


def _link_or_copy(source: str, target: str) -> str:
    """Results are replaced as a whole and never written to, so that two runs may share a file."""
    with suppress(OSError):
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))


def _comparison(ours: RunResults, theirs: RunResults) -> str:
    """Quality of both over the scenes that both have, and how far their owners agree."""
    common = sorted(set(ours.scenes()) & set(theirs.scenes()))
    if not common:
        return "No scene was imported: nothing to compare"
    lines = []
    figures = [_figures(one, common) for one in (ours, theirs)]
    if all(one is not None and one.truth is not None for one in figures):
        names = [str(shown(one.folder.absolute())) for one in (ours, theirs)]
        lines.append(table(("label quality", *names), list(_quality([one for one in figures if one is not None]))))
    together, left_out = _agreement(ours, theirs, common)
    lines.append(
        f"Same owner at {_share(together.same, together.points)} of {together.points:,} points, and at "
        f"{_share(together.boxed_same, together.boxed)} of the {together.boxed:,} in boxes "
        f"({count(len(common) - len(left_out), 'scene')})"
    )
    lines += [f"Not compared: {one}" for one in left_out]
    return "\n\n".join(lines)


def _figures(results: RunResults, scenes: Sequence[str]) -> Figures | None:
    """None where a scene was not evaluated."""
    folders = [results.of("evaluation", scene) for scene in scenes]
    if any(fingerprint_of(folder) is None for folder in folders):
        return None
    return pool_figures([from_arrays(*read_arrays(folder)) for folder in folders])


def _quality(both: Sequence[Figures]) -> Iterator[tuple[str, ...]]:
    truths = [one.truth for one in both if one.truth is not None]
    quality = [one.labels.quality for one in truths]
    yield "label AP", *(number(one.ap) for one in quality)
    yield "label AP50", *(number(one.ap50) for one in quality)
    yield "mean IoU", *(number(one.mean_iou) for one in quality)
    yield "ECE of contested points", *(number(one.calibration["together"].ece) for one in truths)
    yield "contested points", *(f"{one.calibration['together'].points:,}" for one in truths)


def _agreement(ours: RunResults, theirs: RunResults, scenes: Sequence[str]) -> tuple[Agreement, list[str]]:
    """Over the scenes that can be compared, and why others cannot."""
    together, left_out = Agreement(), []
    for name in scenes:
        try:
            scene = read_scene(theirs.of("scenes", name))
            labels = PseudoLabels.open(ours.of("pseudo_labels", name))
            imported = PseudoLabels.open(theirs.of("pseudo_labels", name))
            boxed = smallest_box_of_points(scene.xyz, imported.boxes.corners) >= 0
            together += agreement(labels, imported, boxed)
        except (BoxgpError, ValueError) as error:
            left_out.append(f"{name}: {error}")
    return together, left_out


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
