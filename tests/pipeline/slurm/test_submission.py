"""Cutting a plan into job arrays, keeping them on disk, and joining them with the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_stages import Toy, complete, plan_of

from pipeline.errors import ConfigurationError
from pipeline.executors import slurm
from pipeline.executors.base import Outcome
from pipeline.executors.config import SlurmExecutor
from pipeline.plans import load_plan, save_plan
from pipeline.progress import Progress
from pipeline.records import Record, TaskOutcome
from pipeline.show_run import status_table
from pipeline.slurm import queue, submission
from pipeline.slurm.chunks import StepChunks, read_records, recorded, write_records
from pipeline.slurm.queue import JobState, Limits, QueueError
from pipeline.slurm.status import QueueStatus, queue_status
from pipeline.slurm.submission import cancel, job_arrays, submissions, submit
from pipeline.tasks import Plan

WAITING, RUNNING = JobState("PENDING", "Priority"), JobState("RUNNING", "None")


def _config(**options: Any) -> SlurmExecutor:
    return SlurmExecutor.model_validate({"kind": "slurm", **options})


@pytest.fixture
def many(tmp_path: Path) -> Toy:
    """Eleven scenes."""
    toy = Toy(tmp_path, {f"s{number:02d}": "1 2" for number in range(11)})
    toy.write()
    return toy


class FakeSlurm:
    """A queue that takes everything, numbers arrays from 100 on, and says what the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.submitted: list[tuple[str, tuple[int, ...]]] = []
        self.cancelled: list[int] = []
        self.jobs: dict[int, dict[int, JobState]] = {}
        self.refuses = ""
        monkeypatch.setattr(queue, "limits", lambda: Limits(array=4))
        monkeypatch.setattr(queue, "submit", self.submit)
        monkeypatch.setattr(queue, "cancel", self.cancelled.extend)
        monkeypatch.setattr(queue, "queued_jobs", lambda _: self.jobs)
        monkeypatch.setattr(queue, "user_name", lambda: "me")

    def submit(self, script: Path, after: list[int]) -> int:
        if script.stem == self.refuses:
            raise QueueError("sbatch says: no")
        self.submitted.append((script.stem, tuple(after)))
        return 99 + len(self.submitted)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """No SLURM, but something that answers like one."""
    return FakeSlurm(monkeypatch)


class TestCutting:
    def test_arrays_are_no_larger_than_allowed(self, many: Toy) -> None:
        config = _config(scenes_per_job=2, stages={"batch": {"scenes_per_job": 5}})
        arrays = job_arrays(plan_of(many), config, Limits(array=4))
        assert [(one.name, one.offset, one.count, one.scenes) for one in arrays] == [
            ("00_numbers_0", 0, 4, 8),
            ("00_numbers_1", 4, 2, 3),
            ("01_double_0", 0, 4, 8),
            ("01_double_1", 4, 2, 3),
            ("02_batch", 0, 3, 11),
            ("03_total", 0, 1, 1),
            ("04_report", 0, 1, 1),
        ]

    def test_every_pending_scene_is_in_one_chunk(self, many: Toy) -> None:
        complete(plan_of(many, last="numbers"))
        for scene in ("s03", "s07", "s08"):
            (many.output / "numbers" / scene / "manifest.json").unlink()
        plan = load_plan(save_plan(plan_of(many)))
        arrays = job_arrays(plan, _config(scenes_per_job=2), Limits(array=4))
        chunks = StepChunks(plan, 0)
        assert [one.count for one in arrays if one.stage == "numbers"] == [2]
        assert [[task.scene for task in chunks.tasks(index, 2)] for index in (0, 1)] == [["s03", "s07"], ["s08"]]
        complete(plan_of(many, last="numbers"))
        assert StepChunks(load_plan(save_plan(plan)), 0).scenes == ["s03", "s07", "s08"]

    def test_an_incomplete_result_is_tried_again_under_strict(self, toy: Toy) -> None:
        complete(plan_of(toy))
        (toy.output / "round_00" / "batch" / "b" / "manifest.json").unlink()
        only: dict[str, Any] = {"first": "total", "last": "total"}
        complete(plan_of(toy, **only))
        assert job_arrays(plan_of(toy, **only), _config(), Limits()) == []
        assert [one.name for one in job_arrays(plan_of(toy, {"strict": True}, **only), _config(), Limits())] == [
            "03_total"
        ]

    def test_more_jobs_than_the_cluster_takes(self, many: Toy) -> None:
        told = r"35 jobs, and this cluster takes 10 .*scenes_per_job to 4 or more"
        with pytest.raises(ConfigurationError, match=told):
            job_arrays(plan_of(many), _config(scenes_per_job=1), Limits(jobs=10))

    def test_resources_of_an_unknown_stage(self, many: Toy) -> None:
        with pytest.raises(ConfigurationError, match="no stage 'doubel'; did you mean double"):
            job_arrays(plan_of(many), _config(stages={"doubel": {"cpus": 2}}), Limits())


