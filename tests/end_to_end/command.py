"""The real command in a process of its own, and what it left on disk."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.store import read_arrays

BOXGP = Path(sys.executable).with_name("boxgp")
ROOMS = ("demo", "--set", "scenes.count=3", "--set", "scenes.points=1500")
"""Three built-in rooms, small enough for a run of a few seconds."""
STAGES = ("scenes", "superpoints", "features", "posteriors", "pseudo_labels", "evaluation", "summary")
ONCE = ("scenes", "superpoints")
"""stages whose results belong to no round"""
SUMMARY = "summary"
"""the stage with one result for all scenes"""
PATIENCE_SECONDS = 250.0


@dataclass(frozen=True)
class Ended:
    """Exit code and output of one command."""

    code: int
    out: str
    err: str

    def counts(self, stage: str) -> tuple[int, ...]:
        """The row of a stage in the table at the end of a run: tasks done, kept, failed, blocked."""
        rows = [line.split() for line in self.out.splitlines() if line.split()[:1] == [stage]]
        return tuple(int(cell) for cell in rows[0][1:5])


def boxgp(*line: str | Path, cwd: Path) -> Ended:
    """Runs ``boxgp`` to its end in ``cwd``; no command may ever show a traceback."""
    ended = subprocess.run(
        [BOXGP, *line],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def completed(*line: str | Path, cwd: Path) -> Ended:
    """As ``boxgp``, for a command that has to end with 0."""
    ended = boxgp(*line, cwd=cwd)
    assert ended.code == 0, ended.out + ended.err
    return ended


def start(*line: str | Path, cwd: Path) -> subprocess.Popen[str]:
    """Starts ``boxgp`` as the leader of a process group, as a shell does."""
    return subprocess.Popen(
        [BOXGP, *line],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


@dataclass(frozen=True)
class Measured:
    """A run that nothing interrupted, with its length and the moment of its first result, in seconds."""

    output: Path
    seconds: float
    first_result: float


def measure(line: Sequence[str], folder: Path) -> Measured:
    """Runs ``line`` to its end in ``folder``."""
    begin = time.monotonic()
    process = start("run", *line, "--output", "out", cwd=folder)
    wait_for_results(process, folder / "out", 1)
    first_result = time.monotonic() - begin
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return Measured(folder / "out", time.monotonic() - begin, first_result)


def wait_for_results(process: subprocess.Popen[Any], output: Path, count: int) -> None:
    """Returns when there are ``count`` results, or when the process has ended."""
    until = time.monotonic() + PATIENCE_SECONDS
    while len(results(output)) < count and process.poll() is None:
        assert time.monotonic() < until, f"not {count} results within {PATIENCE_SECONDS} s"
        time.sleep(0.005)


def results(run: Path, stages: Sequence[str] = STAGES) -> list[Path]:
    """Every folder that stands where a result of one of ``stages`` belongs, complete or not."""
    folders: list[Path] = []
    for stage in stages:
        parent = run / stage if stage in ONCE else run / "round_00" / stage
        found = [parent] if stage == SUMMARY else sorted(parent.glob("[!.]*"))
        folders += [folder for folder in found if folder.exists()]
    return folders


def checksums(run: Path, stages: Sequence[str] = STAGES) -> dict[str, str]:
    """sha256 of the data.zarr.zip of every result, by path relative to the run."""
    files = [file for file in _files(run, stages) if file.name == "data.zarr.zip"]
    return {str(file.relative_to(run)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def differences(run: Path, other: Path, stages: Sequence[str] = STAGES) -> list[str]:
    """The data.zarr.zip that two runs do not have in common, byte for byte; both have some."""
    ours, theirs = checksums(run, stages), checksums(other, stages)
    assert ours
    assert theirs
    return sorted(file for file in {*ours, *theirs} if ours.get(file) != theirs.get(file))


def modified(run: Path, stages: Sequence[str] = STAGES) -> dict[str, int]:
    """Modification time of every file of every result, in nanoseconds."""
    return {str(file.relative_to(run)): file.stat().st_mtime_ns for file in _files(run, stages)}


def _files(run: Path, stages: Sequence[str]) -> list[Path]:
    return [file for folder in results(run, stages) for file in folder.rglob("*") if file.is_file()]


def temporaries(run: Path) -> list[Path]:
    """Hidden files and folders: what a process that was stopped left behind."""
    return sorted(run.rglob(".*"))


def assert_complete(folder: Path) -> None:
    """The manifest lists the very files that are there, with their sizes, and every array can be read."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    del files["manifest.json"]
    assert files == manifest["contents"]
    arrays, _ = read_arrays(folder)
    assert arrays or folder.name == SUMMARY
