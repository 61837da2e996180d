"""Statistics of a run: over all manifests and failures, exact, so that parts add up in every order and grouping."""

from __future__ import annotations

import heapq
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.atomic import write_text_atomic
from pipeline.failures import Failure, read_failures
from pipeline.step_statistics import StepStatistics, per_hour, span
from pipeline.store import intact_manifest

_SLOWEST = 10
_ROUND = re.compile(r"round_\d+")


class Slow(NamedTuple):
    """A task among the slowest."""

    seconds: float
    stage: str
    round: int
    scene: str


class Drift(NamedTuple):
    """What part of a whole (``source/gp`` is the part ``gp`` of ``source``) has in each round."""

    stage: str
    whole: str
    part: str
    shares: Mapping[int, float]
    change: float
    """from the last round but one to the last"""


@dataclass(frozen=True)
class RunStatistics:
    """Statistics of each (round, stage), and the slowest tasks of all."""

    steps: Mapping[tuple[int, str], StepStatistics] = field(default_factory=dict)
    slowest: tuple[Slow, ...] = ()

    @staticmethod
    def of(manifests: Iterable[Mapping[str, Any]], failures: Iterable[Failure] = ()) -> RunStatistics:
        """Of some results and failures, one after the other; what is no manifest of this version is passed over."""
        steps: dict[tuple[int, str], StepStatistics] = {}
        slowest: list[Slow] = []

        def add(number: int, stage: str, one: StepStatistics) -> None:
            steps[number, stage] = steps.get((number, stage), StepStatistics()) + one

        for manifest in manifests:
            with suppress(KeyError, TypeError, ValueError, AttributeError):
                one = StepStatistics.of(manifest)
                slow = Slow(one.longest, str(manifest["stage"]), int(manifest["round"]), str(manifest["scene"]))
                add(slow.round, slow.stage, one)
                if len(slowest) < _SLOWEST or slow > slowest[-1]:
                    slowest = _first((*slowest, slow))
        for failure in failures:
            add(failure.round, failure.stage, StepStatistics.of_failure(failure))
        return RunStatistics(steps, tuple(slowest))

    def __add__(self, other: RunStatistics) -> RunStatistics:
        empty = StepStatistics()
        keys = {**self.steps, **other.steps}
        return RunStatistics(
            {key: self.steps.get(key, empty) + other.steps.get(key, empty) for key in keys},
            tuple(_first((*self.slowest, *other.slowest))),
        )

    @property
    def started(self) -> str:
        """When the first result was begun, in UTC; empty without any."""
        return min((step.started for step in self.steps.values() if step.started), default="")

    @property
    def ended(self) -> str:
        """When the last result was there, in UTC; empty without any."""
        return max((step.ended for step in self.steps.values()), default="")

    @property
    def span_seconds(self) -> float:
        """Seconds by the clock on the wall from the first start to the last end, pauses between runs included."""
        return span(self.started, self.ended)

    @property
    def scenes(self) -> int:
        """Scenes that have been through every stage that was begun."""
        return min((step.done for step in self.steps.values() if not step.dataset), default=0)

    @property
    def drift(self) -> list[Drift]:
        """How shares change between rounds; nothing of stages that have been in one round only."""
        stages: dict[str, dict[int, dict[str, dict[str, float]]]] = {}
        for (number, stage), step in self.steps.items():
            stages.setdefault(stage, {})[number] = step.shares()
        return [one for stage, rounds in sorted(stages.items()) for one in drift_of(stage, rounds)]

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "started": self.started,
            "ended": self.ended,
            "scenes": self.scenes,
            "scenes_an_hour": per_hour(self.scenes, self.span_seconds),
            "steps": [
                {"stage": stage, "round": number, **step.plain()}
                for (number, stage), step in sorted(self.steps.items())
            ],
            "slowest": [slow._asdict() for slow in self.slowest],
            "drift": [one._asdict() for one in self.drift],
        }


def drift_of(stage: str, rounds: Mapping[int, Mapping[str, Mapping[str, float]]]) -> list[Drift]:
    """Change of each share of a stage, whose shares (whole -> part -> share) are given for each round."""
    numbers = sorted(rounds)
    if len(numbers) < 2:
        return []
    parts = sorted({(whole, part) for shares in rounds.values() for whole, of in shares.items() for part in of})
    found = []
    for whole, part in parts:
        shares = {number: rounds[number].get(whole, {}).get(part, 0.0) for number in numbers}
        found.append(Drift(stage, whole, part, shares, shares[numbers[-1]] - shares[numbers[-2]]))
    return found


def read_statistics(output: Path) -> RunStatistics:
    """The statistics of everything that is on disk now; takes memory for one manifest at a time."""
    manifests = (manifest for folder in _result_folders(output) if (manifest := intact_manifest(folder)) is not None)
    return RunStatistics.of(manifests, read_failures(output))


def write_statistics(output: Path) -> RunStatistics:
    """Reads the statistics of a run and stores them in ``stats.json``; raises StoreError where that is impossible."""
    statistics = read_statistics(output)
    write_text_atomic(output / "stats.json", json.dumps(statistics.plain(), indent=2) + "\n")
    return statistics


def _result_folders(output: Path) -> Iterator[Path]:
    """Every folder that may hold a result: ``<stage>/<scene>`` and ``<stage>``, the same below ``round_00``."""
    for top in _folders(output):
        for stage in _folders(top) if _ROUND.fullmatch(top.name) else (top,):
            yield stage
            yield from _folders(stage)


def _folders(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir():
                yield Path(entry.path)


def _first(tasks: Iterable[Slow]) -> list[Slow]:
    """The slowest tasks, in an order that is the same whatever order they came in."""
    return heapq.nlargest(_SLOWEST, tasks)
