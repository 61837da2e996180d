"""The plan of a release: one task a scene, which reads the results of a run and writes into the release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.fingerprint import task_fingerprint
from pipeline.results import RunResults
from pipeline.stage import SceneStage
from pipeline.store import fingerprint_of, read_arrays
from pipeline.tasks import Plan, Reason, Row, Step
from stages.export.delivery import is_whole
from stages.release.folder import books_of, remove_file
from stages.release.standing import LABELS, Standing

_STAGE = "stages.release.stage:ReleasedScene"
_SEED = 0


@dataclass(frozen=True)
class Receipt:
    """What was written of one scene."""

    scene: str
    files: Mapping[str, Mapping[str, Any]]
    """name -> size and sha256"""
    facts: Mapping[str, Any]
    """``facts.scene_facts``"""


def release_plan(results: RunResults, standing: Standing, to: Path, *, geometry: bool) -> Plan:
    """Tasks of the scenes that are ready; those whose files are there already are done."""
    stage = _stage()
    receipts = books_of(to) / stage.name
    read = [_read_step(results, name, standing) for name in stage.inputs]
    rows = tuple(_row(stage, receipts / scene, to, standing, geometry) for scene in standing.ready)
    step = Step(
        stage=stage.name,
        path=_STAGE,
        version=stage.version,
        granularity="scene",
        round=results.round,
        folder=receipts,
        inputs=tuple(range(len(read))),
        unfingerprinted=stage.unfingerprinted,
        runs=True,
        splits=(),
        rows=rows,
    )
    config = {"seed": _SEED, "strict": False, "splits": {}, stage.name: {"to": str(to), "geometry": geometry}}
    return Plan(results.folder.name, config, books_of(to), (*read, step))


def withdraw_others(plan: Plan, to: Path) -> None:
    """Removes files of scenes that are no longer among those of the plan, as after a change of the run."""
    wanted = {row.scene for row in plan.steps[-1].rows}
    for receipt in receipts_in(plan):
        if receipt.scene not in wanted:
            for name in receipt.files:
                remove_file(to, name)


def receipts_in(plan: Plan) -> Iterator[Receipt]:
    """Every scene that was written, sorted by id; raises StoreError for a receipt that cannot be read."""
    for folder in sorted(plan.steps[-1].folder.glob("[!.]*")):
        if fingerprint_of(folder) is not None:
            _, attributes = read_arrays(folder)
            yield Receipt(folder.name, attributes["files"], attributes["facts"])


def _stage() -> type[SceneStage]:
    module, _, name = _STAGE.partition(":")
    found: type[SceneStage] = getattr(import_module(module), name)
    return found


def _read_step(results: RunResults, stage: str, standing: Standing) -> Step:
    rows = tuple(
        Row(scene, Reason.DONE, origin.manifests[stage]["fingerprint"]) for scene, origin in standing.ready.items()
    )
    folder = results.of_stage(stage).absolute()
    return Step(stage, "", 0, "scene", results.round, folder, (), (), runs=False, splits=(), rows=rows)


def _row(stage: type[SceneStage], receipt: Path, to: Path, standing: Standing, geometry: bool) -> Row:
    manifests = standing.ready[receipt.name].manifests
    inputs = {name: manifests[name]["fingerprint"] for name in ("scenes", LABELS)}
    fingerprint = task_fingerprint(
        stage.name, stage.version, config={"geometry": geometry}, seed=_SEED, inputs=inputs, files=()
    )
    found = fingerprint_of(receipt)
    if found is None:
        return Row(receipt.name, Reason.MISSING, fingerprint)
    if found != fingerprint:
        return Row(receipt.name, Reason.INPUT, fingerprint)
    try:
        whole = is_whole(to, read_arrays(receipt)[1]["files"])
    except (StoreError, KeyError):
        whole = False
    return Row(receipt.name, Reason.DONE if whole else Reason.FORCED, fingerprint)
