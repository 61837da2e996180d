"""What SLURM's commands answer, as the functions around them understand it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_cluster import MAX_ARRAY_SIZE

from pipeline.errors import DependencyError
from pipeline.slurm import queue
from pipeline.slurm.queue import Limits, QueueError

PATIENCE_SECONDS = 30.0


def until(ready: Callable[[], bool]) -> None:
    """Waits for something that SLURM does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < deadline, "SLURM did not get there"
        time.sleep(0.2)


def _script(folder: Path, *lines: str, options: str = "") -> Path:
    path = folder / "job.sh"
    path.write_text("\n".join(["#!/bin/sh", f"#SBATCH --mem=10M --output=/dev/null {options}", *lines]) + "\n")
    return path


def _states(array: int) -> dict[int, str]:
    return {index: job.state for index, job in queue.queued_jobs(queue.user_name()).get(array, {}).items()}


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("5", [5]),
        ("0-3", [0, 1, 2, 3]),
        ("1,4-5%2", [1, 4, 5]),
        ("0-9:3", [0, 3, 6, 9]),
        ("N/A", []),
    ],
)
def test_indices(text: str, indices: list[int]) -> None:
    assert list(queue.array_indices(text)) == indices


def test_commands_that_are_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DependencyError, match="squeue is not installed"):
        queue.queued_jobs("me")


def test_a_long_list_of_indices_is_read_in_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Three arrays of 1001 jobs are three lines, not three thousand."""
    tool = tmp_path / "squeue"
    scattered = ",".join(str(index) for index in range(0, 1001, 2))
    lines = f"1|{scattered}%5|PENDING|Priority\n2|7|RUNNING|None\n3|N/A|RUNNING|None\n"
    tool.write_text(f"#!/bin/sh\n[ \"$SLURM_BITSTR_LEN$SQUEUE_FORMAT\" = 0 ] && printf %s '{lines}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    jobs = queue.queued_jobs("me")
    assert (len(jobs[1]), jobs[1][4].is_running, jobs[2][7].is_running) == (501, False, True)
    assert 3 not in jobs


@pytest.mark.slurm
@pytest.mark.usefixtures("slurm")
class TestRealQueue:
    def test_limits(self) -> None:
        assert queue.limits() == Limits(MAX_ARRAY_SIZE, 10_000)

    def test_states_from_waiting_to_ended(self, tmp_path: Path) -> None:
        first = queue.submit(_script(tmp_path, "sleep 60", options="--array=0-3%2"))
        second = queue.submit(_script(tmp_path, "true", options="--array=0-1"), after=[first])
        until(lambda: list(_states(first).values()).count("RUNNING") == 2)
        assert _states(first) == {0: "RUNNING", 1: "RUNNING", 2: "PENDING", 3: "PENDING"}
        assert _states(second) == {0: "PENDING", 1: "PENDING"}
        queue.cancel([first])
        until(lambda: not _states(first) and not _states(second))
        ended = {index: job.state for index, job in queue.known_jobs(first, range(4)).items()}
        assert ended == dict.fromkeys(range(4), "CANCELLED")
        assert {job.state for job in queue.known_jobs(second, range(2)).values()} == {"COMPLETED"}
        assert queue.known_jobs(second + 1000, [0]) == {}
        queue.cancel([first, second])

    def test_a_job_that_fails(self, tmp_path: Path) -> None:
        number = queue.submit(_script(tmp_path, "exit 3", options="--array=0"))
        until(lambda: not _states(number))
        assert str(queue.known_jobs(number, [0])[0]) == "FAILED (NonZeroExitCode)"

    def test_refusals_are_quoted(self, tmp_path: Path) -> None:
        with pytest.raises(QueueError, match=r"sbatch says: .*invalid partition"):
            queue.submit(_script(tmp_path, options="--partition=nowhere"))

    def test_the_script_counts_not_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {"PARTITION": "nowhere", "ARRAY_INX": "0-2", "OPEN_MODE": "truncate"}.items():
            monkeypatch.setenv(f"SBATCH_{name}", value)
        script = _script(tmp_path, "sleep 30", options="--array=0")
        script.write_text(script.read_text().replace("#SBATCH", "#SBATCH --partition=debug\n#SBATCH"))
        number = queue.submit(script)
        assert list(_states(number)) == [0]

    def test_jobs_that_will_never_begin(self, tmp_path: Path) -> None:
        """The partition of the test ends jobs after an hour."""
        number = queue.submit(_script(tmp_path, "true", options="--array=0-1 --time=02:00:00"))
        until(lambda: bool(queue.stuck_jobs(queue.queued_jobs(queue.user_name()), [number])))
        found = queue.stuck_jobs(queue.queued_jobs(queue.user_name()), [number])
        assert set(found) == {"PartitionTimeLimit"}
        assert queue.stuck_jobs(queue.queued_jobs(queue.user_name()), [number + 1]) == {}


@pytest.mark.parametrize(
    ("state", "ended"),
    [("PENDING", False), ("REQUEUED", False), ("COMPLETING", False), ("RUNNING", False), ("COMPLETED", True)]
    + [(state, True) for state in ("TIMEOUT", "NODE_FAIL", "CANCELLED", "FAILED", "OUT_OF_MEMORY", "PREEMPTED")],
)
def test_jobs_that_will_not_run_again(state: str, *, ended: bool) -> None:
    assert queue.JobState(state, "None").has_ended is ended
