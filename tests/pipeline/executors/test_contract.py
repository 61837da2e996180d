"""One contract for all executors: the same bytes, failures, records and exit codes as a run in this process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from toy_stages import TOY_STAGES, Toy, array_bytes

from pipeline.executors import config
from pipeline.executors.base import Outcome
from pipeline.executors.choose import executor_for
from pipeline.failures import Failure, read_failures
from pipeline.plan import make_plan
from pipeline.progress import Progress
from pipeline.records import Record, TaskOutcome
from pipeline.run import run_plan
from pipeline.store import read_manifest

SCENES = {f"scene_{number}": f"{number} 1 {'2 ' * number}" for number in range(5)}
STAGES = ("numbers", "double", "batch", "total", "report")
EXECUTORS: dict[str, config.ExecutorConfig] = {
    "in this process": config.LocalExecutor(),
    "processes": config.LocalExecutor(workers=2),
    "dask": config.DaskExecutor(workers=2),
    "dask on slurm": config.DaskExecutor(
        cluster="slurm",
        workers=2,
        jobs={"queue": "debug", "cores": 1, "memory": "1GB", "walltime": "00:10:00", "interface": "lo"},
    ),
    "slurm": config.SlurmExecutor(time="10", memory="500M", scenes_per_job=2),
}
_OF_ONE_RUN = {"seconds", "ended", "log", "traceback", "inputs", "files"}
"""what differs between two runs: time, and the folder where it took place"""
_VARYING = {"seconds", "peak_memory_bytes", "peak_memory_of", "started", "ended", "host"}

Run = Callable[..., Outcome]


class Heard(Progress):
    """Notes what an executor tells."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.ended: list[Record] = []
        self.finished = 0

    def start(self, stage: str, total: int, kept: int) -> None:
        self.stages.append((stage, total, kept))

    def advance(self, record: Record) -> None:
        self.ended.append(record)

    def finish(self) -> None:
        self.finished += 1


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slurm] if "slurm" in name else []) for name in EXECUTORS])
def run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a toy data set with one executor."""
    chosen = EXECUTORS[request.param]
    if "slurm" in request.param:
        request.getfixturevalue("slurm")
    # processes that are not children of this one find the toy stages, and our code, this way alone
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{root / 'tests' / 'pipeline'}:{root}")

    def run_toy(toy: Toy, progress: Progress | None = None, *, force: tuple[str, ...] = (), **sections: Any) -> Outcome:
        plan = make_plan(toy.config(**sections), TOY_STAGES, toy.output, force=force)
        return run_plan(plan, executor_for(chosen, toy.output), progress or Progress())

    return run_toy


@pytest.fixture
def ours(tmp_path: Path) -> Toy:
    """What the executor under test runs on."""
    toy = Toy(tmp_path / "ours", SCENES)
    toy.write()
    return toy


def reference(tmp_path: Path, **sections: Any) -> tuple[Toy, Outcome]:
    """The same in this process."""
    toy = Toy(tmp_path / "reference", SCENES)
    sections["numbers"] = {"path": tmp_path / "ours" / "data"}
    plan = make_plan(toy.config(**sections), TOY_STAGES, toy.output)
    return toy, run_plan(plan, executor_for(config.LocalExecutor(), toy.output), Progress())


def failures(toy: Toy) -> list[dict[str, Any]]:
    """What all failures of a run say, apart from times and places."""
    return [
        {one.name: getattr(failure, one.name) for one in fields(Failure) if one.name not in _OF_ONE_RUN}
        for failure in read_failures(toy.output)
    ]


def manifests(toy: Toy) -> dict[str, Mapping[str, Any]]:
    """What the manifests of all results say, apart from times and places."""
    return {
        path.parent.relative_to(toy.output).as_posix(): {
            key: value for key, value in read_manifest(path.parent).items() if key not in _VARYING
        }
        for path in sorted(toy.output.rglob("manifest.json"))
    }


def counts(outcome: Outcome) -> dict[str, dict[str, int]]:
    """Stage -> outcome -> number."""
    return {stage: {str(kind): number for kind, number in found.items()} for stage, found in outcome.counts.items()}


def test_results_records_and_progress(run: Run, ours: Toy, tmp_path: Path) -> None:
    other, expected = reference(tmp_path)
    heard = Heard()
    outcome = run(ours, heard)
    assert (outcome.exit_code, counts(outcome)) == (0, counts(expected))
    assert array_bytes(ours.output) == array_bytes(other.output)
    assert manifests(ours) == manifests(other)
    assert heard.stages == [*((name, 5, 0) for name in STAGES[:3]), ("total", 1, 0), ("report", 1, 0)]
    assert heard.finished == len(STAGES)
    assert sorted((record.stage, record.scene, record.outcome) for record in heard.ended) == sorted(
        (name, scene, TaskOutcome.DONE) for name in STAGES for scene in (SCENES if name in STAGES[:3] else ("dataset",))
    )
    assert list(ours.output.glob("**/.*")) == []

    before = {path: path.stat().st_mtime_ns for path in ours.output.rglob("manifest.json")}
    again = run(ours)
    assert (again.exit_code, again.count(TaskOutcome.KEPT)) == (0, 3 * len(SCENES) + 2)
    assert {path: path.stat().st_mtime_ns for path in ours.output.rglob("manifest.json")} == before


@pytest.mark.filterwarnings("default:a warning of Python")
def test_failures_of_all_kinds(run: Run, ours: Toy, tmp_path: Path) -> None:
    """A stage that raises, one that refuses, a batch that fails as a whole, warnings."""
    sections = {
        "double": {"fail": ("scene_1",), "warn": ("scene_0",)},
        "batch": {"refuse": ("scene_2",), "poison": ("scene_3",)},
    }
    other, expected = reference(tmp_path, **sections)
    outcome = run(ours, **sections)
    assert (outcome.exit_code, counts(outcome)) == (1, counts(expected))
    assert [one for one in failures(ours) if one["stage"] == "double"] == failures(other)[2:]
    # a batch of another size fails with other words, and only one of several scenes is tried a second time
    assert [(one["scene"], one["error"]) for one in failures(ours)] == [
        (one["scene"], one["error"]) for one in failures(other)
    ]
    assert array_bytes(ours.output) == array_bytes(other.output)
    assert sorted((record.stage, record.scene) for record in outcome.failed) == sorted(
        (failure.stage, failure.scene) for failure in read_failures(ours.output)
    )
    assert outcome.warnings == expected.warnings

    assert run(ours).exit_code == 0
    assert read_failures(ours.output) == []


def test_a_process_that_dies_each_time_costs_its_scene_alone(run: Run, ours: Toy, request: Any) -> None:
    if request.node.callspec.params["run"] == "in this process":
        pytest.skip("a process that kills itself is the run itself")
    outcome = run(ours, double={"kill": ("scene_2",)})
    assert outcome.exit_code == 1
    assert counts(outcome)["double"] == {"done": 4, "failed": 1}
    assert counts(outcome)["batch"] == {"done": 4, "blocked": 1}
    (failure,) = read_failures(ours.output)
    assert (failure.stage, failure.scene, failure.error, failure.attempt) == ("double", "scene_2", "SceneError", 2)
    assert "the worker process was ended by signal 9 (SIGKILL), twice; most likely memory ran out" in failure.message
    assert (ours.output / failure.log).is_file()


def test_a_process_that_dies_once_costs_nothing(run: Run, ours: Toy, tmp_path: Path, request: Any) -> None:
    if request.node.callspec.params["run"] == "in this process":
        pytest.skip("a process that kills itself is the run itself")
    (marks := tmp_path / "marks").mkdir()
    (marks / "scene_3").touch()
    outcome = run(ours, double={"kill_once": marks})
    # a scene of the same chunk may have been committed before
    complete = outcome.count(TaskOutcome.DONE) + outcome.count(TaskOutcome.KEPT)
    assert (outcome.exit_code, complete) == (0, 3 * len(SCENES) + 2)
    assert read_manifest(ours.output / "round_00" / "double" / "scene_3")["attempt"] == 2


def test_stale_torn_and_forced(run: Run, ours: Toy, tmp_path: Path) -> None:
    run(ours)
    before = array_bytes(ours.output)
    (ours.output / "numbers" / "scene_1" / "data.zarr.zip").unlink()
    (ours.output / "round_00" / "batch" / "scene_0" / "manifest.json").write_text('{"fing')
    outcome = run(ours, force=("double",))
    assert counts(outcome) == {
        "numbers": {"kept": 4, "done": 1},
        "double": {"done": 5},
        "batch": {"kept": 4, "done": 1},
        "total": {"kept": 1},
        "report": {"kept": 1},
    }
    assert array_bytes(ours.output) == before
    (ours.folder / "data" / "scene_4.txt").write_text("9")
    assert counts(run(ours))["batch"] == {"kept": 4, "done": 1}


def test_strict_refuses_what_is_incomplete(run: Run, ours: Toy) -> None:
    (ours.folder / "data" / "scene_1.txt").write_text("x")
    outcome = run(ours, strict=True)
    assert outcome.exit_code == 1
    assert counts(outcome)["total"] == {"failed": 1}
    assert counts(outcome)["report"] == {"blocked": 1}


@pytest.mark.filterwarnings("default:a warning of Python")
def test_every_line_of_a_log_says_what_it_is_about(run: Run, ours: Toy) -> None:
    run(ours, double={"fail": ("scene_1",), "warn": ("scene_0",)})
    logs = sorted((ours.output / "logs" / "round_00" / "double").glob("*.log"))
    lines = [line for log in logs for line in log.read_text().splitlines()]
    assert lines
    start = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ double round=0 scene=scene_\d(\+\d)? attempt=\d: ")
    assert [line for line in lines if start.match(line) is None] == []
    assert sum("a warning of a library" in line for line in lines) == 1
    assert any("scene=scene_1 " in line and "ZeroDivisionError" in line for line in lines)
