"""Worker processes: whose death counts against whom."""

from __future__ import annotations

import multiprocessing
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_stages import Toy, plan_of

from pipeline.executors.processes import WorkerPool, surviving
from pipeline.executors.stepwise import chunks_of, open_tasks
from pipeline.plan import Pins
from pipeline.records import TaskOutcome
from pipeline.tasks import Chunk


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(1)
    yield pool
    pool.close()


def chunks(toy: Toy) -> list[Chunk]:
    """One chunk for each scene of the first stage."""
    plan = plan_of(toy)
    return chunks_of(plan, open_tasks(plan, 0, Pins(plan)), 1)


def test_a_worker_that_dies_between_two_chunks_costs_nothing(toy: Toy, pool: WorkerPool) -> None:
    first, *others = chunks(toy)
    assert len(list(pool.run([first]))) == 1
    (child,) = multiprocessing.active_children()
    child.kill()
    child.join()
    records = [record for answer in surviving(pool, others) for record in answer]
    assert [(record.outcome, record.attempt) for record in records] == [(TaskOutcome.DONE, 1)] * len(others)


def test_a_worker_that_is_asked_to_stop_stops(toy: Toy, pool: WorkerPool) -> None:
    assert len(list(pool.run(chunks(toy)[:1]))) == 1
    (child,) = multiprocessing.active_children()
    child.terminate()
    child.join(60)
    assert child.exitcode == -signal.SIGTERM


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_each_worker_gets_one_gpu(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,5")
    pool = WorkerPool(3)
    try:
        list(pool.run(chunks(toy)))
        environments = [Path(f"/proc/{child.pid}/environ").read_bytes() for child in multiprocessing.active_children()]
    finally:
        pool.close()
    given = [re.search(rb"\0CUDA_VISIBLE_DEVICES=(.*?)\0", b"\0" + environment) for environment in environments]
    assert sorted(found[1] for found in given if found) == [b"5", b"7", b"7"]
