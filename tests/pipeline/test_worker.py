"""One chunk at a time: commits, logs, records, failures."""

from __future__ import annotations

import errno
import json
import re
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import zarr
from toy_stages import TOY_STAGES, Batch, Double, Toy, array_bytes, plan_of

from pipeline.errors import ConfigurationError
from pipeline.failures import read_failures
from pipeline.plan import make_plan, pin
from pipeline.records import Record, TaskOutcome, record_from_manifest
from pipeline.stage import DATASET, Result, SceneJob
from pipeline.store import fingerprint_of, read_arrays, read_manifest
from pipeline.tasks import Chunk, Plan
from pipeline.worker import load_stage, run_chunk

DONE, KEPT, FAILED, BLOCKED = TaskOutcome.DONE, TaskOutcome.KEPT, TaskOutcome.FAILED, TaskOutcome.BLOCKED


def _run(plan: Plan, stage: str, scenes: Sequence[str] | None = None, **options: Any) -> list[Record]:
    """Runs one stage of a plan as a single chunk."""
    tasks = [pin(plan, task) for task in plan.tasks if task.stage == stage]
    chosen = tuple(task for task in tasks if scenes is None or task.scene in scenes)
    return run_chunk(Chunk(plan.output, plan.config[stage], plan.strict, chosen, **options))


def _run_all(plan: Plan, *stages: str) -> dict[str, dict[str, TaskOutcome]]:
    return {stage: {record.scene: record.outcome for record in _run(plan, stage)} for stage in stages}


def _log(toy: Toy, name: str) -> str:
    return (toy.output / "logs" / f"{name}.log").read_text()


class TestSuccess:
    def test_every_stage(self, toy: Toy) -> None:
        plan = plan_of(toy)
        outcomes = _run_all(plan, "numbers", "double", "batch", "total", "report")
        assert {outcome for scenes in outcomes.values() for outcome in scenes.values()} == {DONE}
        assert all(fingerprint_of(task.folder) is not None for task in plan.tasks)
        assert read_arrays(toy.output / "round_00" / "report")[0]["sum"] == 6
        assert (toy.output / "round_00" / "total" / "table.txt").read_text() == "a 3\nb 2\nc 1\n"
        assert read_failures(toy.output) == []

    def test_manifest(self, toy: Toy) -> None:
        plan = plan_of(toy)
        _run_all(plan, "numbers", "double", "batch", "total")
        task = plan.tasks[3]
        manifest = read_manifest(task.folder)
        assert manifest["fingerprint"] == task.fingerprint
        assert (manifest["stage"], manifest["version"], manifest["round"], manifest["scene"]) == ("double", 1, 0, "a")
        assert manifest["inputs"] == {"numbers": plan.tasks[0].fingerprint}
        assert manifest["config"] == plan.config["double"]
        assert manifest["seed"] == task.seed
        assert {"python", "numpy", "zarr"} <= set(manifest["versions"])
        assert manifest["seconds"] > 0
        assert manifest["peak_memory_bytes"] > 2**20
        assert (manifest["attempt"], manifest["host"]) == (1, socket.gethostname())
        started, ended = (datetime.fromisoformat(manifest[name]) for name in ("started", "ended"))
        assert (ended - started).total_seconds() == pytest.approx(manifest["seconds"], abs=2e-6)
        source = read_manifest(plan.tasks[0].folder)
        assert source["files"] == [["a.txt", plan.tasks[0].files[0].content]]
        total = read_manifest(toy.output / "round_00" / "total")
        assert (total["scenes"], total["missing"]) == (["a", "b", "c"], [])

    def test_record(self, toy: Toy) -> None:
        records = _run(plan_of(toy), "numbers")
        assert [record.scene for record in records] == ["a", "b", "c"]
        assert [record.statistics for record in records] == [{"numbers": 3.0}, {"numbers": 2.0}, {"numbers": 1.0}]
        manifests = [read_manifest(toy.output / "numbers" / record.scene) for record in records]
        assert [record_from_manifest(manifest, DONE) for manifest in manifests] == records

    def test_a_result_that_is_there_is_kept(self, toy: Toy) -> None:
        plan = plan_of(toy)
        first = _run(plan, "numbers")
        identity = (plan.tasks[0].folder / "manifest.json").stat().st_ino
        again = _run(plan, "numbers")
        assert [record.outcome for record in again] == [KEPT] * 3
        assert [replace(record, outcome=DONE) for record in again] == first
        assert (plan.tasks[0].folder / "manifest.json").stat().st_ino == identity

    def test_a_forced_result_is_replaced(self, toy: Toy) -> None:
        _run(plan_of(toy), "numbers")
        folder = toy.output / "numbers" / "a"
        identity = (folder / "manifest.json").stat().st_ino
        assert [record.outcome for record in _run(plan_of(toy, force=["numbers"]), "numbers")] == [DONE] * 3
        assert (folder / "manifest.json").stat().st_ino != identity
        assert [path.name for path in folder.parent.glob(".*")] == []

    def test_the_chunk_changes_no_byte(self, toy: Toy, tmp_path: Path) -> None:
        _run_all(plan_of(toy), "numbers", "double", "batch")
        other = Toy(tmp_path / "other")
        other.write()
        plan = make_plan(toy.config(), TOY_STAGES, other.output)
        for stage in ("numbers", "double", "batch"):
            for scene in "cab":
                assert [record.outcome for record in _run(plan, stage, [scene])] == [DONE]
        assert array_bytes(other.output) == array_bytes(toy.output)
        assert len(array_bytes(toy.output)) == 9


