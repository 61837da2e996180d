"""The results of a run as they lie on disk, without its configuration or raw files: for whatever takes them further."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import InputError
from pipeline.store import MANIFEST, fingerprint_of

IN_NO_ROUND = ("scenes", "superpoints")
"""stages whose results are the same in every round"""
_SHOWN = 10


@dataclass(frozen=True)
class RunResults:
    """One round of a run."""

    folder: Path
    round: int

    def of_stage(self, stage: str) -> Path:
        """Where the results of a stage lie: one folder a scene, or the one result over all scenes."""
        return (self.folder if stage in IN_NO_ROUND else self.folder / f"round_{self.round:02d}") / stage

    def of(self, stage: str, scene: str) -> Path:
        """Where the result of a stage for one scene lies, whether it is there or not."""
        return self.of_stage(stage) / scene

    def scenes(self, stage: str = "pseudo_labels") -> list[str]:
        """The scenes that have a complete result of a stage, sorted."""
        return sorted(_complete(self.of_stage(stage)))


def existing_run(path: str) -> Path:
    """The folder of a run; raises InputError where ``path`` is none."""
    run = Path(path).expanduser()
    if (run / "config.yaml").is_file():
        return run
    what = "does not exist" if not run.exists() else "has no config.yaml" if run.is_dir() else "is no folder"
    names = [other.parent.name for other in run.absolute().parent.glob("*/config.yaml")]
    near = get_close_matches(run.name, names, n=1)
    hint = f"; did you mean {run.parent / near[0]}?" if near else ""
    raise InputError(f"{run} is no folder of a run: it {what}{hint}")


def results_of(path: str, number: int | None = None) -> RunResults:
    """The round ``number`` of a run, by default the last one that has labels.

    Raises InputError where ``path`` is no run, has no labels yet, or lacks that round.
    """
    run = existing_run(path)
    rounds = [int(place.parent.name[6:]) for place in sorted(run.glob("round_[0-9][0-9]/pseudo_labels"))]
    rounds = [one for one in rounds if any(_complete(run / f"round_{one:02d}" / "pseudo_labels"))]
    if not rounds:
        raise InputError(f"{run} has no labels yet: finish it with boxgp run (boxgp status {run} tells how far it is)")
    if number is not None and number not in rounds:
        there = ", ".join(map(str, rounds))
        raise InputError(f"{run} has no labels of round {number}; there are those of round {there}")
    return RunResults(run, rounds[-1] if number is None else number)


def chosen_among(results: RunResults, wanted: tuple[str, ...] | None) -> list[str]:
    """The labelled scenes that were asked for, all for None; raises InputError for one that has no labels."""
    there = results.scenes()
    for scene in wanted or ():
        if scene not in there:
            near = get_close_matches(scene, there, n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
            raise InputError(
                f"{results.folder} has no labels of scene {scene!r}{hint} There are {', '.join(there[:_SHOWN])}{more}"
            )
    return there if wanted is None else sorted(set(wanted))


def _complete(folder: Path) -> Iterator[str]:
    for manifest in folder.glob(f"[!.]*/{MANIFEST}"):
        if fingerprint_of(manifest.parent) is not None:
            yield manifest.parent.name
