"""Whole runs on this machine: any number of workers, deaths, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from process_groups import wait_for_the_end_of_group
from toy_stages import TOY_STAGES, Toy, array_bytes

from pipeline.executors.base import Outcome
from pipeline.executors.local import LocalExecutor
from pipeline.failures import read_failures
from pipeline.plan import make_plan
from pipeline.plans import load_plan
from pipeline.progress import Progress
from pipeline.records import Record, TaskOutcome
from pipeline.run import run_plan
from pipeline.store import fingerprint_of, read_manifest
from pipeline.tasks import Chunk, Reason

SCENES = {f"scene_{number}": f"{number} 1 {'2 ' * number}" for number in range(7)}
RUN = Path(__file__).parent / "run_toy.py"


def _run(toy: Toy, workers: int = 0, *, strict: bool = False, **config: Any) -> Outcome:
    plan = make_plan(toy.config(strict=strict, **config), TOY_STAGES, toy.output)
    return run_plan(plan, LocalExecutor(workers), Progress())


def _counts(outcome: Outcome) -> dict[str, dict[str, int]]:
    return {stage: {str(kind): count for kind, count in counts.items()} for stage, counts in outcome.counts.items()}


class _Backwards(LocalExecutor):
    """The last chunks first, and within each the last scenes."""

    def records(self, chunks: Sequence[Chunk]) -> Iterator[Record]:
        return super().records([replace(chunk, tasks=chunk.tasks[::-1]) for chunk in reversed(chunks)])


class TestInThisProcess:
    def test_first_and_second_run(self, toy: Toy) -> None:
        first = _run(toy)
        assert _counts(first) == {name: {"done": 3} for name in ("numbers", "double", "batch")} | {
            "total": {"done": 1},
            "report": {"done": 1},
        }
        assert first.exit_code == 0
        before = {path: path.stat().st_mtime_ns for path in toy.output.rglob("manifest.json")}
        again = _run(toy)
        assert again.count(TaskOutcome.KEPT) == 11
        assert again.exit_code == 0
        assert {path: path.stat().st_mtime_ns for path in toy.output.rglob("manifest.json")} == before

    def test_files_of_a_run(self, toy: Toy) -> None:
        _run(toy)
        names = {path.name for path in toy.output.iterdir()}
        assert names == {"config.yaml", "logs", "numbers", "plans", "round_00", "stats.json"}
        (path,) = (toy.output / "plans").iterdir()
        assert len(load_plan(path).tasks) == 11
        statistics = json.loads((toy.output / "stats.json").read_text())
        (numbers,) = [step for step in statistics["steps"] if step["stage"] == "numbers"]
        assert (numbers["done"], numbers["failed"], numbers["statistics"]) == (3, 0, {"numbers": 6.0})

    def test_failures_and_repair(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        outcome = _run(toy, double={"fail": ("c",)})
        assert _counts(outcome) == {
            "numbers": {"done": 2, "failed": 1},
            "double": {"done": 1, "failed": 1, "blocked": 1},
            "batch": {"done": 1, "blocked": 2},
            "total": {"done": 1},
            "report": {"done": 1},
        }
        assert outcome.exit_code == 1
        assert [(failure.stage, failure.scene) for failure in read_failures(toy.output)] == [
            ("double", "c"),
            ("numbers", "b"),
        ]
        (toy.folder / "data" / "b.txt").write_text("5")
        assert _run(toy).exit_code == 0
        assert read_failures(toy.output) == []

    def test_failing_again_recomputes_nothing_over_the_rest(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        _run(toy)
        assert _counts(_run(toy)) == {
            "numbers": {"kept": 2, "failed": 1},
            "double": {"kept": 2, "blocked": 1},
            "batch": {"kept": 2, "blocked": 1},
            "total": {"kept": 1},
            "report": {"kept": 1},
        }

    def test_strict_does_not_accept_an_earlier_incomplete_result(self, toy: Toy) -> None:
        (toy.folder / "data" / "b.txt").write_text("x")
        _run(toy)
        counts = _counts(_run(toy, strict=True))
        assert (counts["total"], counts["report"]) == ({"failed": 1}, {"kept": 1})

    def test_a_torn_result_is_computed_again(self, toy: Toy) -> None:
        _run(toy)
        before = array_bytes(toy.output)
        (toy.output / "round_00" / "double" / "a" / "data.zarr.zip").unlink()
        (toy.output / "numbers" / "b" / "manifest.json").write_text('{"fing')
        counts = _counts(_run(toy))
        assert (counts["numbers"], counts["double"]) == ({"kept": 2, "done": 1}, {"kept": 2, "done": 1})
        assert array_bytes(toy.output) == before

    def test_a_forced_stage_runs_alone(self, toy: Toy) -> None:
        _run(toy)
        plan = make_plan(toy.config(), TOY_STAGES, toy.output, force=["double", "total"])
        counts = _counts(run_plan(plan, LocalExecutor(0), Progress()))
        assert counts == {
            "numbers": {"kept": 3},
            "double": {"done": 3},
            "batch": {"kept": 3},
            "total": {"done": 1},
            "report": {"kept": 1},
        }

    def test_a_failure_under_another_configuration_does_not_stay(self, toy: Toy) -> None:
        _run(toy)
        _run(toy, double={"fail": ("a",)})
        assert [failure.scene for failure in read_failures(toy.output)] == ["a"]
        assert _run(toy).exit_code == 0
        assert read_failures(toy.output) == []

    def test_what_killed_runs_left_is_removed(self, toy: Toy) -> None:
        _run(toy)
        process = subprocess.Popen([sys.executable, "-c", ""])
        process.wait()
        left = toy.output / "numbers" / f".a@{os.uname().nodename}@{process.pid}@0"
        left.mkdir()
        _run(toy)
        assert not left.exists()

    def test_progress_hears_of_everything(self, toy: Toy) -> None:
        heard: list[str] = []

        class Listener(Progress):
            def start(self, stage: str, total: int, kept: int) -> None:
                heard.append(f"{stage} {total} {kept}")

            def advance(self, record: Record) -> None:
                heard.append(f"{record.scene} {record.outcome}")

            def finish(self) -> None:
                heard.append("finish")

        plan = make_plan(toy.config(), TOY_STAGES, toy.output, last="numbers")
        run_plan(plan, LocalExecutor(0), Listener())
        assert heard == ["numbers 3 0", "a done", "b done", "c done", "finish"]

    def test_an_interrupt_ends_the_run(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("toy_stages.Double.run_scene", interrupt)
        outcome = _run(toy)
        assert outcome.exit_code == 130
        assert _counts(outcome) == {"numbers": {"done": 3}, "double": {}}
        assert list(toy.output.glob("**/.*")) == []
        monkeypatch.undo()
        assert _run(toy).exit_code == 0


class TestProcesses:
    def test_workers_and_order_change_no_byte(self, tmp_path: Path) -> None:
        results = []
        for name, executor in (("alone", LocalExecutor(0)), ("backwards", _Backwards(0)), ("many", _Backwards(2))):
            toy = Toy(tmp_path / name, SCENES)
            Toy(tmp_path, SCENES).write()
            plan = make_plan(Toy(tmp_path, SCENES).config(), TOY_STAGES, toy.output)
            outcome = run_plan(plan, executor, Progress())
            assert outcome.count(TaskOutcome.DONE) == 3 * len(SCENES) + 2
            results.append(array_bytes(toy.output))
        assert results[0] == results[1] == results[2]
        assert len(results[0]) == 3 * len(SCENES) + 2

    def test_a_worker_that_dies_each_time(self, toy: Toy) -> None:
        outcome = _run(toy, 2, double={"kill": ("b",)})
        assert _counts(outcome)["double"] == {"done": 2, "failed": 1}
        assert _counts(outcome)["batch"] == {"done": 2, "blocked": 1}
        assert outcome.exit_code == 1
        (failure,) = read_failures(toy.output)
        assert (failure.stage, failure.scene, failure.error) == ("double", "b", "SceneError")
        assert "b: the worker process was ended by signal 9 (SIGKILL), twice; most likely memory" in failure.message
        assert (toy.output / failure.log).exists()

    def test_a_worker_that_dies_once(self, toy: Toy) -> None:
        marks = toy.folder / "marks"
        marks.mkdir()
        (marks / "b").touch()
        outcome = _run(toy, 1, double={"kill_once": marks})
        assert outcome.exit_code == 0
        assert read_manifest(toy.output / "round_00" / "double" / "b")["attempt"] == 2
        assert list(marks.iterdir()) == []

    def test_nothing_in_the_current_folder_is_imported(self, toy: Toy, tmp_path: Path) -> None:
        decoy = tmp_path / "decoy"
        for name in ("pipeline", "stages", "numpy", "zarr"):
            (decoy / name).mkdir(parents=True)
            (decoy / name / "__init__.py").write_text("raise RuntimeError('the decoy was imported')")
        completed = subprocess.run(
            [sys.executable, str(RUN), str(toy.folder), "1", "0"],
            cwd=decoy,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert completed.returncode == 0, completed.stdout + completed.stderr

    def test_no_worker_outlives_a_run_that_was_killed(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, SCENES)
        toy.write()
        command = [sys.executable, str(RUN), str(tmp_path), "2", "1000"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("double"):
                    break
            time.sleep(0.5)  # in the middle of chunks that take a quarter of an hour
            process.kill()
        wait_for_the_end_of_group(process.pid)

    @pytest.mark.parametrize("workers", [0, 2])
    def test_interrupt_from_the_terminal(self, tmp_path: Path, workers: int) -> None:
        toy = Toy(tmp_path, SCENES)
        toy.write()
        command = [sys.executable, str(RUN), str(tmp_path), str(workers), "0.4"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("double"):
                    break
            time.sleep(0.5)
            os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate(timeout=60)
        assert process.returncode == 130, rest
        wait_for_the_end_of_group(process.pid)
        assert list(toy.output.glob("**/.*")) == []
        plan = make_plan(toy.config(double={"seconds": 0.4}), TOY_STAGES, toy.output)
        for task in plan.tasks:
            if task.granularity == "scene":
                assert fingerprint_of(task.folder) in {None, task.fingerprint}
        assert plan.counts()["numbers"] == {Reason.DONE: 7}
        assert plan.counts()["double"][Reason.MISSING] > 0
