"""Statistics of one stage in one round: exact sums, which add up to the same in every order and grouping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, TypeVar

from pipeline.failures import Failure
from pipeline.stage import DATASET

_Summand = TypeVar("_Summand", int, Fraction)
_BINS = 32
"""bins of a histogram between a duration and its double: a median is right to 2 %"""


@dataclass(frozen=True)
class StepStatistics:
    """Sums over the tasks of one stage in one round."""

    dataset: bool = False
    """whether the stage runs over all scenes at once"""
    done: int = 0
    """results on disk"""
    failed: int = 0
    seconds: Fraction = Fraction(0)
    longest: float = 0.0
    durations: Mapping[int, int] = field(default_factory=dict)
    """histogram of seconds; see ``_bin``"""
    peak_memory_bytes: int = 0
    warnings: int = 0
    started: str = ""
    """when the first result was begun, in UTC; empty without any"""
    ended: str = ""
    sums: Mapping[str, Fraction] = field(default_factory=dict)
    """of what the stage itself counts"""

    @staticmethod
    def of(manifest: Mapping[str, Any]) -> StepStatistics:
        """The statistics of one result; a value that is not finite cannot be added up and is left out."""
        seconds = float(manifest["seconds"])
        values = manifest["statistics"]
        return StepStatistics(
            dataset=manifest["scene"] == DATASET,
            done=1,
            seconds=Fraction(seconds),
            longest=seconds,
            durations={_bin(seconds): 1},
            peak_memory_bytes=int(manifest["peak_memory_bytes"]),
            warnings=len(manifest["warnings"]),
            started=str(manifest["started"]),
            ended=str(manifest["ended"]),
            sums={name: Fraction(value) for name, value in values.items() if math.isfinite(value)},
        )

    @staticmethod
    def of_failure(failure: Failure) -> StepStatistics:
        """The statistics of one failure, whose seconds are not counted."""
        return StepStatistics(dataset=failure.scene == DATASET, failed=1)

    def __add__(self, other: StepStatistics) -> StepStatistics:
        return StepStatistics(
            dataset=self.dataset or other.dataset,
            done=self.done + other.done,
            failed=self.failed + other.failed,
            seconds=self.seconds + other.seconds,
            longest=max(self.longest, other.longest),
            durations=_added(self.durations, other.durations, 0),
            peak_memory_bytes=max(self.peak_memory_bytes, other.peak_memory_bytes),
            warnings=self.warnings + other.warnings,
            started=min(filter(None, (self.started, other.started)), default=""),
            ended=max(self.ended, other.ended),
            sums=_added(self.sums, other.sums, Fraction(0)),
        )

    @property
    def mean(self) -> float:
        """Seconds of one task; 0 without any."""
        return float(self.seconds / self.done) if self.done else 0.0

    @property
    def median(self) -> float:
        """Seconds that half of the tasks took at most, to 2 %; 0 without any."""
        below = 0
        for place, number in sorted(self.durations.items()):
            below += number
            if 2 * below >= self.done:
                return min(_middle(place), self.longest)
        return 0.0

    @property
    def span_seconds(self) -> float:
        """Seconds by the clock on the wall from the first start to the last end."""
        return span(self.started, self.ended)

    def shares(self) -> dict[str, dict[str, float]]:
        """Whole -> part -> share, of the sums that are named ``<whole>/<part>``; nothing for wholes that are zero."""
        wholes: dict[str, dict[str, Fraction]] = {}
        for name, value in sorted(self.sums.items()):
            whole, _, part = name.partition("/")
            if part:
                wholes.setdefault(whole, {})[part] = value
        return {
            whole: {part: float(value / total) for part, value in parts.items()}
            for whole, parts in wholes.items()
            if (total := sum(parts.values()))
        }

    def plain(self) -> dict[str, Any]:
        """As values of JSON."""
        return {
            "done": self.done,
            "failed": self.failed,
            "seconds": {
                "sum": float(self.seconds),
                "mean": self.mean,
                "median": self.median,
                "longest": self.longest,
            },
            "peak_memory_bytes": self.peak_memory_bytes,
            "warnings": self.warnings,
            "started": self.started,
            "ended": self.ended,
            "results_an_hour": per_hour(self.done, self.span_seconds),
            "statistics": {name: float(value) for name, value in sorted(self.sums.items())},
            "shares": self.shares(),
        }


def per_hour(number: int, seconds: float) -> float | None:
    """Results an hour; None where no time has passed."""
    return 3600 * number / seconds if seconds > 0 else None


def span(started: str, ended: str) -> float:
    """Seconds between two times in UTC; 0 where one is empty."""
    if not started or not ended:
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def _bin(seconds: float) -> int:
    """The bin of a duration: between a power of two and the next, ``_BINS`` of equal width; exact everywhere."""
    mantissa, exponent = math.frexp(max(seconds, 1e-6))
    return exponent * _BINS + int((2 * mantissa - 1) * _BINS)


def _middle(place: int) -> float:
    """The middle of a bin in seconds."""
    exponent, part = divmod(place, _BINS)
    return math.ldexp(1 + (part + 0.5) / _BINS, exponent - 1)


def _added(one: Mapping[Any, _Summand], other: Mapping[Any, _Summand], zero: _Summand) -> dict[Any, _Summand]:
    total = dict(one)
    for name, value in other.items():
        total[name] = total.get(name, zero) + value
    return total
