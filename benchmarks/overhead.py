"""What running a task costs beyond the stage's own work: stages that do nothing, on each executor of this machine.

    python -m benchmarks.overhead [--scenes N] [--quick] [--json FILE]

Two stages return one array of eight numbers a scene. Milliseconds a task are those that one worker spends on it:
elapsed time x workers / tasks, less the seconds that the stage itself took. The second stage finds warm workers; the
first one pays for their start and their imports. Then the parts of a task in a chunk of its own, in one process.
"""

from __future__ import annotations

import argparse
import os
import pickle
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.noop import NOOP, CountConfig
from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about
from benchmarks.tables import number, table, write_json
from pipeline import logs, store, worker
from pipeline.config import RunConfig
from pipeline.executors import stepwise
from pipeline.executors.choose import executor_for
from pipeline.executors.config import DaskExecutor, ExecutorConfig, LocalExecutor
from pipeline.plan import Pins, make_plan
from pipeline.progress import Progress
from pipeline.records import Record
from pipeline.run import run_plan
from pipeline.stage import StageConfig
from pipeline.tasks import Chunk, Plan

SCENES, QUICK = 400, 40
EXECUTORS: dict[str, tuple[ExecutorConfig, int]] = {
    "this process": (LocalExecutor(workers=0), 1),
    "2 workers": (LocalExecutor(workers=2), 2),
    "dask, 2 workers": (DaskExecutor(workers=2), 2),
}
"""executor and the number of its workers"""
CHUNKS = {"1": 1, "default": stepwise._LARGEST_CHUNK}
PARTS = {"arrays to zip": (store, "_write"), "rename": (store, "_rename"), "commit": (worker, "commit")}


class Clock(Progress):
    """Seconds of each stage, less those that its tasks took by their own account, which are of all workers."""

    def __init__(self, workers: int) -> None:
        self.overheads: list[float] = []
        """of one worker after the other"""
        self._workers = workers
        self._started = time.perf_counter()
        self._own = 0.0

    def advance(self, record: Record) -> None:
        """Notes what a task took by its own account."""
        self._own += record.seconds

    def finish(self) -> None:
        """Notes what a stage took beyond its tasks, and begins with the next one."""
        now = time.perf_counter()
        self.overheads.append((now - self._started) * self._workers - self._own)
        self._started, self._own = now, 0.0


def planned(output: Path, scenes: int, chosen: ExecutorConfig) -> Plan:
    """Both stages over so many scenes."""
    sections = {"first": CountConfig(count=scenes), "second": StageConfig()}
    splits = {"train": (), "val": (), "test": ()}
    return make_plan(RunConfig("noop", 0, False, sections, splits, executor=chosen), NOOP, output)


def run(name: str, largest_chunk: int, scenes: int) -> dict[str, Any]:
    """Milliseconds a task on one executor, with cold and with warm workers."""
    chosen, workers = EXECUTORS[name]
    with tempfile.TemporaryDirectory() as folder, patch.object(stepwise, "_LARGEST_CHUNK", largest_chunk):
        output, clock = Path(folder) / "run", Clock(workers)
        plan = planned(output, scenes, chosen)
        outcome = run_plan(plan, executor_for(chosen, output), clock)
    if outcome.exit_code != 0:
        raise SystemExit(f"{name}: {outcome.failed[0].message if outcome.failed else outcome.counts}")
    cold, warm = (seconds / scenes * 1000 for seconds in clock.overheads)
    return {"executor": name, "largest_chunk": largest_chunk, "cold": cold, "warm": warm}


def shares(scenes: int) -> dict[str, float]:
    """Milliseconds that parts of a warm task in a chunk of its own take, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        plan = planned(Path(folder), scenes, LocalExecutor())
        chunks = stepwise.chunks_of(plan, stepwise.open_tasks(plan, 0, Pins(plan)), 1)
        worker.run_chunk(chunks[0])
        spent: defaultdict[str, float] = defaultdict(float)
        with _counted(spent):
            for chunk in chunks[1:]:
                _timed(spent, "run_chunk", worker.run_chunk, chunk)
        for place, chunk in enumerate(chunks[1:]):
            _timed(spent, "log", _empty_log, Path(folder) / "logs" / f"{place}.log")
            _timed(spent, "pickling", _pickled, chunk)
    inner = {name: 1000 * seconds / (scenes - 1) for name, seconds in spent.items()}
    found = {name: inner[name] for name in ("arrays to zip", "rename")}
    found["rest of the commit"] = inner["commit"] - sum(found.values())
    found["log"] = inner["log"]
    found["rest of the worker"] = inner["run_chunk"] - inner["commit"] - inner["log"]
    return {**found, "pickling, with workers": inner["pickling"]}


def _timed(spent: defaultdict[str, float], name: str, function: Callable[..., Any], *values: Any, **named: Any) -> Any:
    start = time.perf_counter()
    try:
        return function(*values, **named)
    finally:
        spent[name] += time.perf_counter() - start


@contextmanager
def _counted(spent: defaultdict[str, float]) -> Iterator[None]:
    """Times PARTS inside."""
    patches = [
        patch.object(module, function, partial(_timed, spent, name, getattr(module, function)))
        for name, (module, function) in PARTS.items()
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def _empty_log(path: Path) -> None:
    with logs.task_log(path, logs.LogContext("second", 0, "scene", 1)):
        pass


def _pickled(chunk: Chunk) -> None:
    pickle.loads(pickle.dumps(chunk))


def rendered(content: Mapping[str, Any]) -> str:
    """Milliseconds a task by executor, and the parts of one."""
    header = ["executor", "tasks a chunk, at most", "ms a task", "ms a task, start of workers included"]
    rows = [
        [row["executor"], str(row["largest_chunk"]), number(row["warm"], 1), number(row["cold"], 1)]
        for row in content["rows"]
    ]
    parts = [[name, number(milliseconds, 2)] for name, milliseconds in content["shares"].items()]
    body = f"{table(header, rows)}\n\n{table(['part of a task in a chunk of its own', 'ms'], parts)}"
    return with_notes(body, [f"{content['scenes']:,} tasks a stage", provenance(content)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, help=f"default: {SCENES}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} scenes")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    scenes = chosen.scenes or (QUICK if chosen.quick else SCENES)
    # workers import the stages, and with PYTHONSAFEPATH nothing from the current folder
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = [run(name, largest, scenes) for name in EXECUTORS for largest in CHUNKS.values()]
    figures = {**about(chosen.quick), "scenes": scenes, "rows": rows, "shares": shares(scenes)}
    print(rendered(figures))
    write_json(chosen.json, figures)


if __name__ == "__main__":
    main()
