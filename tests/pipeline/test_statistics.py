"""Statistics over manifests and failures: exact, mergeable, read from disk one by one."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Mapping
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
from toy_stages import Toy, complete, plan_of

from pipeline.failures import Failure, read_failures
from pipeline.statistics import RunStatistics, Slow, drift_of, read_statistics, write_statistics
from pipeline.step_statistics import StepStatistics


def _manifest(scene: str, stage: str = "labels", number: int = 0, **values: Any) -> dict[str, Any]:
    """A manifest as the worker writes it, as far as statistics read it."""
    defaults = {
        "seconds": 0.1,
        "peak_memory_bytes": 100,
        "warnings": [],
        "statistics": {},
        "started": "2026-01-01T10:00:00.000000Z",
        "ended": "2026-01-01T10:00:30.500000Z",
    }
    return {"stage": stage, "round": number, "scene": scene} | defaults | values


MANIFESTS = [
    _manifest("a", seconds=0.1, statistics={"regions": 0.1}, warnings=["careful"], peak_memory_bytes=300),
    _manifest("b", seconds=1e16, statistics={"regions": 1e16}, started="2026-01-01T09:00:00.000000Z"),
    _manifest("c", statistics={"regions": -1e16, "bad": float("nan")}, ended="2026-01-01T11:00:00.000000Z"),
    _manifest("a", number=1, seconds=0.3, statistics={"pairs": 2.0}),
    _manifest("dataset", stage="summary", number=1),
]
FAILURE = Failure("labels", 0, "d", "round_00/labels/d", "E", "no", True, "", "", None, 1, 5.0, "")


def test_statistics_do_not_depend_on_order_or_grouping() -> None:
    """Floating-point sums would: 0.1 + 1e16 - 1e16 has three values."""
    everything = RunStatistics.of(MANIFESTS, [FAILURE])
    for order in itertools.permutations(MANIFESTS):
        for cut in range(len(order) + 1):
            assert RunStatistics.of(order[:cut], [FAILURE]) + RunStatistics.of(order[cut:]) == everything
    assert everything.steps[0, "labels"].plain()["statistics"] == {"regions": 0.1}


def test_sums_by_hand() -> None:
    steps = RunStatistics.of(MANIFESTS, [FAILURE]).steps
    assert {key: (step.done, step.failed) for key, step in steps.items()} == {
        (0, "labels"): (3, 1),
        (1, "labels"): (1, 0),
        (1, "summary"): (1, 0),
    }
    first = steps[0, "labels"]
    assert (first.warnings, first.peak_memory_bytes, first.longest) == (1, 300, 1e16)
    assert first.mean == pytest.approx(1e16 / 3)
    assert first.span_seconds == 2 * 3600
    assert (first.dataset, steps[1, "summary"].dataset) == (False, True)


def test_parts_of_a_run_add_up_to_the_whole(tmp_path: Path) -> None:
    """Three machines with a share of the scenes each, and a run that was never split."""
    toy = Toy(tmp_path, dict.fromkeys("abcdefg", "1 2") | {"h": "no number"})
    toy.write()
    plan = plan_of(toy, {"double": {"fail": ("c",)}})
    with pytest.raises(AssertionError):
        complete(plan)
    whole = read_statistics(toy.output)
    parts = [tmp_path / f"machine_{number}" for number in range(3)]
    for path in sorted(toy.output.rglob("manifest.json")) + sorted((toy.output / "failures").rglob("*.json")):
        place = sum(path.relative_to(toy.output).as_posix().encode()) % len(parts)
        folder = path.parent if path.name == "manifest.json" else path
        target = parts[place] / folder.relative_to(toy.output)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if folder.is_dir() else shutil.copy)(folder, target)
    found = [read_statistics(part) for part in parts]
    assert min(sum(step.done for step in part.steps.values()) for part in found) > 0
    for order in itertools.permutations(found):
        assert reduce(add, order) == whole
    assert (whole.steps[0, "double"].done, whole.steps[0, "double"].failed) == (6, 1)
    assert whole.scenes == 6


def test_the_slowest_are_kept() -> None:
    manifests = [_manifest(f"s{number:02d}", seconds=float(number % 20)) for number in range(40)]
    expected = [
        Slow(float(seconds), "labels", 0, f"s{seconds + 20 * more}") for seconds in range(19, 14, -1) for more in (1, 0)
    ]
    assert list(RunStatistics.of(manifests).slowest) == expected
    assert (
        list(
            (
                RunStatistics.of(manifests[::3]) + RunStatistics.of(manifests[1::3]) + RunStatistics.of(manifests[2::3])
            ).slowest
        )
        == expected
    )


@pytest.mark.parametrize(
    "durations", [[3.0], [1.0, 2.0, 100.0], [0.5, 0.5, 0.5, 9.0], [1e-3 * k for k in range(1, 100)]]
)
def test_the_median_is_right_to_two_percent(durations: list[float]) -> None:
    steps = RunStatistics.of(_manifest("a", seconds=seconds) for seconds in durations).steps
    assert steps[0, "labels"].median == pytest.approx(sorted(durations)[(len(durations) - 1) // 2], rel=0.02)


def test_without_anything() -> None:
    step = StepStatistics()
    assert (step.mean, step.median, step.span_seconds, step.shares()) == (0.0, 0.0, 0.0, {})
    empty = RunStatistics.of([])
    assert empty + empty == empty
    assert (empty.started, empty.ended, empty.scenes, empty.drift) == ("", "", 0, [])


@pytest.mark.parametrize(
    "broken", [{}, {"stage": "labels"}, _manifest("a", seconds=None), _manifest("a", statistics=[])]
)
def test_what_is_no_manifest_of_this_version_is_passed_over(broken: Mapping[str, Any]) -> None:
    assert RunStatistics.of([MANIFESTS[0], broken]) == RunStatistics.of(MANIFESTS[:1])


def test_shares_are_of_parts_alone() -> None:
    counted = {"source/gp": 1.0, "source/background": 3.0, "points": 7.0, "empty/one": 0.0}
    steps = RunStatistics.of([_manifest("a", statistics=counted), _manifest("b", statistics={"source/gp": 1.0})]).steps
    assert steps[0, "labels"].shares() == {"source": {"gp": 0.4, "background": 0.6}}


def test_drift_of_rounds() -> None:
    rounds = {
        0: {"source": {"gp": 0.5, "rule": 0.5}},
        2: {"source": {"gp": 1.0}},
        1: {"source": {"gp": 0.75, "rule": 0.25}},
    }
    gp, rule = drift_of("labels", rounds)
    assert gp == ("labels", "source", "gp", {0: 0.5, 1: 0.75, 2: 1.0}, 0.25)
    assert rule == ("labels", "source", "rule", {0: 0.5, 1: 0.25, 2: 0.0}, -0.25)
    assert drift_of("labels", {0: rounds[0]}) == []
    assert drift_of("labels", {}) == []


def test_drift_of_a_run() -> None:
    def labels(number: int, gp: float) -> dict[str, Any]:
        return _manifest("a", number=number, statistics={"source/gp": gp, "source/rule": 1.0})

    (gp, rule) = RunStatistics.of([labels(0, 1.0), labels(1, 3.0), _manifest("a", "scenes")]).drift
    assert (gp.stage, gp.part, gp.change, rule.part, rule.change) == ("labels", "gp", 0.25, "rule", -0.25)


def test_a_run_on_disk(done: Toy) -> None:
    """Folders of logs and plans, torn results and temporary ones count for nothing."""
    (done.output / "round_00" / ".batch@host@1@x" / "a").mkdir(parents=True)
    shutil.copy(done.output / "round_00/batch/a/manifest.json", done.output / "round_00/.batch@host@1@x/a")
    (done.output / "round_00" / "batch" / "b" / "data.zarr.zip").write_bytes(b"torn")
    steps = read_statistics(done.output).steps
    assert {stage: step.done for (_, stage), step in steps.items()} == {
        "numbers": 3,
        "double": 3,
        "batch": 2,
        "total": 1,
        "report": 1,
    }
    assert steps[0, "numbers"].plain()["statistics"] == {"numbers": 6.0}
    assert read_failures(done.output) == []


def test_statistics_file(done: Toy) -> None:
    statistics = write_statistics(done.output)
    written = json.loads((done.output / "stats.json").read_text())
    assert written["scenes"] == 3
    assert [(step["stage"], step["done"]) for step in written["steps"]] == [
        ("batch", 3),
        ("double", 3),
        ("numbers", 3),
        ("report", 1),
        ("total", 1),
    ]
    assert written == json.loads(json.dumps(statistics.plain()))
