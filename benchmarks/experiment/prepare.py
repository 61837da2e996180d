"""From a configuration to rooms with labels by every rule: the part that needs the whole of boxgp."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import stages
from benchmarks.experiment.relabel import Relabelling
from benchmarks.experiment.rooms import BeforeNetwork, write_room
from benchmarks.experiment.rows import RULES, Rule
from benchmarks.experiment.settings import SETTINGS, Experiment, ExperimentError, Folder, differences
from pipeline.config import RunConfig, load_config
from pipeline.executors.choose import executor_for
from pipeline.plan import make_plan
from pipeline.progress import progress_on
from pipeline.run import run_plan
from pipeline.stage import Stage
from pipeline.tasks import Plan
from stages.posteriors.infer import prepare as prepared_scene
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.store import read_labels
from stages.stores import read_scene, read_superpoints
from stages.structures import Scene, Superpoints
from stages.training.stored import ONE_CLASS

_LAST = "pseudo_labels"


def prepare(configuration: str, folder: Folder, seeds: Sequence[int]) -> bool:
    """Makes rooms and settings of an experiment; False where they are there already.

    Raises ExperimentError where the folder holds another experiment, where the configuration cannot be used for one
    and where a room cannot be labelled; BoxgpError where the pipeline refuses it.
    """
    config, planned = _planned(configuration, "gp", folder)
    wanted = _experiment(config, planned, seeds)
    if (folder.path / SETTINGS).exists():
        _compare(folder, wanted)
        return False
    labels = {rule: _labels(configuration, rule, folder, wanted.train) for rule in RULES}  # gp last: it stays in `run`
    for scene in (*wanted.train, *wanted.val):
        _write_room(
            folder, planned, config, scene, {rule: found[scene] for rule, found in labels.items() if scene in found}
        )
    names = read_scene(_folder(planned, "scenes") / wanted.train[0]).class_names
    folder.write(Experiment(wanted.configuration, wanted.seeds, names or (ONE_CLASS,), wanted.train, wanted.val))
    return True


def _planned(configuration: str, rule: Rule, folder: Folder) -> tuple[RunConfig, Plan]:
    """The configuration with a rule, of one round, and its plan up to the labels."""
    loaded: list[tuple[str, type[Stage]]] = []
    for path in stages.PIPELINE:
        module, _, name = path.partition(":")
        loaded.append((path, getattr(importlib.import_module(module), name)))
    overrides = ["rounds=1"] + ([] if rule == "gp" else [f"posteriors.engine={rule}"])
    config = load_config(configuration, overrides, [stage for _, stage in loaded])
    return config, make_plan(config, loaded, folder.run, last=_LAST)


def _experiment(config: RunConfig, planned: Plan, seeds: Sequence[int]) -> Experiment:
    """What the configuration asks for, but for the classes, which the rooms tell."""
    resolved = json.loads(json.dumps(config.resolved()))
    try:
        Relabelling.of(resolved)
    except ValueError as error:
        raise ExperimentError(f"better labels by a network need other settings: {error}") from error
    if resolved["training"]["network"] is None:
        raise ExperimentError("no network is trained; set training.network")
    if resolved["training"]["precision"] == "16-mixed":
        raise ExperimentError("training.precision has to be 32 or bf16-mixed here")
    scenes = [row.scene for row in planned.steps[0].rows]
    split_of = {scene: split for split, members in config.splits.items() for scene in members}
    rest = "" if config.splits["train"] else "train"
    train, val = (tuple(scene for scene in scenes if split_of.get(scene, rest) == split) for split in ("train", "val"))
    if not train or not val:
        raise ExperimentError("splits.val has to name rooms to judge on, and to leave rooms to learn from")
    return Experiment(resolved, tuple(seeds), (), train, val)


def _compare(folder: Folder, wanted: Experiment) -> None:
    found = folder.read()
    changed = list(differences(found.configuration, wanted.configuration))
    changed += differences({"seeds": list(found.seeds)}, {"seeds": list(wanted.seeds)})
    changed += differences(
        {"train": list(found.train), "val": list(found.val)}, {"train": list(wanted.train), "val": list(wanted.val)}
    )
    if changed:
        listing = "\n  ".join(changed)
        raise ExperimentError(
            f"{folder.path} holds an experiment with other settings:\n  {listing}\n"
            f"Name another folder, or remove {folder.path / SETTINGS}: then the rooms are written anew, and what was "
            "trained under other settings is trained anew"
        )


def _labels(configuration: str, rule: Rule, folder: Folder, scenes: Sequence[str]) -> dict[str, PseudoLabels]:
    """The labels of rooms by one rule, after a run of the pipeline."""
    print(f"labels {rule}", file=sys.stderr, flush=True)
    config, planned = _planned(configuration, rule, folder)
    outcome = run_plan(planned, executor_for(config.executor, folder.run), progress_on(sys.stderr))
    if outcome.stopped:
        raise KeyboardInterrupt
    if outcome.exit_code:
        raise ExperimentError(f"some rooms have no labels {rule}; see what failed by `boxgp failures {folder.run}`")
    return {scene: read_labels(_folder(planned, _LAST) / scene) for scene in scenes}


def _folder(planned: Plan, stage: str) -> Path:
    """Where a stage's results lie, a folder a room."""
    (folder,) = (step.folder for step in planned.steps if step.stage == stage)
    return folder


def _write_room(
    folder: Folder, planned: Plan, config: RunConfig, name: str, labels: Mapping[Rule, PseudoLabels]
) -> None:
    """A room; those that networks are judged on have no labels and need nothing to improve them."""
    scene = read_scene(_folder(planned, "scenes") / name)
    superpoints = read_superpoints(_folder(planned, "superpoints") / name)
    before = _before_network(scene, superpoints, config) if labels else None
    write_room(folder.room(name), scene, superpoints, labels, before)


def _before_network(scene: Scene, superpoints: Superpoints, config: RunConfig) -> BeforeNetwork:
    found = prepared_scene(scene, superpoints, config.sections["posteriors"])
    return BeforeNetwork(found.ownership, found.view.order, found.faces, found.seed)