class TestSubmitting:
    def test_every_stage_waits_for_all_arrays_before_it(self, many: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(many)
        made = submit(plan, save_plan(plan), _config(scenes_per_job=2))
        assert fake.submitted[:5] == [
            ("00_numbers_0", ()),
            ("00_numbers_1", ()),
            ("01_double_0", (100, 101)),
            ("01_double_1", (100, 101)),
            ("02_batch_0", (102, 103)),
        ]
        assert submissions(many.output) == [made]
        assert load_plan(made.plan).size == plan.size
        assert (made.folder / "00_numbers_0.sh").is_file()

    def test_a_refusal_takes_back_what_went_before(self, toy: Toy, fake: FakeSlurm) -> None:
        fake.refuses = "02_batch"
        plan = plan_of(toy)
        with pytest.raises(QueueError, match=r"02_batch\.sh was not submitted.*sbatch says: no"):
            submit(plan, save_plan(plan), _config())
        assert fake.cancelled == [100, 101]
        assert [one.job for one in submissions(toy.output)[0].arrays] == [100, 101]

    def test_nothing_to_do(self, done: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(done)
        assert submit(plan, save_plan(plan), _config()).arrays == ()
        assert (fake.submitted, submissions(done.output)) == ([], [])

    def test_a_folder_that_is_no_submission_is_passed_over(self, toy: Toy) -> None:
        broken = toy.output / "submissions" / "x" / "jobs.json"
        broken.parent.mkdir(parents=True)
        for text in ("", "[]", '{"format": 99}', '{"format": 1, "arrays": [{}], "user": "me"}'):
            broken.write_text(text)
            assert submissions(toy.output) == []

    def test_a_warning_about_jobs_that_still_wait(self, toy: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(toy)
        submit(plan, save_plan(plan), _config())
        assert submission.earlier_jobs(toy.output) is None
        fake.jobs = {100: {0: RUNNING}, 101: {0: WAITING}, 7: {0: RUNNING}}
        warning = submission.earlier_jobs(toy.output)
        assert warning is not None
        assert warning.startswith(
            "warning: 2 jobs of an earlier submission of this run still wait or run (job arrays 100 1"
        )
        assert "boxgp cancel" in warning


def test_records_of_jobs(tmp_path: Path) -> None:
    record = Record("double", 0, "a", TaskOutcome.DONE, "f", 2, 0.5, statistics={"sum": 1.5}, warnings=("w",))
    assert recorded(tmp_path / "records") == set()
    write_records(tmp_path / "records", 1, 12, [record])
    write_records(tmp_path / "records", 2, 12, [])
    (tmp_path / "records" / "01_3.json").write_text("{")
    assert recorded(tmp_path / "records") == {(1, 12), (1, 3), (2, 12)}
    assert read_records(tmp_path / "records", 1, {3, 12}) == {12: [record]}
    assert read_records(tmp_path / "records", 1, {4}) == {}


def test_a_job_that_is_queued_again_may_be_absent_for_a_moment(
    toy: Toy, fake: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def known_jobs(array: int, indices: list[int]) -> dict[int, JobState]:
        asked.append(array)
        state = WAITING if len(asked) < 3 else JobState("CANCELLED", "None")
        return dict.fromkeys(indices, state)

    monkeypatch.setattr(queue, "known_jobs", known_jobs)
    monkeypatch.setattr(slurm, "_SHORTEST_PAUSE_SECONDS", 0.0)
    plan, outcome = plan_of(toy, last="numbers"), Outcome()
    slurm.SlurmArrayExecutor(_config(scenes_per_job=4), toy.output).run(plan, save_plan(plan), Progress(), outcome)
    assert fake.jobs == {}  # the queue never lists it
    assert asked == [100, 100, 100]
    assert outcome.count(TaskOutcome.FAILED) == 3


class TestStatus:
    def _status(self, plan: Plan) -> QueueStatus:
        status = queue_status(plan, set())
        assert isinstance(status, QueueStatus)
        return status

    def test_nothing_was_submitted(self, done: Toy) -> None:
        assert queue_status(plan_of(done), set()) is None

    def test_the_queue_joined_with_files(self, many: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(many, last="double")
        made = submit(plan, save_plan(plan), _config(scenes_per_job=4))
        fake.jobs = {100: {2: RUNNING}, 101: {0: WAITING, 1: WAITING, 2: WAITING}}
        write_records(made.records, 0, 1, [])
        complete(plan_of(many, last="numbers", scenes=["s01"]))
        plan = plan_of(many)
        status = self._status(plan)
        assert (status.running, status.queued) == ({"numbers": 3}, {"double": 11})
        log = made.logs / "00_numbers.100_0.log"
        assert status.lost == {("numbers", 0, scene): log for scene in ("s00", "s02", "s03")}
        assert list(status.lines())[1:] == [f"  {log}"]
        rows = [line.split() for line in status_table(plan, set(), status).splitlines()]
        assert rows[0] == ["stage", "done", "stale", "missing", "failed", "queued", "running"]
        assert rows[1] == ["numbers", "1", "0", "7", "3", "0", "3"]
        assert rows[2] == ["double", "0", "0", "11", "0", "11", "0"]

    def test_jobs_that_will_not_begin(self, toy: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(toy)
        submit(plan, save_plan(plan), _config())
        fake.jobs = {100 + array: {0: WAITING} for array in range(5)} | {101: {0: JobState("PENDING", "JobHeldUser")}}
        (line,) = self._status(plan).lines()
        assert "jobs such as 101_0 as they are: JobHeldUser" in line

    def test_jobs_that_were_cancelled_are_not_lost(self, toy: Toy, fake: FakeSlurm) -> None:
        plan = plan_of(toy)
        cancel(submit(plan, save_plan(plan), _config()))
        assert fake.cancelled == [100, 101, 102, 103, 104]
        assert self._status(plan).lost == {}

    @pytest.mark.usefixtures("fake")
    def test_a_queue_that_does_not_answer(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        def silent(user: str) -> None:
            raise QueueError(f"no answer for {user}")

        plan = plan_of(toy)
        submit(plan, save_plan(plan), _config())
        monkeypatch.setattr(queue, "queued_jobs", silent)
        told = queue_status(plan, set())
        assert told == "The queue could not be asked, so jobs that wait or run are not shown: no answer for me"
