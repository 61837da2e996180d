"""What a reviewer may do with a run: see the corrections of a scene, add to them, take steps back."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import BoxgpError, StoreError
from pipeline.results import RunResults
from pipeline.store import intact_manifest
from stages.review.corrections import (
    BACKGROUND,
    UNTOUCHED,
    ConflictError,
    Correction,
    Corrections,
    corrections_file,
    read_corrections,
    write_corrections,
)
from stages.review.history import standing_steps, taken_back
from stages.review.opened import OpenScene, OpenScenes

_CONTESTED = ("gp", "fallback", "rule")
"""label sources that are no certain rule, as the statistics of a manifest name them"""


class ReplacedError(BoxgpError):
    """The regions of a scene are others than those that the page shows."""


class RequestError(BoxgpError):
    """The page asks for something that does not exist, such as a region out of range."""


class Desk:
    """One run before one reviewer; for several threads."""

    def __init__(self, results: RunResults, scenes: OpenScenes, reviewer: str | None) -> None:
        self.results = results
        self.scenes = scenes
        self._reviewer = reviewer

    @property
    def command(self) -> str:
        """The command that makes the labels heed the corrections, from any folder."""
        run = self.results.folder.absolute()
        return f"boxgp run {shlex.quote(str(run / 'config.yaml'))} --output {shlex.quote(str(run))}"

    def overview(self) -> list[dict[str, Any]]:
        """Of each scene: its name, how many regions are contested, how many corrections stand, and what is wrong."""
        return [self._overview_of(scene) for scene in self.results.scenes()]

    def state(self, scene: str) -> dict[str, Any]:
        """The corrections of a scene beside its labels; raises StoreError where the scene cannot be reviewed now."""
        return self._state(self.scenes.open(scene))

    def assign(self, scene: str, regions: Sequence[int], owner: int, *, seen: int, superpoints: str) -> dict[str, Any]:
        """Gives regions to a box or to BACKGROUND and returns the new state.

        ``seen`` is the number of entries that the page knows of. Raises ConflictError where there are others by now,
        ReplacedError where the regions are others, RequestError for what does not exist, StoreError where the file
        cannot be read or written. Then nothing has changed.
        """
        opened, present = self._checked(scene, seen, superpoints)
        boxes = len(opened.labels.mask)
        if not BACKGROUND <= owner < boxes:
            raise RequestError(f"there is no box {owner} in scene {scene}: it has {boxes}")
        if not all(0 <= region < len(opened.points) for region in regions):
            raise RequestError(f"scene {scene} has regions 0 to {len(opened.points) - 1} only")
        said = _owners(present, opened)
        new = [region for region in dict.fromkeys(regions) if said[region] != owner]
        self._write(present, [Correction(region, owner, _now(), self._reviewer) for region in new])
        return self._state(opened)

    def take_back(self, scene: str, first: int, *, seen: int, superpoints: str) -> dict[str, Any]:
        """Takes back the step that starts at entry ``first`` and returns the new state; raises as ``assign`` does."""
        opened, present = self._checked(scene, seen, superpoints)
        steps = [step for step in standing_steps(present.entries) if step.first == first]
        if not steps:
            raise RequestError(f"step {first} of scene {scene} was taken back already")
        added, decided_later = taken_back(present.entries, steps[0], _now(), self._reviewer)
        self._write(present, added)
        return {**self._state(opened), "decided_later": len(decided_later)}

    def _checked(self, scene: str, seen: int, superpoints: str) -> tuple[OpenScene, Corrections]:
        opened = self.scenes.open(scene)
        if opened.fingerprints.superpoints != superpoints:
            raise ReplacedError(
                f"the regions of scene {scene} were computed anew since this page was loaded: load it again"
            )
        present = self._corrections(opened)
        if len(present.entries) != seen:
            raise ConflictError(
                f"somebody else, or another tab, corrected scene {scene} meanwhile. What they did is shown now; your "
                "last step is not saved: look again, then repeat it"
            )
        return opened, present

    def _write(self, present: Corrections, added: Sequence[Correction]) -> None:
        if added:
            path = corrections_file(self.results.folder, present.scene)
            new = replace(present, entries=(*present.entries, *added))
            write_corrections(path, new, expected=len(present.entries))

    def _corrections(self, opened: OpenScene) -> Corrections:
        """Those on disk; raises StoreError where they are corrupt or belong to other regions."""
        scene = opened.labels.scene
        path = corrections_file(self.results.folder, scene)
        if not path.exists():
            return Corrections(scene, opened.fingerprints.superpoints)
        corrections = read_corrections(path)
        if corrections.superpoints != opened.fingerprints.superpoints:
            raise StoreError(
                f"{path} belongs to other regions than those of the run now (its superpoints were computed anew): move "
                "the file away and review the scene again, or run with the configuration of that time"
            )
        _owners(corrections, opened)
        return corrections

    def _state(self, opened: OpenScene) -> dict[str, Any]:
        corrections = self._corrections(opened)
        said = _owners(corrections, opened)
        heeded = (said == opened.owner) & opened.by_human
        pending = ((said != UNTOUCHED) & ~heeded) | ((said == UNTOUCHED) & opened.by_human)
        steps = [{**asdict(step), "regions": list(step.regions)} for step in standing_steps(corrections.entries)]
        touched = (said != UNTOUCHED).nonzero()[0]
        return {
            "scene": opened.labels.scene,
            "fingerprints": asdict(opened.fingerprints),
            "seen": len(corrections.entries),
            "corrected": [[int(region), int(said[region])] for region in touched],
            "steps": steps,
            "pending": int(pending.sum()),
        }

    def _overview_of(self, scene: str) -> dict[str, Any]:
        manifest = intact_manifest(self.results.of("pseudo_labels", scene)) or {}
        statistics = manifest.get("statistics", {})
        contested = int(sum(statistics.get(f"regions_by_source/{name}", 0) for name in _CONTESTED))
        path = corrections_file(self.results.folder, scene)
        corrected, problem = 0, None
        try:
            if path.exists():
                corrected = sum(len(step.regions) for step in standing_steps(read_corrections(path).entries))
        except StoreError as error:
            problem = str(error)
        return {"scene": scene, "contested": contested, "corrected": corrected, "problem": problem}


def _owners(corrections: Corrections, opened: OpenScene) -> Any:
    try:
        return corrections.owners(len(opened.points), len(opened.labels.mask))
    except ValueError as error:
        raise StoreError(
            f"the corrections of scene {corrections.scene} do not fit it ({error}): move that file in the folder "
            "corrections away, then review the scene again"
        ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
