"""Jobs that ended without a word: killed, over their time or memory, on a node that failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import SceneError
from pipeline.records import Record, TaskOutcome, record_from_manifest
from pipeline.slurm.queue import JobState
from pipeline.store import fingerprint_of, intact_manifest
from pipeline.tasks import PlannedTask, Reason
from pipeline.worker import record_failure

_MORE_TIME = "give it more time (--set executor.time=...) or fewer scenes (--set executor.scenes_per_job=...)"
_REMEDIES = {
    "TIMEOUT": _MORE_TIME,
    "DEADLINE": _MORE_TIME,
    "OUT_OF_MEMORY": "give it more memory (--set executor.memory=...)",
    "CANCELLED": "somebody cancelled it: run again",
    "NODE_FAIL": "its node failed: run again",
    "BOOT_FAIL": "its node failed: run again",
    "PREEMPTED": "another job took its place: run again",
}
_ELSE = (
    "run again; if it ends like this again, it may need more time or memory (--set executor.time=..., "
    "--set executor.memory=...)"
)
_LAST_LINES = 3
_LAST_BYTES = 2000


def lost_records(
    tasks: Sequence[PlannedTask], *, output: Path, job: str, state: JobState | None, log: Path, submitted: str
) -> Iterator[Record]:
    """The records of the tasks of a job that left none: what it committed is done, the rest has failed.

    ``state`` is what SLURM says about its end, None where it no longer knows.
    """
    for task in tasks:
        manifest = intact_manifest(task.folder)
        if manifest is not None and manifest["fingerprint"] == task.fingerprint and _is_new(task, manifest, submitted):
            yield record_from_manifest(manifest, TaskOutcome.DONE)
        elif any(fingerprint_of(one.folder) != one.fingerprint for one in task.inputs.values()):
            message = "not tried: something that it reads is missing"
            yield Record(task.stage, task.round, task.scene, TaskOutcome.BLOCKED, task.fingerprint, message=message)
        else:
            error = SceneError(f"{task.scene}: {what_happened(job, state, log)}")
            yield record_failure(output, task, error, log=log.relative_to(output))


def what_happened(job: str, state: JobState | None, log: Path) -> str:
    """How a job ended and what to do, in a sentence."""
    told = "SLURM no longer knows why" if state is None else f"SLURM says {state}"
    remedy = _ELSE if state is None else _REMEDIES.get(state.state, _ELSE)
    last = last_lines(log)
    quoted = f"; its last words: {last}" if last else ""
    return f"SLURM job {job} ended before the scene did: {told}; {remedy} (log: {log}){quoted}"


def last_lines(log: Path) -> str:
    """The end of a log in one line, empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _LAST_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:])


def _is_new(task: PlannedTask, manifest: dict[str, object], submitted: str) -> bool:
    """Whether the result was asked for in this submission: a forced task has an old one under the same fingerprint."""
    return task.reason is not Reason.FORCED or str(manifest.get("ended", "")) >= submitted
