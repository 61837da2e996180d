"""Whole runs as SLURM jobs: the same results as on this machine, whatever happens to the jobs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slurm_cluster import SlurmCluster
from toy_stages import TOY_STAGES, Toy, array_bytes, plan_of

from pipeline.executors import slurm as executor
from pipeline.executors.base import Outcome
from pipeline.executors.config import SlurmExecutor
from pipeline.executors.local import LocalExecutor
from pipeline.executors.slurm import SlurmArrayExecutor
from pipeline.failures import read_failures
from pipeline.progress import Progress
from pipeline.records import TaskOutcome
from pipeline.run import run_plan
from pipeline.slurm import queue
from pipeline.slurm.chunks import read_records
from pipeline.slurm.queue import QueueError
from pipeline.slurm.submission import submissions

pytestmark = pytest.mark.slurm

SCENES = {f"scene_{number}": f"{number} 1 {'2 ' * number}" for number in range(5)}
TWO = TOY_STAGES[:2]


def _config(**options: Any) -> SlurmExecutor:
    return SlurmExecutor.model_validate({"kind": "slurm", "memory": "10M", "scenes_per_job": 1, **options})


def _run(toy: Toy, stages: Any = TWO, *, options: dict[str, Any] | None = None, **config: Any) -> Outcome:
    plan = plan_of(toy, config, stages)
    return run_plan(plan, SlurmArrayExecutor(_config(**(options or {})), toy.output), Progress())


def _counts(outcome: Outcome) -> dict[str, dict[str, int]]:
    return {
        stage: {str(kind): count for kind, count in counts.items() if count} for stage, counts in outcome.counts.items()
    }


def _elsewhere(action: Callable[[int], object], toy: Toy, stage: str = "double") -> threading.Thread:
    """Does something to the array of a stage once its first job runs."""

    def watch() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for submission in submissions(toy.output)[-1:]:
                for one in submission.arrays:
                    jobs = queue.queued_jobs(submission.user).get(one.job, {})
                    if one.array.stage == stage and 0 in jobs and jobs[0].state == "RUNNING":
                        time.sleep(1.0)
                        action(one.job)
                        return
            time.sleep(0.1)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def _command(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@pytest.fixture
def weird(tmp_path: Path) -> Toy:
    """Five scenes in a folder whose name needs every kind of quoting."""
    toy = Toy(tmp_path / 'my "run" 5% $HOME\'s a\\b', SCENES)
    toy.write()
    return toy


def test_the_same_bytes_as_here(
    quick_slurm: SlurmCluster, weird: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Toy(tmp_path / "here", SCENES)
    here.write()
    wanted = run_plan(plan_of(here, {"double": {"fail": ("scene_1",)}}), LocalExecutor(0), Progress())
    decoy = weird.folder / "pipeline"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("raise RuntimeError('the decoy was imported')")
    weird.output.mkdir()
    (weird.output / "pipeline").symlink_to(decoy)
    monkeypatch.chdir(weird.folder)
    options = {"scenes_per_job": 3, "stages": {"numbers": {"scenes_per_job": 1}}}
    outcome = _run(weird, TOY_STAGES, options=options, double={"fail": ("scene_1",)})
    assert _counts(outcome) == _counts(wanted)
    assert outcome.exit_code == wanted.exit_code == 1
    assert array_bytes(weird.output) == array_bytes(here.output)
    assert len(array_bytes(here.output)) == 15
    ours, theirs = read_failures(here.output), read_failures(weird.output)
    assert [(one.stage, one.scene, one.message) for one in ours] == [
        (one.stage, one.scene, one.message) for one in theirs
    ]
    (submission,) = submissions(weird.output)
    sizes = [(one.array.stage, one.array.offset, one.array.count) for one in submission.arrays]
    assert sizes[:3] == [("numbers", 0, 4), ("numbers", 4, 1), ("double", 0, 2)]
    assert sorted(weird.output.glob("submissions/*/*.sh"))[0].name == "00_numbers_0.sh"
    assert len(list(submission.logs.iterdir())) == 11
    again = _run(weird, options=options, double={"fail": ("scene_1",)})
    assert _counts(again) == {"numbers": {"kept": 5}, "double": {"kept": 4, "failed": 1}}
    assert [one.array.stage for one in submissions(weird.output)[-1].arrays] == ["double"]


def test_a_scene_that_kills_its_process_each_time(quick_slurm: SlurmCluster, toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "once").mkdir()
    (tmp_path / "once" / "a").touch()
    outcome = _run(toy, options={"scenes_per_job": 3}, double={"kill": ("b",), "kill_once": str(tmp_path / "once")})
    assert _counts(outcome) == {"numbers": {"done": 3}, "double": {"done": 2, "failed": 1}}
    (failure,) = read_failures(toy.output)
    assert "SIGKILL), twice" in failure.message


def test_a_cancelled_job_and_the_run_after_it(quick_slurm: SlurmCluster, toy: Toy) -> None:
    thread = _elsewhere(lambda job: _command("scancel", f"{job}_0"), toy)
    outcome = _run(toy, double={"seconds": 2.0})
    thread.join()
    assert _counts(outcome) == {"numbers": {"done": 3}, "double": {"done": 2, "failed": 1}}
    (failure,) = read_failures(toy.output)
    assert (failure.scene, failure.expected) == ("a", True)
    assert "SLURM says CANCELLED; somebody cancelled it: run again" in failure.message
    assert not [path for path in toy.output.rglob("*") if "@" in path.name]
    again = _run(toy, double={"seconds": 0.1})
    assert again.exit_code == 0
    assert read_failures(toy.output) == []


def test_a_job_that_is_killed_with_all_it_had(quick_slurm: SlurmCluster, toy: Toy) -> None:
    thread = _elsewhere(lambda job: _command("scancel", "--full", "--signal=KILL", f"{job}_0"), toy)
    outcome = _run(toy, double={"seconds": 2.0})
    thread.join()
    assert _counts(outcome) == {"numbers": {"done": 3}, "double": {"done": 2, "failed": 1}}
    assert _run(toy, double={"seconds": 2.0}).exit_code == 0


def test_a_job_that_is_queued_again(quick_slurm: SlurmCluster, toy: Toy) -> None:
    def requeue(job: int) -> None:
        _command("scontrol", "requeue", f"{job}_0")
        deadline = time.monotonic() + 20
        while queue.queued_jobs("root").get(job, {})[0].state != "PENDING" and time.monotonic() < deadline:
            time.sleep(0.2)
        _command("scontrol", "update", f"JobId={job}_0", "StartTime=now")  # SLURM would wait for two minutes

    thread = _elsewhere(requeue, toy)
    outcome = _run(toy, double={"seconds": 2.0})
    thread.join()
    assert _counts(outcome) == {"numbers": {"done": 3}, "double": {"done": 3}}
    (record,) = read_records(submissions(toy.output)[-1].records, 1, [0])[0]
    assert (record.scene, record.attempt) == ("a", 2)


def test_slurmctld_restarts_meanwhile(quick_slurm: SlurmCluster, toy: Toy) -> None:
    def restart(job: int) -> None:
        quick_slurm.stop_daemon("slurmctld")
        time.sleep(1.0)
        quick_slurm.start_daemon("slurmctld")

    thread = _elsewhere(restart, toy)
    outcome = _run(toy, double={"seconds": 4.0})
    thread.join()
    assert _counts(outcome) == {"numbers": {"done": 3}, "double": {"done": 3}}


def test_slurm_that_stays_silent(quick_slurm: SlurmCluster, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(user: str) -> None:
        raise QueueError("squeue says: Unable to contact slurm controller")

    monkeypatch.setattr(executor, "_PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(queue, "queued_jobs", silent)
    monkeypatch.setattr(executor, "earlier_jobs", lambda _: None)
    with pytest.raises(QueueError, match=r"jobs may still run: see boxgp status .*, and run again"):
        _run(toy, double={"seconds": 5.0})


def test_ctrl_c_cancels_the_jobs(quick_slurm: SlurmCluster, toy: Toy) -> None:
    class Impatient(Progress):
        def start(self, stage: str, *_: int) -> None:
            if stage == "double":
                raise KeyboardInterrupt

    plan = plan_of(toy, {"double": {"seconds": 60.0}}, TWO)
    outcome = run_plan(plan, SlurmArrayExecutor(_config(), toy.output), Impatient())
    assert outcome.exit_code == 130
    (submission,) = submissions(toy.output)
    assert submission.cancelled
    quick_slurm.cancel_all()
    assert outcome.count(TaskOutcome.FAILED) == 0
    assert read_failures(toy.output) == []
    assert os.environ["SLURM_CONF"] == str(quick_slurm.configuration)


def test_a_refused_array_leaves_nothing_in_the_queue(quick_slurm: SlurmCluster, toy: Toy) -> None:
    with pytest.raises(QueueError, match=r"01_double\.sh was not submitted.*invalid partition") as caught:
        _run(toy, options={"stages": {"double": {"partition": "nowhere"}}})
    assert str(toy.output) in str(caught.value)
    quick_slurm.wait_until_idle()
    assert all(state.is_running for jobs in queue.queued_jobs(queue.user_name()).values() for state in jobs.values())
