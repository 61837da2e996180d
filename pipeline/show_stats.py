"""``boxgp stats``: what a run cost, how its labels came about, and what is slow."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from pipeline.show import count, table
from pipeline.show_run import scene_name, shown
from pipeline.stage import Stage
from pipeline.statistics import Drift, RunStatistics, read_statistics
from pipeline.step_statistics import StepStatistics, per_hour

_Steps = Sequence[tuple[int, str, StepStatistics]]


def stats(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:
    """``boxgp stats``: statistics of everything that is on disk; returns the exit code."""
    from pipeline.results import existing_run

    run = existing_run(arguments.run)
    statistics = read_statistics(run)
    if arguments.json:
        print(json.dumps(statistics.plain(), indent=2))
    else:
        print(statistics_text(run, statistics, [stage.name for _, stage in stages]))
    return 0


def statistics_text(run: Path, statistics: RunStatistics, order: Sequence[str]) -> str:
    """All statistics of a run as text; the stages come in ``order``, unknown ones after them."""
    places = {stage: place for place, stage in enumerate(order)}
    keys = sorted(statistics.steps, key=lambda key: (key[0], places.get(key[1], len(places)), key[1]))
    steps = [(number, stage, statistics.steps[number, stage]) for number, stage in keys]
    if not steps:
        return f"{shown(run)}: no results yet"
    repeated = {stage for stage, times in Counter(stage for _, stage, _ in steps).items() if times > 1}
    return "\n\n".join(
        [
            _heading(run, statistics),
            _costs(steps, repeated),
            *_counts(steps, repeated),
            *_shares(steps, repeated),
            *_drift(statistics.drift),
            *_slowest(statistics, repeated),
        ]
    )


def _heading(run: Path, statistics: RunStatistics) -> str:
    done = sum(step.done for step in statistics.steps.values())
    failed = sum(step.failed for step in statistics.steps.values())
    lines = [f"{shown(run)}: {count(done, 'result')}, {count(failed, 'failure')}"]
    if done:
        span = timedelta(seconds=round(statistics.span_seconds))
        lines.append(f"from {_when(statistics.started)} to {_when(statistics.ended)} UTC: {span}, pauses included")
        rate = per_hour(statistics.scenes, statistics.span_seconds)
        an_hour = "" if rate is None else f", {_number(rate)} an hour"
        lines.append(f"{count(statistics.scenes, 'scene')} through all of these stages{an_hour}")
    if failed:
        lines.append(f"What failed and what to do: boxgp failures {shown(run)}")
    return "\n".join(lines)


def _costs(steps: _Steps, repeated: Collection[str]) -> str:
    header = ("stage", "done", "failed", "warnings", "total", "mean", "median", "longest", "an hour", "peak memory")
    rows = []
    for number, stage, step in steps:
        rate = None if step.dataset else per_hour(step.done, step.span_seconds)
        rows.append(
            (
                _step_name(stage, number, repeated),
                str(step.done),
                str(step.failed),
                str(step.warnings),
                *(_seconds(one) for one in (float(step.seconds), step.mean, step.median, step.longest)),
                "" if rate is None else _number(rate),
                f"{step.peak_memory_bytes / 2**20:,.0f} MiB",
            )
        )
    return _aligned(header, rows)


def _counts(steps: _Steps, repeated: Collection[str]) -> Iterator[str]:
    """What stages count themselves, except for parts of a whole."""
    rows = [
        (_step_name(stage, number, repeated), name, _number(float(value)), _number(float(value / step.done)))
        for number, stage, step in steps
        for name, value in sorted(step.sums.items())
        if "/" not in name
    ]
    if rows:
        yield _aligned(("stage", "counted", "in all", "on average"), rows, left=2)


def _shares(steps: _Steps, repeated: Collection[str]) -> Iterator[str]:
    """Parts of a whole of the stages that have been in one round; ``_drift`` shows those of the others."""
    for _, stage, step in steps:
        for whole, parts in step.shares().items() if stage not in repeated else ():
            rows = [(part, _percent(share)) for part, share in sorted(parts.items(), key=lambda one: -one[1]) if share]
            yield _aligned((f"{_words(whole)} ({stage})", "share"), rows)


def _drift(drifts: Sequence[Drift]) -> Iterator[str]:
    for stage, whole in dict.fromkeys((drift.stage, drift.whole) for drift in drifts):
        parts = [one for one in drifts if (one.stage, one.whole) == (stage, whole) and any(one.shares.values())]
        numbers = sorted(parts[0].shares) if parts else []
        header = (f"{_words(whole)} ({stage})", *(f"round {number}" for number in numbers), "change")
        rows = [
            (
                drift.part,
                *(_percent(drift.shares[number]) for number in numbers),
                f"{100 * drift.change:+.1f}",
            )
            for drift in sorted(parts, key=lambda one: -one.shares[numbers[0]])
        ]
        yield _aligned(header, rows)


def _slowest(statistics: RunStatistics, repeated: Collection[str]) -> Iterator[str]:
    if statistics.slowest:
        rows = [
            (_step_name(slow.stage, slow.round, repeated), scene_name(slow.scene), _seconds(slow.seconds))
            for slow in statistics.slowest
        ]
        yield _aligned(("slowest", "scene", "took"), rows, left=2)


def _step_name(stage: str, number: int, repeated: Collection[str]) -> str:
    return f"{stage}, round {number}" if stage in repeated else stage


def _words(name: str) -> str:
    return name.replace("_", " ")


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A table whose columns after the first ``left`` ones are aligned to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> list[str]:
        return [cell if column < left else cell.rjust(widths[column]) for column, cell in enumerate(row)]

    return table(line(header), map(line, rows))


def _seconds(value: float) -> str:
    decimals = 0 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:,.{decimals}f} s"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _when(moment: str) -> str:
    """``2026-01-31 23:59:59`` of a time with microseconds."""
    return moment[:19].replace("T", " ")
