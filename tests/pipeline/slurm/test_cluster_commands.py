"""The commands submit, worker, cancel and status on toy stages."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toy_stages import TOY_STAGES, Toy, array_bytes, complete, plan_of

from pipeline import cluster_commands, commands
from pipeline.cli import main
from pipeline.errors import ConfigurationError
from pipeline.failures import read_failures
from pipeline.plans import save_plan
from pipeline.records import TaskOutcome
from pipeline.slurm import queue, submission
from pipeline.slurm.chunks import read_records
from pipeline.slurm.submission import submission_of, submissions


def _configuration(toy: Toy, **double: object) -> str:
    path = toy.folder / "mine.yaml"
    executor = {"kind": "slurm", "memory": "10M", "scenes_per_job": 2}
    path.write_text(
        json.dumps({"numbers": {"path": str(toy.folder / "data")}, "double": {**double}, "executor": executor})
    )
    return str(path)


def _submit(toy: Toy, *, dry_run: bool = False, executor: str = "slurm", **double: object) -> int:
    arguments = argparse.Namespace(
        configuration=_configuration(toy, **double),
        output=str(toy.output),
        overrides=[],
        stage=None,
        scenes=None,
        force=[],
        executor=executor,
        dry_run=dry_run,
    )
    return cluster_commands.submit(arguments, TOY_STAGES)


def _on(toy: Toy) -> argparse.Namespace:
    return argparse.Namespace(run=str(toy.output))


def _worker(saved: Path, step: int, index: int, size: int = 2) -> list[str]:
    return ["worker", "--plan", str(saved), "--step", str(step), "--index", str(index), "--size", str(size)]


def _until_empty() -> None:
    deadline = time.monotonic() + 60
    while queue.queued_jobs(queue.user_name()):
        assert time.monotonic() < deadline, "jobs do not end"
        time.sleep(0.2)


class TestDryRun:
    def test_prints_everything_and_does_nothing(
        self, toy: Toy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert _submit(toy, dry_run=True) == 0
        printed = capsys.readouterr().out
        assert printed.startswith("# 5 job arrays would be submitted, with SLURM's default limits since it could not")
        assert printed.count("#!/usr/bin/env bash") == 5
        assert re.findall(r"^# sbatch(.*) \S+/(\S+)\.sh", printed, re.MULTILINE)[:2] == [
            ("", "00_numbers"),
            (" --dependency=afterany:<job 00_numbers>", "01_double"),
        ]
        assert not list(toy.output.glob("*/*"))

    @pytest.mark.slurm
    @pytest.mark.usefixtures("quick_slurm")
    def test_is_exact(self, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
        assert _submit(toy, dry_run=True) == 0
        printed = capsys.readouterr().out
        assert queue.queued_jobs(queue.user_name()) == {}
        assert _submit(toy) == 0
        (made,) = submissions(toy.output)
        scripts = sorted(made.folder.glob("*.sh"))
        assert len(scripts) == 5
        for script in scripts:
            assert script.read_text().replace(made.folder.name, "<moment>").replace("'", "") in printed.replace("'", "")


@pytest.mark.slurm
@pytest.mark.usefixtures("quick_slurm")
class TestSubmitted:
    def test_from_submit_to_status(self, toy: Toy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert _submit(toy, fail=["b"]) == 0
        printed = capsys.readouterr().out
        assert "SLURM has 2 jobs for numbers, 2 jobs for double, 2 jobs for batch" in printed
        assert f"boxgp status {toy.output}; to end them: boxgp cancel {toy.output}" in printed
        _until_empty()
        assert commands.status(_on(toy), TOY_STAGES) == 0
        rows = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert rows[:3] == [
            ["stage", "done", "stale", "missing", "failed", "queued", "running"],
            ["numbers", "3", "0", "0", "0", "0", "0"],
            ["double", "2", "0", "0", "1", "0", "0"],
        ]
        here = Toy(tmp_path / "here")
        here.write()
        complete(plan_of(here, {"double": {"fail": ("b",)}}, TOY_STAGES, scenes=["a", "c"]))
        scenes = {name: data for name, data in array_bytes(here.output).items() if name[-15:-14] in "ac"}
        assert scenes.items() <= array_bytes(toy.output).items()

    def test_cancel(self, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
        assert _submit(toy, seconds=30.0) == 0
        assert _submit(toy, seconds=30.0) == 0
        assert "of an earlier submission of this run still wait or run" in capsys.readouterr().err
        assert cluster_commands.cancel(_on(toy), TOY_STAGES) == 0
        told = capsys.readouterr().out.splitlines()
        assert len(told) == 2
        assert all(re.match(r"cancelled \d+ jobs of job arrays [\d ]+, submitted 2", line) for line in told)
        _until_empty()
        assert cluster_commands.cancel(_on(toy), TOY_STAGES) == 0
        assert capsys.readouterr().out.strip().endswith("output has no jobs in the queue")
        assert commands.status(_on(toy), TOY_STAGES) == 0
        assert "without a word" not in capsys.readouterr().out
        assert read_failures(toy.output) == []


class TestWorker:
    def test_one_chunk(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        saved = save_plan(plan_of(toy))
        monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
        assert main(_worker(saved, 0, 0)) == 0
        found = read_records(submission_of(saved) / "records", 0, range(9))
        assert [(one.scene, one.outcome, one.attempt) for one in found[0]] == [
            ("a", TaskOutcome.DONE, 3),
            ("b", TaskOutcome.DONE, 3),
        ]
        assert sorted(path.name for path in (toy.output / "numbers").iterdir()) == ["a", "b"]

    def test_failing_scenes_do_not_fail_the_job(self, toy: Toy) -> None:
        (toy.folder / "data" / "a.txt").write_text("x")
        saved = save_plan(plan_of(toy))
        assert main(_worker(saved, 0, 0)) == 0
        assert main(_worker(saved, 1, 0)) == 0
        records = read_records(submission_of(saved) / "records", 1, [0])[0]
        assert [one.outcome for one in records] == [TaskOutcome.BLOCKED, TaskOutcome.DONE]

    def test_a_stage_over_all_scenes(self, toy: Toy) -> None:
        complete(plan_of(toy, last="batch"))
        saved = save_plan(plan_of(toy))
        assert main(_worker(saved, 3, 0)) == 0
        (record,) = read_records(submission_of(saved) / "records", 3, [0])[0]
        assert (record.stage, record.outcome) == ("total", TaskOutcome.DONE)

    def test_refusals(self, toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
        saved = save_plan(plan_of(toy))
        assert main(_worker(saved, 9, 0)) == 2
        assert "has 5 steps; there is no step 9" in capsys.readouterr().err
        assert main(_worker(saved, 0, 2)) == 2
        assert "has no chunk 2" in capsys.readouterr().err
        header = saved / "plan.json"
        header.write_text(re.sub(r'"boxgp": "[^"]+"', '"boxgp": "0.0.1"', header.read_text()))
        assert main(_worker(saved, 0, 0)) == 2
        assert "was made by boxgp 0.0.1" in capsys.readouterr().err

    def test_sigterm_leaves_nothing_behind(self, toy: Toy) -> None:
        complete(plan_of(toy, last="numbers"))
        saved = save_plan(plan_of(toy, {"double": {"seconds": 60.0}}))
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [sys.executable, "-P", "-m", "pipeline.cli", *_worker(saved, 1, 0)]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
        log = toy.output / "logs" / "round_00" / "double"
        deadline = time.monotonic() + 30
        while not log.is_dir() and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)  # as SLURM does: all processes of the job
        assert process.wait(20) == 143
        assert read_failures(toy.output) == []
        assert not (submission_of(saved) / "records").exists()
        assert not (toy.output / "round_00").exists() or not list((toy.output / "round_00").rglob("*"))


def test_an_executor_of_another_kind_is_refused(toy: Toy) -> None:
    with pytest.raises(ConfigurationError, match="needs an executor of kind slurm, not dask"):
        _submit(toy, executor="dask")


def test_jobs_find_boxgp_without_its_script(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python -m must do what the command does, and not just import it."""
    monkeypatch.setattr(sys, "executable", str(toy.folder / "python"))
    assert submission.boxgp_command() == [str(toy.folder / "python"), "-P", "-m", "pipeline.cli"]
    (toy.folder / "boxgp").touch()
    assert submission.boxgp_command() == [str(toy.folder / "boxgp")]