class TestFailures:
    def test_one_scene_does_not_stop_the_others(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        outcomes = _run_all(plan_of(toy), "numbers", "double")
        assert outcomes["numbers"] == {"a": DONE, "b": FAILED, "c": DONE}
        assert outcomes["double"] == {"a": DONE, "b": BLOCKED, "c": DONE}
        (failure,) = read_failures(toy.output)
        assert (failure.stage, failure.scene, failure.error, failure.expected) == ("numbers", "b", "SceneError", True)
        assert "holds no numbers" in failure.message
        assert "ValueError: could not convert" in failure.traceback
        assert failure.files == (str(toy.folder / "data" / "b.txt"),)
        assert (toy.output / failure.log).read_text().count("pipeline.errors.SceneError") == 1

    def test_an_unexpected_error(self, toy: Toy) -> None:
        plan = plan_of(toy, {"double": {"fail": ("a",)}})
        assert _run_all(plan, "numbers", "double")["double"] == {"a": FAILED, "b": DONE, "c": DONE}
        (failure,) = read_failures(toy.output)
        assert (failure.error, failure.message, failure.expected) == (
            "ZeroDivisionError",
            "a mistake in the program",
            False,
        )
        assert failure.inputs == {"numbers": str(toy.output / "numbers" / "a")}
        task = plan.tasks[3]
        assert (failure.folder, failure.fingerprint, failure.attempt) == ("round_00/double/a", task.fingerprint, 1)
        assert failure.log == "logs/round_00/double/a+2.log"
        assert failure.seconds > 0
        assert datetime.fromisoformat(failure.ended).tzinfo is not None

    def test_success_clears_the_failure(self, toy: Toy) -> None:
        _run_all(plan_of(toy, {"double": {"fail": ("a",)}}), "numbers", "double")
        _run_all(plan_of(toy), "double")
        assert read_failures(toy.output) == []

    def test_the_commit_is_the_last_step(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whenever the process dies, there is no result beside the failure of an earlier attempt at it."""
        _run_all(plan_of(toy, {"double": {"fail": ("a",)}}), "numbers", "double")
        seen = []

        def died(*_: object, **__: object) -> None:
            seen.append(read_failures(toy.output))
            raise KeyboardInterrupt

        plan = plan_of(toy)
        monkeypatch.setattr("pipeline.worker.commit", died)
        with pytest.raises(KeyboardInterrupt):
            _run(plan, "double", ["a"])
        assert seen == [[]]

    def test_the_old_result_stays_when_the_new_one_fails(self, toy: Toy) -> None:
        plan = plan_of(toy)
        _run_all(plan, "numbers", "double")
        changed = plan_of(toy, {"double": {"factor": 3.0, "fail": ("a",)}})
        assert _run_all(changed, "double")["double"]["a"] == FAILED
        assert fingerprint_of(toy.output / "round_00" / "double" / "a") == plan.tasks[3].fingerprint
        # but nothing is built on it
        assert _run_all(changed, "batch")["batch"]["a"] == BLOCKED

    def test_blocked_says_what_is_missing(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        plan = plan_of(toy)
        _run(plan, "numbers")
        blocked = next(record for record in _run(plan, "double") if record.scene == "b")
        assert re.fullmatch(
            rf"not tried: numbers \({toy.output}/numbers/b\) is missing or not as planned; see failures/numbers/b.json",
            blocked.message,
        )

    def test_a_full_disk_fails_scenes_and_nothing_else(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        plan = plan_of(toy)
        with monkeypatch.context() as patch:
            patch.setattr(zarr.Group, "create_array", full)
            patch.setattr(Path, "write_text", full)
            records = _run(plan, "numbers")
        assert [record.outcome for record in records] == [FAILED] * 3
        assert all("the disk is full" in record.message for record in records)
        assert list((toy.output / "numbers").iterdir()) == []
        assert [record.outcome for record in _run(plan, "numbers")] == [DONE] * 3

    def test_no_log_can_be_written(self, toy: Toy) -> None:
        toy.output.mkdir()
        (toy.output / "logs").write_text("")
        records = _run(plan_of(toy), "numbers")
        assert [record.outcome for record in records] == [FAILED] * 3
        assert "logs/numbers/a+2.log cannot be written: a file stands where a folder is needed" in records[0].message

    def test_an_interrupt_passes_through(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        plan = plan_of(toy)
        _run(plan, "numbers")
        with monkeypatch.context() as patch:
            patch.setattr(Double, "run_scene", interrupt)
            with pytest.raises(KeyboardInterrupt):
                _run(plan, "double")
        assert not (toy.output / "round_00").exists()
        assert read_failures(toy.output) == []

    def test_an_older_stage_is_refused(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = plan_of(toy)
        monkeypatch.setattr("toy_stages.Numbers.version", 2)
        (record, *_) = _run(plan, "numbers")
        assert "the plan is about numbers version 1, but toy_stages:Numbers is numbers version 2" in record.message

    def test_a_stage_that_cannot_be_imported(self, toy: Toy) -> None:
        plan = plan_of(toy)
        tasks = tuple(replace(task, path="no_such_module:Stage") for task in plan.tasks[:3])
        records = run_chunk(Chunk(plan.output, plan.config["numbers"], False, tasks))
        assert [record.outcome for record in records] == [FAILED] * 3
        assert read_failures(toy.output)[0].error == "ModuleNotFoundError"

    def test_a_configuration_that_does_not_fit(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"section double of the planned configuration is not valid(.|\n)*factr"
        ):
            load_stage("toy_stages:Double", {"factr": 1})


class TestChunks:
    def test_a_chunk_that_raises_is_tried_scene_by_scene(self, toy: Toy) -> None:
        plan = plan_of(toy, {"batch": {"poison": ("b",)}})
        _run_all(plan, "numbers", "double")
        records = {record.scene: record for record in _run(plan, "batch")}
        assert {scene: record.outcome for scene, record in records.items()} == {"a": DONE, "b": FAILED, "c": DONE}
        assert {scene: record.attempt for scene, record in records.items()} == {"a": 1, "b": 2, "c": 2}
        assert records["b"].message == "a batch of 1 failed"
        assert "tried scene by scene" in _log(toy, "round_00/batch/a+2")

    def test_results_are_those_of_the_whole_chunk(self, toy: Toy) -> None:
        """What a chunk gave before it failed and what single scenes give is what a healthy chunk gives."""
        plan = plan_of(toy)
        _run_all(plan, "numbers", "double", "batch")
        healthy = array_bytes(toy.output)
        poisoned = plan_of(toy, {"batch": {"poison": ("b",)}})
        _run(poisoned, "batch")
        assert array_bytes(toy.output) == healthy

    def test_a_scene_without_result_is_a_failure(self, toy: Toy) -> None:
        plan = plan_of(toy, {"batch": {"silent": ("b",), "refuse": ("c",)}})
        _run_all(plan, "numbers", "double")
        records = {record.scene: record for record in _run(plan, "batch")}
        assert records["a"].outcome == DONE
        assert records["b"].message == "stage batch gave no result for b"
        assert records["c"].message == "scene c: refused"

    def test_a_result_nobody_asked_for(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = plan_of(toy)
        _run_all(plan, "numbers", "double")
        monkeypatch.setattr(Batch, "run", lambda *_: iter([("z", ValueError("?"))]))
        records = _run(plan, "batch")
        assert all("gave a result for 'z'" in record.message for record in records)
        assert [record.outcome for record in records] == [FAILED] * 3


class TestDatasets:
    def test_scenes_that_exist(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        plan = plan_of(toy)
        outcomes = _run_all(plan, "numbers", "double", "batch", "total", "report")
        assert outcomes["total"] == {DATASET: DONE}
        manifest = read_manifest(toy.output / "round_00" / "total")
        assert (manifest["scenes"], manifest["missing"]) == (["a", "c"], ["b"])
        assert "WARNING total round=0 scene=dataset attempt=1: 1 scenes are missing: b" in _log(toy, "round_00/total")
        assert read_arrays(toy.output / "round_00" / "report")[0]["sum"] == 4

    def test_strict_refuses(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        plan = make_plan(toy.config(strict=True), TOY_STAGES, toy.output)
        outcomes = _run_all(plan, "numbers", "double", "batch", "total", "report")
        assert (outcomes["total"], outcomes["report"]) == ({DATASET: FAILED}, {DATASET: BLOCKED})
        failure = read_failures(toy.output)[-1]
        assert "stage total needs all 3 scenes under `strict: true`, but 1 are missing: b" in failure.message

    def test_no_scene_at_all(self, toy: Toy) -> None:
        (record,) = _run(plan_of(toy), "total")
        assert record.outcome == BLOCKED
        assert record.message.startswith("not tried: every scene it reads is missing")


@pytest.mark.filterwarnings("default")
class TestLog:
    def test_lines(self, toy: Toy) -> None:
        plan = plan_of(toy, {"double": {"warn": ("a",)}})
        _run(plan, "numbers")
        _run(plan, "double", ["a"], attempt=3)
        lines = _log(toy, "round_00/double/a").splitlines()
        start = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
        assert all(re.match(rf"{start} (INFO|WARNING) double round=0 scene=a attempt=3: ", line) for line in lines)
        messages = [line.partition("attempt=3: ")[2] for line in lines]
        assert messages[0].startswith("RuntimeWarning: a warning of Python (")
        assert messages[1:3] == ["a warning of a library", "a warning of the stage"]
        assert messages[3].startswith("done in ")

    def test_nothing_reaches_the_terminal(self, toy: Toy, capfd: pytest.CaptureFixture[str]) -> None:
        plan = plan_of(toy, {"double": {"warn": ("a",), "fail": ("b",)}})
        _run_all(plan, "numbers", "double")
        assert capfd.readouterr() == ("", "")

    def test_what_a_stage_prints_names_its_scene(
        self, toy: Toy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        plan = plan_of(toy)
        _run(plan, "numbers")
        given = Double.run_scene

        def talkative(stage: Double, job: SceneJob) -> Result:
            print("working on", job.scene)
            return given(stage, job)

        monkeypatch.setattr(Double, "run_scene", talkative)
        _run(plan, "double")
        said = [line.partition(" double ")[2] for line in _log(toy, "round_00/double/a+2").splitlines()]
        assert [line for line in said if "working" in line] == [
            f"round=0 scene={scene} attempt=1: stdout: working on {scene}" for scene in "abc"
        ]
        assert capfd.readouterr() == ("", "")

    def test_warnings_are_in_manifest_and_record(self, toy: Toy) -> None:
        plan = plan_of(toy, {"double": {"warn": ("a",)}})
        _run(plan, "numbers")
        record = _run(plan, "double")[0]
        assert record.warnings == ("a warning of the stage",)
        assert read_manifest(plan.tasks[3].folder)["warnings"] == ["a warning of the stage"]


def test_manifest_is_json_of_plain_numbers(toy: Toy) -> None:
    plan = plan_of(toy)
    _run(plan, "numbers")
    text = (plan.tasks[0].folder / "manifest.json").read_text()
    assert json.loads(text)["statistics"] == {"numbers": 3.0}
