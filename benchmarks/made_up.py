"""Made-up data of any size: scans of a few bytes, and results of a plan that nothing has computed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.plan import input_fingerprints
from pipeline.provenance import git_commit, software_versions
from pipeline.stage import Array, Result
from pipeline.store import DATA, MANIFEST, commit
from pipeline.tasks import Plan, PlannedTask

MOMENT = "2026-01-01T00:00:00.000000Z"
COUNTED = ("points", "regions", "contested", "source/background", "source/single_box", "source/gp")
"""what the statistics of a made-up result count"""


def make_scans(folder: Path, count: int) -> None:
    """Files that are found as scenes; none of them can be read."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"scan{number:06d}.npz").write_bytes(b"%d" % number)


def make_results(plan: Plan) -> Iterator[Path]:
    """Commits something under the fingerprint of every task of ``plan``, all of which are of scenes.

    The first result of a stage is committed as real ones are, the others are its bytes with other names.
    """
    for place, step in plan.running:
        first = plan.task(place, 0)
        yield _committed(first, plan.config[step.stage])
        data = (first.folder / DATA).read_bytes()
        template = (first.folder / MANIFEST).read_text(encoding="utf-8")
        for position in range(1, len(step.rows)):
            task = plan.task(place, position)
            task.folder.mkdir()
            (task.folder / DATA).write_bytes(data)
            (task.folder / MANIFEST).write_text(_renamed(template, first, task), encoding="utf-8")
            yield task.folder


def _committed(task: PlannedTask, config: Any) -> Path:
    manifest = {
        "fingerprint": task.fingerprint,
        "stage": task.stage,
        "version": task.version,
        "round": task.round,
        "scene": task.scene,
        "inputs": input_fingerprints(task),
        "files": [[file.path.name, file.content] for file in task.files],
        "config": config,
        "seed": task.seed,
        "versions": software_versions(),
        "commit": git_commit(),
        "warnings": [],
        "statistics": dict.fromkeys(COUNTED, 1.0),
        "attempt": 1,
        "host": socket.gethostname(),
        "started": MOMENT,
        "ended": MOMENT,
        "seconds": 1.0,
        "peak_memory_bytes": 2**28,
        "peak_memory_of": "task",
    }
    commit(task.folder, Result({"value": Array(np.zeros(8, np.float32), ("value",))}), manifest)
    return task.folder


def _renamed(manifest: str, first: PlannedTask, task: PlannedTask) -> str:
    """The manifest of ``first`` as one of ``task``."""
    names = [(str(first.fingerprint), str(task.fingerprint)), (first.scene, task.scene)]
    names += [(str(first.inputs[stage].fingerprint), str(one.fingerprint)) for stage, one in task.inputs.items()]
    names += [(before.content, after.content) for before, after in zip(first.files, task.files, strict=True)]
    names += [(f'"seed": {first.seed}', f'"seed": {task.seed}')]
    for before, after in names:
        manifest = manifest.replace(before, after)
    return manifest
