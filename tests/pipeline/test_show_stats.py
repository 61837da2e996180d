"""What `boxgp stats` prints."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from toy_stages import TOY_STAGES, Toy, plan_of

from pipeline.errors import InputError
from pipeline.executors.local import LocalExecutor
from pipeline.progress import Progress
from pipeline.run import run_plan
from pipeline.show_stats import statistics_text, stats
from pipeline.statistics import RunStatistics


def _manifest(scene: str, stage: str, number: int, minute: int, statistics: dict[str, float]) -> dict[str, Any]:
    return {
        "stage": stage,
        "round": number,
        "scene": scene,
        "seconds": 30.0 + minute,
        "peak_memory_bytes": 3 * 2**30,
        "warnings": [],
        "statistics": statistics,
        "started": "2026-01-01T10:00:00.000000Z",
        "ended": f"2026-01-01T10:{minute:02d}:00.000000Z",
    }


def _rounds(numbers: int) -> RunStatistics:
    """Two scenes in some rounds, ever more of whose regions are labelled by a GP."""
    labels = [
        _manifest(
            scene,
            "labels",
            number,
            10 * number + 10,
            {"regions_by_source/gp": 1 + 2.0 * number, "regions_by_source/box": 1},
        )
        for number in range(numbers)
        for scene in "ab"
    ]
    return RunStatistics.of([_manifest("a", "scenes", 0, 5, {"points": 12345}), *labels])


def _lines(statistics: RunStatistics) -> list[str]:
    text = statistics_text(Path("/run"), statistics, ["scenes", "labels"])
    return [" ".join(line.split()) for line in text.splitlines()]


def test_one_round() -> None:
    lines = _lines(_rounds(1))
    assert lines[:3] == [
        "/run: 3 results, 0 failures",
        "from 2026-01-01 10:00:00 to 2026-01-01 10:10:00 UTC: 0:10:00, pauses included",
        "1 scene through all of these stages, 6 an hour",
    ]
    header = "stage done failed warnings total mean median longest an hour peak memory"
    place = lines.index(header)
    assert lines[place + 1] == "scenes 1 0 0 35.00 s 35.00 s 35.00 s 35.00 s 12 3,072 MiB"
    assert lines[place + 2] == "labels 2 0 0 80.00 s 40.00 s 40.00 s 40.00 s 12 3,072 MiB"
    assert "scenes points 12,345 12,345" in lines
    place = lines.index("regions by source (labels) share")
    assert lines[place + 1 : place + 3] == ["box 50.0 %", "gp 50.0 %"]
    place = lines.index("slowest scene took")
    assert lines[place + 1 :] == ["labels b 40.00 s", "labels a 40.00 s", "scenes a 35.00 s"]


def test_rounds() -> None:
    lines = _lines(_rounds(3))
    assert "labels, round 2 2 0 0 120 s 60.00 s 60.00 s 60.00 s 4 3,072 MiB" in lines
    assert any(line.startswith("scenes 1 ") for line in lines)
    place = lines.index("regions by source (labels) round 0 round 1 round 2 change")
    assert lines[place + 1 : place + 3] == ["box 50.0 % 25.0 % 16.7 % -8.3", "gp 50.0 % 75.0 % 83.3 % +8.3"]


def test_nothing_yet() -> None:
    assert _lines(RunStatistics()) == ["/run: no results yet"]


def test_the_command(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    run_plan(plan_of(toy, {"double": {"fail": ("b",)}}), LocalExecutor(0), Progress())
    capsys.readouterr()
    assert stats(argparse.Namespace(run=str(toy.output), json=False), TOY_STAGES) == 0
    text = capsys.readouterr().out
    assert f"What failed and what to do: boxgp failures {toy.output}" in text
    stages = [line.split()[0] for line in text.split("\n\n")[1].splitlines()]
    assert stages == ["stage", "numbers", "double", "batch", "total", "report"]
    assert stats(argparse.Namespace(run=str(toy.output), json=True), TOY_STAGES) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((toy.output / "stats.json").read_text())


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of a run"):
        stats(argparse.Namespace(run=str(tmp_path), json=False), TOY_STAGES)
