"""Which scenes of a run may be published: those whose labels are there and were made as the run says by now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.failures import read_failures
from pipeline.fingerprint import scene_seed
from pipeline.plans import load_plan
from pipeline.results import IN_NO_ROUND, RunResults
from pipeline.run_files import run_files
from pipeline.stage import DATASET, Stage
from pipeline.store import intact_manifest

LABELS = "pseudo_labels"
_RUN_AGAIN = "run the same `boxgp run` again"
_BESIDE = "boxgp failures tells why"


@dataclass(frozen=True)
class Origin:
    """How the labels of one scene came about."""

    labels: str
    """fingerprint of the labels"""
    manifests: Mapping[str, Mapping[str, Any]]
    """stage -> manifest of its result for the scene, of all stages that the labels rest on and of this round"""


@dataclass(frozen=True)
class Standing:
    """What of a round of a run may be published, and what may not."""

    ready: Mapping[str, Origin]
    """scene -> origin, sorted by scene"""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """scene -> why not, sorted by scene"""


def standing(results: RunResults, config: Mapping[str, Any], stages: Sequence[type[Stage]]) -> Standing:
    """Every scene that the run has begun with, as ready or left out; ``config`` is the content of its config.yaml."""
    by_name = {stage.name: stage for stage in stages}
    failed = {one.scene for one in read_failures(results.folder)} - {DATASET}
    corrections = {stage.name: run_files(results.folder, stage.run_files) for stage in stages if stage.run_files}
    ready, left_out = {}, {}
    for scene in sorted({*results.scenes("scenes"), *results.scenes(), *_planned(results.folder), *failed}):
        found = _Look(results, config, by_name, corrections, scene).origin()
        if isinstance(found, Origin):
            ready[scene] = found
        else:
            left_out[scene] = found
    return Standing(ready, left_out)


def _planned(run: Path) -> set[str]:
    """The scenes of the last plan that this version can read."""
    for folder in sorted(run.glob("plans/[!.]*"), reverse=True):
        try:
            steps = load_plan(folder).steps
            return {row.scene for step in steps[:1] for row in step.rows}
        except StoreError:
            continue
    return set()


@dataclass(frozen=True)
class _Look:
    """At one scene."""

    results: RunResults
    config: Mapping[str, Any]
    stages: Mapping[str, type[Stage]]
    corrections: Mapping[str, Mapping[str, tuple[Path, ...]]]
    scene: str

    def origin(self) -> Origin | str:
        """How the labels came about; else, in words, why they cannot be published."""
        manifest = intact_manifest(self.results.of(LABELS, self.scene))
        if manifest is None:
            return f"has no labels of this round ({_BESIDE}); {_RUN_AGAIN}"
        found: dict[str, Mapping[str, Any]] = {LABELS: manifest}
        waiting = [LABELS]
        while waiting:
            name = waiting.pop()
            why = self._stale(name, found[name])
            if why is not None:
                return why
            for needed, fingerprint in (found[name].get("inputs") or {}).items():
                current = self._current(name, needed)
                if current is None or current["fingerprint"] != fingerprint:
                    return f"{name} was computed before {needed} was computed anew; {_RUN_AGAIN}"
                if needed not in found and not self._of_earlier_round(name, needed):
                    found[needed] = current
                    waiting.append(needed)
        return Origin(manifest["fingerprint"], found)

    def _stale(self, name: str, manifest: Mapping[str, Any]) -> str | None:
        """Why a result is not what the run stands for, by its options, seed and corrections.

        The version of a stage does not count: labels made by an earlier boxgp may be published, as the recipe says.
        """
        stage = self.stages.get(name)
        if stage is None or stage.granularity == "dataset":
            return None
        free = {*stage.unfingerprinted, *(() if self.results.round else stage.only_later)}
        before, now = (
            {key: value for key, value in section.items() if key not in free}
            for section in (manifest["config"], self.config.get(name) or {})
        )
        if before != now or manifest["seed"] != scene_seed(self.config["seed"], name, self.scene):
            return f"{name} was computed with other options than the run's config.yaml has; {_RUN_AGAIN}"
        if name in self.corrections and not self._heeds(name, manifest):
            return f"{name} was computed with other corrections than there are now; {_RUN_AGAIN}"
        return None

    def _heeds(self, name: str, manifest: Mapping[str, Any]) -> bool:
        """Whether the files of the run that a stage reads are those that it has read."""
        paths = self.corrections[name].get(self.scene, ())
        contents = [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in paths]
        return [list(one) for one in manifest["files"]] == contents

    def _current(self, reader: str, name: str) -> Mapping[str, Any] | None:
        """The manifest of a result that ``reader`` reads, as it is now."""
        results = self.results
        if self._of_earlier_round(reader, name):
            results = RunResults(results.folder, results.round - 1)
        stage = self.stages.get(name)
        whole = stage is not None and stage.granularity == "dataset"
        return intact_manifest(results.of_stage(name) if whole else results.of(name, self.scene))

    def _of_earlier_round(self, reader: str, name: str) -> bool:
        stage = self.stages.get(reader)
        return stage is not None and name in stage.earlier and name not in (*stage.inputs, *IN_NO_ROUND)
